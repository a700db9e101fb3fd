"""Group fairness, as a module of the `evaluate` library."""
