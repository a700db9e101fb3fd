"""What is known of the data before any training."""
