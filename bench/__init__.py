"""Compare fine-tuning strategies under fixed budgets, and audit what they learned."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api.results import GateResults as GateResults
    from .api.results import Results as Results
    from .api.verbs import audit as audit
    from .api.verbs import compare as compare
    from .api.verbs import gate as gate
    from .api.verbs import load as load
    from .api.verbs import run as run
    from .audit import Audit as Audit
    from .schema import BadInputError as BadInputError
    from .strategy import Objective as Objective
    from .strategy import Strategy as Strategy
    from .task import TaskSource as TaskSource

__version__ = "0.1.0"
_FACE = {
    "Audit": "audit",
    "BadInputError": "schema",
    "GateResults": "api.results",
    "Objective": "strategy",
    "Results": "api.results",
    "Strategy": "strategy",
    "TaskSource": "task",
    "audit": "api.verbs",
    "compare": "api.verbs",
    "gate": "api.verbs",
    "load": "api.verbs",
    "run": "api.verbs",
}
__all__ = sorted(_FACE)
_BOTH = ("audit", "run")
"""Verbs that are modules too."""


class _Verb(ModuleType):
    """A module that can be called: `tunefair.audit` holds the contract of audits and is a verb."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        verb = getattr(import_module("tunefair.api.verbs"), self.__name__.rpartition(".")[2])
        return verb(*arguments, **options)


class _Face(ModuleType):
    """The package as people import it: its names are loaded when they are first used."""

    def __getattr__(self, name: str) -> Any:
        if name not in _FACE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name in _BOTH:
            return import_module(f".{name}", __name__)
        value = getattr(import_module(f".{_FACE[name]}", __name__), name)
        super().__setattr__(name, value)
        return value

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _BOTH:
            value.__class__ = _Verb
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *_FACE})


sys.modules[__name__].__class__ = _Face
