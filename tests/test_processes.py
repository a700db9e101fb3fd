"""Reading within limits: whatever it does, the caller goes on and says why in one line."""

import os
import signal
import time

import pytest

from tunefair.environment import processes
from tunefair.environment.processes import Limits
from tunefair.schema import BadInputError

LIMITS = Limits(seconds=120, memory_bytes=2**30)


def fills_memory():
    return len(bytearray(2**33))


def refuses():
    raise BadInputError("model.source = 'x': not ours")


class Panic(BaseException):
    """As the tokenizers' panics are."""


def panics():
    os.write(2, b"thread '<unnamed>' panicked\n")
    raise Panic("called `Option::unwrap()` on a `None` value")


WAYS = {
    "memory": (fills_memory, (), "x: reading it takes more than 1.0 GiB of memory; it is refused"),
    "refuses": (refuses, (), "model.source = 'x': not ours"),
    "panics": (panics, (), "x: Panic: called `Option::unwrap"),
    "aborts": (os.abort, (), "x: reading it takes more than 1.0 GiB of memory; it is refused"),
    "leaves": (os._exit, (0,), "x: the process that reads it ended with exit code 0"),
    "killed": (signal.raise_signal, (signal.SIGKILL,), "ended with exit code -9; it is refused"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_end_is_one_line(way, capfd):
    function, arguments, message = WAYS[way]
    with pytest.raises(BadInputError) as refused:
        processes.limited(function, *arguments, limits=LIMITS, where="x")
    assert message in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1
    assert capfd.readouterr() == ("", "")


def test_a_result_comes_back_and_what_takes_too_long_is_ended():
    assert processes.limited(pow, 2, 10, limits=LIMITS, where="x") == 1024
    began = time.monotonic()
    short = Limits(seconds=3, memory_bytes=2**30)
    with pytest.raises(BadInputError, match="x: reading it takes more than 3 s; it is refused"):
        processes.limited(time.sleep, 600, limits=short, where="x")
    assert time.monotonic() - began < 120
