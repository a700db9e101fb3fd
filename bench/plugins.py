"""Find the one-file plug-ins of a package: strategies, audits, tasks."""

import hashlib
import os
import sys
from collections.abc import Iterable
from importlib import import_module, util
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from .schema import BadInputError


def names(package: str) -> list[str]:
    """Return the sorted names of a package's plug-ins without importing any of them."""
    found = iter_modules(import_module(package).__path__)
    return sorted(m.name for m in found if not m.name.startswith("_"))


def load(package: str, name: str, folders: Iterable[Path] = ()) -> ModuleType:
    """Import the plug-in `name`: from the user's `folders` first, else from `package`.

    Raises
    ------
    BadInputError
        No file of that name exists (the message lists those that do), or it raises.
    """
    folders = list(folders)
    for folder in folders:
        if name.isidentifier() and (folder / f"{name}.py").is_file():  # no way out of it
            return _load_file(folder / f"{name}.py")
    known = names(package)
    if name not in known:
        known += [p.stem for folder in folders for p in sorted(folder.glob("[!_]*.py"))]
        kind = package.removeprefix("tunefair.")
        raise BadInputError(f"no {kind} named {name!r}; there are: {', '.join(known)}")
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
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if os.environ.get("TUNEFAIR_TRACEBACK"):
            raise
        said = f"{type(error).__name__}: {error}"
        raise BadInputError(f"{path}: {said}; TUNEFAIR_TRACEBACK=1 shows where") from error
    return module
