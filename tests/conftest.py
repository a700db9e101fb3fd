"""What every test may ask for."""

import os
from unittest import mock

import pytest
from hypothesis import settings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read once, when torch and numpy are imported
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach for the network

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("EXAMPLES", "20000")), print_blob=True
)
settings.register_profile("ci", derandomize=True)  # a merge is judged on the same examples
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="module", autouse=True)
def environment_of_the_module():
    """What a module's fixtures change in the environment ends with the module."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(autouse=True)
def environment_of_the_test():
    """The command line changes the environment of its process: no test sees another's changes."""
    with mock.patch.dict(os.environ):
        yield


@pytest.fixture(scope="module")
def task():
    """A tiny task; tests that need another size or text define their own."""
    from tests import _tiny  # imports torch, which most tests do without

    return _tiny.task(n=64)


@pytest.fixture(scope="module")
def tokens(task, tmp_path_factory):
    """The task's texts for the tiny BERT."""
    from tests import _tiny

    return _tiny.encoded(task, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """What people install, built from this checkout."""
    from tests import _wheel

    return _wheel.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def frozen_heap():
    """Cheap garbage collections in a module that trains a lot."""
    from tests import _tiny

    with _tiny.frozen_heap():
        yield
