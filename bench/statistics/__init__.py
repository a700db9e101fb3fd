"""Rates, gaps, calibration and their intervals; numpy and scipy only."""
