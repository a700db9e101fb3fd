"""Our audits as modules of the `evaluate` library: load them by path, or import them."""
