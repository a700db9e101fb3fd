"""What a person sees while texts are classified: a bar on a terminal, elsewhere nothing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress


@contextmanager
def bar(console: Console, words: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many texts are done; the function given is told, with how many there are."""
    with Progress(console=console, disable=not console.is_terminal, transient=True) as shown:
        line = shown.add_task(words, total=None)
        yield lambda done, of: shown.update(line, completed=done, total=of)
