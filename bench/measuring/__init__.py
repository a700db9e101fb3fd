"""From predictions to numbers: audits, contrasts, results of a run or of a file."""
