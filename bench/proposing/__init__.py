"""From a stranger's table to a suite: what its columns are, what is in it, what to write."""
