"""Where the command line prints: numbers and answers to `out`, progress and problems to `err`."""

from rich.console import Console

out = Console()
err = Console(stderr=True)
