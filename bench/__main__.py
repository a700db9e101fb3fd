"""`python -m tunefair`: the command line, which imports nothing from the current directory."""

import sys

if not sys.flags.safe_path:  # `-m` puts the current directory first: a torch.py there is not ours
    del sys.path[0]

from .cli.app import main

if __name__ == "__main__":
    main()
