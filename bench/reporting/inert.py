"""Names of other people made harmless, for every output: terminal, logs, formats, Markdown.

A name of a strategy, group or class, a column or a path may hold anything: a line break, an escape
sequence of a terminal, marks that turn the direction of text, a command to the service that runs a
job, or what GitHub makes a mention or a link of. Here it is made text that is only shown.
"""

import html
import re
import unicodedata
from collections.abc import Iterable, Iterator

from rich.console import (
    Console,
    ConsoleOptions,
    ConsoleRenderable,
    RenderableType,
    RenderHook,
    RenderResult,
)
from rich.segment import Segment

BREAK = "\u200b"
"""A zero-width space: it is not seen, and parts what would be read as one thing."""
_JOINERS = "\u200b\u200c\u200d"
"""Zero-width characters that only shape the text around them: emoji and some scripts need them."""
_COMMANDS = re.compile(r"(?<=:)(?=:)|(?<=#)(?=#)|(?<=#)(?=\[)")
"""`::error::` and `##[error]` of GitHub, `##vso[` of Azure, `##teamcity[`."""
_LINKS = re.compile(
    r"(?<=[@#!$&~%^])(?=\w)"  # mentions, issues, and what else GitLab links
    r"|(?<=GH-)(?=\d)"
    r"|(?<=:)(?=//)"
    r"|(?<=www)(?=\.)"
    r"|(?<=mailto)(?=:)|(?<=xmpp)(?=:)"
    r"|(?<=:)(?=[\w+-]+:)"  # :emoji:
    r"|(?<=\])(?=\()"  # a link of SARIF's plain text
    r"|(?<=\{)(?=\d)",  # a placeholder of SARIF
    re.IGNORECASE,
)
_ACTIVE = re.compile(r"([\\`*_{}\[\]#|~$])")


def line(text: str) -> str:
    r"""Return text on one line that no terminal, log or XML parser obeys.

    White space becomes single spaces. A control or direction mark is shown as its escape:
    "\x1b", "\u202e".
    """
    flat = re.sub(r"\s+", " ", text)
    shown = "".join(c if _is_shown(c) else repr(c)[1:-1] for c in flat)
    return _COMMANDS.sub(BREAK, shown)


def _is_shown(character: str) -> bool:
    shown = character.isprintable() or character in _JOINERS
    return shown or unicodedata.category(character) == "Zs"


def unlinked(text: str) -> str:
    """Return a line in which no service finds a mention, an issue or an address."""
    return _LINKS.sub(BREAK, line(text))


def markdown(text: str) -> str:
    """Return a line that GitHub's Markdown shows as it is."""
    return _ACTIVE.sub(r"\\\1", html.escape(unlinked(text), quote=False))


def command_value(text: str, *, title: bool = False) -> str:
    """Return a value of GitHub's workflow command: its message or its `title`."""
    value = line(text)
    for character in "%\r\n" + (":," if title else ""):
        value = value.replace(character, f"%{ord(character):02X}")
    return value


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints no control of others, whatever is handed to it."""
    made = Console(stderr=stderr)
    made.push_render_hook(_Hook())
    return made


class _Hook(RenderHook):
    """Makes everything harmless that a console is to print."""

    def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
        """Return the same, each made harmless when it is rendered."""
        return [_Harmless(renderable) for renderable in renderables]


class _Harmless:
    """Something to be printed, its text made harmless piece by piece."""

    def __init__(self, content: RenderableType) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield its segments; rich's own controls are kept."""
        yield from _harmless(console.render(self._content, options))


def _harmless(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Yield segments without controls in their text, and without a command where a line begins."""
    begins = True
    for segment in segments:
        if segment.control:
            yield segment
            continue
        text = "".join(c if c == "\n" or _is_shown(c) else "\ufffd" for c in segment.text)
        text = "\n".join(
            _without_command(part, begins or number > 0)
            for number, part in enumerate(text.split("\n"))
        )
        last = text.rpartition("\n")[2]
        begins = not last.strip() and (begins or "\n" in text)
        yield Segment(text, segment.style)


def _without_command(part: str, begins: bool) -> str:
    """Break a command in a piece of a line; a colon begins one only where the line begins."""
    if begins:
        part = re.sub(r"^(\s*:)", rf"\1{BREAK}", part)
    return part.replace("##", f"#{BREAK}#").replace("#[", f"#{BREAK}[")
