"""The Hugging Face Hub: commits and snapshots, asked in a process that may not stall."""
