"""The command line: the verbs, and the tables that they print."""
