"""Files from anywhere as tables, columns and predictions; a bad value is named by its row."""
