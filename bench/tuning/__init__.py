"""Equal tuning: every strategy gets the same search, and the order depends on it as shown."""

from .curve import expected_best

__all__ = ["expected_best"]
