"""What this machine has: packages, versions, memory."""
