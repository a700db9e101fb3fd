"""A pytest fixture for people whose CI is pytest: `tunefair_gate(run, baseline)`."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .results import GateResults


@pytest.fixture
def tunefair_gate() -> "Callable[..., GateResults]":
    """Judge a run or a table of predictions as `tunefair.gate` does, and fail where it fails.

    Returns the gate's answer where nothing blocks; else the test fails with the verdicts.
    """

    def judge(*sides: Any, **options: Any) -> "GateResults":
        from .verbs import gate

        answer = gate(*sides, **options)
        if answer.exit_code:
            pytest.fail(str(answer), pytrace=False)
        return answer

    return judge
