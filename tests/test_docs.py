"""The documentation: it builds strictly, fetches nothing, and names only what there is."""

import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest
import typer

from docs import _site
from tunefair.cli import app
from tunefair.suite import Suite

ROOT = Path(__file__).parent.parent
PAGES = sorted(p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs").rglob("*.md"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built as `make docs` does."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("page", PAGES)
def test_every_page_is_there_and_fetches_nothing(site, page):
    html = (site / page).with_suffix(".html")
    if page.endswith("README.md"):
        html = html.with_name("index.html")
    text = html.read_text()
    assert "<h1" in text
    assert not re.findall(r"""<(?:script|img|iframe)[^>]+src=["']?(?:https?:)?//""", text)
    assert not re.findall(r"""<link[^>]+rel="stylesheet"[^>]+href="(?:https?:)?//""", text)


def test_the_menu_lists_every_page():
    menu = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text())
    assert sorted(menu) == PAGES


def test_the_reference_lists_every_key_of_a_suite(site):
    text = (site / "suites.html").read_text()
    for _, record in _site.records(Suite):
        for name, field in record.model_fields.items():
            if field.description and not _site._record_in(field.annotation):
                assert f"<code>{name}</code>" in text, name


def commands():
    """Every line in a code block of the docs and README that calls tunefair."""
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"):
        for line in page.read_text().splitlines():
            if line.startswith(("    tunefair ", "    .venv/bin/tunefair ")):
                yield pytest.param(line.strip(), id=f"{page.name}: {line.strip()[:60]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_in_the_docs_can_be_parsed(line):
    """Verbs and options exist; whether files do is another test's."""
    words = shlex.split(line.split("#")[0].replace("…", ""), posix=True)[1:]
    words = [word for word in words if word not in {"|", ">"}]
    group = typer.main.get_command(app.app)
    verb = group.get_command(None, words[0])
    assert verb is not None, words[0]
    known = {option for one in verb.params for option in (*one.opts, *one.secondary_opts)}
    used = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
    assert used <= known | {"--help"}, used - known


def test_the_example_of_a_suite_is_one():
    page = (ROOT / "docs" / "suites.md").read_text()
    block = re.search(r"## A suite with every part\n\n((?:    .*\n|\n)+)", page)
    suite = Suite.model_validate(tuples(tomllib.loads(textwrap.dedent(block[1]))))
    assert list(suite.strategies) == ["full", "lora", "both"]


def tuples(content):
    """TOML arrays as tuples, as `suite.read` makes them."""
    if isinstance(content, dict):
        return {key: tuples(value) for key, value in content.items()}
    return tuple(map(tuples, content)) if isinstance(content, list) else content
