"""The command `tunefair`, and `python -m tunefair`.

Both import nothing from the current directory; this file runs before every other import of ours.
But `python -m tunefair` runs a `tunefair.py` that lies there, before a line of this is read: the
command does not, nor does `python -P -m tunefair`. What else holds is in docs/decisions/0006.
"""

import os
import sys


def main() -> None:
    """Leave the current directory out of what is imported from, then run the command line."""
    if sys.flags.ignore_environment and not sys.flags.safe_path:
        # Our workers are told by PYTHONSAFEPATH, which -E ignores; -P is handed on to them.
        os.execv(sys.executable, [sys.executable, "-P", *sys.orig_argv[1:]])
    _leave_out_the_current_directory()
    from .cli.app import main as command_line

    command_line()


def _leave_out_the_current_directory() -> None:
    """Drop entries of PYTHONPATH that mean it without naming it, here and for our processes.

    An empty entry does ("$PYTHONPATH:/mine" where the variable was not set), and so does ".".
    An absolute path is what somebody asked for and stays.
    """
    given = os.environ.get("PYTHONPATH", "")
    entries = given.split(os.pathsep) if given else []
    named = [e for e in entries if os.path.isabs(e) or not _is_here(e)]
    if named == entries:
        return
    os.environ["PYTHONPATH"] = os.pathsep.join(named)
    ours = os.path.dirname(os.path.dirname(__file__))
    keep = {os.path.realpath(e) for e in (*named, ours)}
    sys.path[:] = [e for e in sys.path if not _is_here(e) or os.path.realpath(e) in keep]


def _is_here(entry: str) -> bool:
    try:
        return os.path.samefile(entry or os.curdir, os.curdir)
    except OSError:  # the one or the other is gone
        return False


if __name__ == "__main__":
    if not sys.flags.safe_path:  # `-m` puts the current directory first
        del sys.path[0]
    main()
