"""How large a file may become in memory: a few bytes can stand for a billion rows."""

from pathlib import Path

from ..schema import BadInputError

_ALWAYS = 64 * 2**20
MOST = 200
"""Times a file's size; random labels alone, the most repetitive of honest columns, reach 64."""


def check(path: Path, size: int) -> None:
    """Refuse a file that takes `size` bytes of memory, if that is out of proportion."""
    packed = path.stat().st_size
    if size > max(_ALWAYS, MOST * packed):
        raise BadInputError(
            f"{path}: {packed} bytes unpack to {size:.3g}, more than {MOST} times as many; "
            "write it without so much repetition, for example as CSV"
        )
