"""Pushing an export to a hub on loopback, by a process of its own."""

import os
import subprocess
import sys

import pytest

from tests import _hub
from tunefair.exporting import push
from tunefair.schema import BadInputError
from tunefair.storage import files

PUSH = """
import sys
from pathlib import Path
from tunefair.exporting.push import push
from tunefair.schema import BadInputError
try:
    print(push(Path(sys.argv[1]), sys.argv[2], public=sys.argv[3] == "public"))
except BadInputError as error:
    print(error)
    sys.exit(2)
"""
CONTENT = {"model.safetensors": "weights", "config.json": "{}", "README.md": "# a model\n"}


@pytest.fixture
def folder(tmp_path):
    def fill(draft):
        for name, text in CONTENT.items():
            files.write(draft / name, text)

    files.write_sealed(tmp_path / "model", fill)
    return tmp_path / "model"


@pytest.fixture(scope="module")
def hub():
    with _hub.running("hf_secret") as running:
        yield running


def pushed(hub, folder, name, how="private", token="hf_secret"):
    env = os.environ | {"HF_ENDPOINT": hub.url, "HF_TOKEN": token, "HF_HUB_OFFLINE": "0"}
    return subprocess.run(
        [sys.executable, "-c", PUSH, folder, name, how],
        capture_output=True, text=True, check=False, env=env | {"HF_HOME": str(folder.parent)},
    )  # fmt: skip


def test_a_push_is_private_whole_and_one_commit_and_can_be_repeated(hub, folder):
    done = pushed(hub, folder, "me/first")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == f"{hub.url}/me/first"
    assert hub.private["me/first"]
    held = {name: content.decode() for name, content in hub.files["me/first"].items()}
    assert held == CONTENT | {files.SEAL: (folder / files.SEAL).read_text()}
    assert len(hub.commits) == 1
    again = pushed(hub, folder, "me/first")
    assert again.returncode == 0, again.stdout + again.stderr


def test_a_public_repository_is_not_pushed_to_by_accident(hub, folder):
    hub.private["me/open"], hub.files["me/open"] = False, {}
    done = pushed(hub, folder, "me/open")
    assert done.returncode == 2
    assert "is public; add --public" in done.stdout
    assert hub.files["me/open"] == {}
    assert pushed(hub, folder, "me/open", "public").returncode == 0
    assert hub.files["me/open"].keys() == {*CONTENT, files.SEAL}


def test_labels_of_validation_are_never_made_public(hub, folder):
    (folder / "revision.json").write_text("{}")
    done = pushed(hub, folder, "me/labels", "public")
    assert done.returncode == 2
    assert "holds labels and groups of the validation rows" in done.stdout
    assert "me/labels" not in hub.private
    assert pushed(hub, folder, "me/labels").returncode == 0


def test_what_a_hub_refuses_is_one_line_without_the_token(hub, folder):
    done = pushed(hub, folder, "me/other", token="hf_wrong")
    assert done.returncode == 2
    assert len(done.stdout.strip().splitlines()) == 1
    assert "can be pushed again" in done.stdout
    assert "hf_wrong" not in done.stdout + done.stderr
    assert "me/other" not in hub.private
    assert files.is_sealed(folder)


@pytest.mark.parametrize("name", ["model", "a/b/c", "../x", "me/", "me/a b"])
def test_what_is_no_repository_is_refused_before_any_work(name, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with pytest.raises(BadInputError, match="give OWNER/NAME"):
        push.check(name)


def test_without_a_token_nothing_is_begun(monkeypatch):
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(BadInputError, match="set HF_TOKEN"):
        push.check("me/model")
