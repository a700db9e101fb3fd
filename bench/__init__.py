"""Compare fine-tuning strategies under fixed budgets, and audit what they learned."""

__version__ = "0.1.0"
