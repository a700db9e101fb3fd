"""Calibration, as a module of the `evaluate` library."""
