"""Find the one-file plug-ins of a package (strategies, audits, tasks) and check their options."""

import ast
import hashlib
import inspect
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, Field, fields
from importlib import import_module, util
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, ValidationError, create_model
from pydantic import Field as PydanticField

from .schema import BadInputError
from .suite import problems

Kind = TypeVar("Kind")
_SIGNALLED = (128 + signal.SIGINT, 128 + signal.SIGTERM)
"""Exit codes of a process that a signal ends."""


def names(package: str, folders: Iterable[Path] = ()) -> list[str]:
    """Return the sorted names of a package's plug-ins, then those of the user's `folders`.

    None of them is imported.
    """
    modules = iter_modules(import_module(package).__path__)
    shipped = sorted(m.name for m in modules if not m.name.startswith("_"))
    own = [path.stem for folder in folders for path in sorted(folder.glob("[!_]*.py"))]
    return list(dict.fromkeys([*shipped, *own]))


def find(package: str, name: str, kind: type[Kind], folders: Iterable[Path] = ()) -> type[Kind]:
    """Return the one subclass of `kind` that the plug-in's file defines.

    The user's `folders` are searched first, then the package.

    Raises
    ------
    BadInputError
        No file of that name exists (the message lists those that do), importing it raises, or it
        does not define exactly one such class with all that the contract asks for.
    """
    module = _module(package, name, list(folders))
    where = f"{package.removeprefix('tunefair.')}/{name}.py"
    classes = [
        item
        for _, item in inspect.getmembers(module, inspect.isclass)
        if issubclass(item, kind) and item.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise BadInputError(f"{where} must define one {kind.__name__}, not {len(classes)}")
    if missing := sorted(getattr(classes[0], "__abstractmethods__", ())):
        raise BadInputError(f"{where}: {classes[0].__name__} has no `{missing[0]}`")
    return classes[0]


def with_options(
    kind: type[Kind], options: Any, *, where: str, given: Mapping[str, Any] | None = None
) -> Kind:
    """Return a plug-in with its options, typed strictly so that a typo is refused.

    Parameters
    ----------
    kind : a dataclass; its fields are the options
    options : what the suite says
    where : the key in the suite, for messages
    given : fields that we set; a suite that names one is refused

    Raises
    ------
    BadInputError
        An unknown option, or a value of another type or out of range.
    """
    given = given or {}
    types = get_type_hints(kind, include_extras=True)
    known = {f.name: (types[f.name], _default(f)) for f in _fields(kind) if f.name not in given}
    strict = ConfigDict(extra="forbid", strict=True, validate_default=True)
    try:
        record = create_model(kind.__name__, __config__=strict, **known)  # type: ignore[call-overload]
        return kind(**dict(record.model_validate(options)), **given)
    except ValidationError as error:
        raise BadInputError(f"{where}: {problems(error)} (options: {', '.join(known)})") from None
    except ValueError as error:
        raise BadInputError(f"{where}: {error}") from None
    except Exception as error:  # a plug-in's own `__post_init__` raises anything
        raise BadInputError(f"{where}: {type(error).__name__}: {error}") from None


def options_of(kind: type, without: Sequence[str] = ()) -> list[str]:
    """Return a line for each option of a plug-in, those that must be given first."""
    known = [option for option in _fields(kind) if option.name not in without]
    known.sort(key=_has_default)
    return [_written(option) for option in known]


def _has_default(option: "Field[Any]") -> bool:
    return option.default is not MISSING or option.default_factory is not MISSING


def _written(option: "Field[Any]") -> str:
    if option.default_factory is not MISSING:
        return f"{option.name} = {option.default_factory()!r}"
    if not _has_default(option):
        return f"{option.name} (must be given)"
    return f"{option.name} = {option.default!r}"


def _fields(kind: type) -> "tuple[Field[Any], ...]":
    return fields(kind)


def _default(option: "Field[Any]") -> Any:
    """Return a dataclass field's default in pydantic's terms."""
    if option.default_factory is not MISSING:
        return PydanticField(default_factory=option.default_factory)
    return option.default if _has_default(option) else ...


def summary(package: str, name: str) -> str:
    """Return the first line of a shipped plug-in's docstring without importing it."""
    spec = util.find_spec(f"{package}.{name}")
    if spec is None or spec.origin is None:
        return ""
    file = Path(spec.origin)
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.split("\n", 1)[0]


@contextmanager
def exits_refused(where: str) -> Iterator[None]:
    """Turn `sys.exit` and `os._exit`, called meanwhile by somebody's code, into bad input.

    Else such a call would end the whole run, with the exit code of a run that went well.
    """
    leave, here = os._exit, os.getpid()

    def refuse(code: int) -> None:
        if os.getpid() != here:  # a child process that somebody forked ends as it should
            leave(code)
        sys.exit(code)

    vars(os)["_exit"] = refuse
    try:
        yield
    except SystemExit as end:
        if end.code in _SIGNALLED:
            raise
        raise BadInputError(f"{where}: its code ends the process (exit({end.code!r}))") from None
    finally:
        vars(os)["_exit"] = leave


def _module(package: str, name: str, folders: Sequence[Path]) -> ModuleType:
    for folder in folders:
        if name.isidentifier() and (folder / f"{name}.py").is_file():  # no way out of it
            return _load_file(folder / f"{name}.py")
    if name not in names(package):
        kind = package.removeprefix("tunefair.")
        known = ", ".join(names(package, folders))
        raise BadInputError(f"no {kind} named {name!r}; there are: {known}")
    return import_module(f"{package}.{name}")


def _load_file(path: Path) -> ModuleType:
    name = f"user_plugin_{path.stem}_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise BadInputError(f"{path} is not a Python file")
    module = sys.modules[name] = util.module_from_spec(spec)  # dataclasses look themselves up
    try:
        with exits_refused(str(path)):
            spec.loader.exec_module(module)
    except BadInputError:
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        if os.environ.get("TUNEFAIR_TRACEBACK"):
            raise
        reason = f"{type(error).__name__}: {error}"
        raise BadInputError(f"{path}: {reason}; TUNEFAIR_TRACEBACK=1 shows where") from error
    return module
