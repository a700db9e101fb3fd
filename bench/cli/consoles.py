"""Where the command line prints: numbers and answers to `out`, progress and problems to `err`."""

from ..reporting import inert

out = inert.console()
err = inert.console(stderr=True)
