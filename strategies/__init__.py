"""One file a fine-tuning strategy; the file name is the strategy's name."""
