"""Everything between reading a suite and training its cells."""
