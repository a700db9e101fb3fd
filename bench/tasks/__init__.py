"""One file a source of tasks: a record of options that loads texts, labels, groups, splits."""
