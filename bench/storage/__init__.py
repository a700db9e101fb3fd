"""Files that outlive a process: sealed folders, records, run folders, baselines."""
