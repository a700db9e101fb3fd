"""From a suite to cells: strategies with their options, models, ids."""
