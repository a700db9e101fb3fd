"""tunefair in Python: the verbs of the command line, on tables in memory."""
