"""What people paste into their CI: it parses, and calls flags that exist."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from tunefair.cli.app import app

ROOT = Path(__file__).parents[1]
FILES = (ROOT / "action.yml", *sorted((ROOT / "docs" / "ci").glob("*.yml")))


def scripts(node: object) -> list[str]:
    """Return every shell script in a workflow."""
    if isinstance(node, dict):
        own = [node[key] for key in ("run", "script") if key in node]
        flat = ["\n".join(s) if isinstance(s, list) else s for s in own if not isinstance(s, dict)]
        return flat + [s for value in node.values() for s in scripts(value)]
    return [s for item in node for s in scripts(item)] if isinstance(node, list) else []


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
class TestEveryFile:
    def test_parses_and_asks_the_gate(self, path):
        text = path.read_text()
        asks = ("tunefair gate", '"$TUNEFAIR" gate', "uses: tunefair/tunefair@")
        assert yaml.safe_load(text)
        assert any(words in text for words in asks)

    def test_calls_verbs_and_flags_that_exist(self, path):
        verbs = get_command(app).commands
        for script in scripts(yaml.safe_load(path.read_text())):
            for verb in re.findall(r"(?:/tunefair|TUNEFAIR\") (\w+) ", script):
                assert verb in verbs
        known = {option for verb in verbs.values() for p in verb.params for option in p.opts}
        text = re.sub(r"\\\n", "", path.read_text())
        text = re.sub(r"(gh api|-m pip|send=).*", "", text)
        assert set(re.findall(r"(?<![\w-])--[a-z-]+", text)) - {"--version"} <= known

    def test_scripts_are_bash(self, path):
        for script in scripts(yaml.safe_load(path.read_text())):
            made = subprocess.run(
                ["bash", "-n"], input=re.sub(r"\$\{\{.*?\}\}", "x", script), text=True, check=False
            )
            assert made.returncode == 0

    def test_names_inputs_that_the_action_has(self, path):
        inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
        for job in (yaml.safe_load(path.read_text()).get("jobs") or {}).values():
            for step in job["steps"]:
                if "tunefair/tunefair@" in step["uses"]:
                    assert set(step["with"]) <= set(inputs)

    def test_no_script_reads_an_input_as_code(self, path):
        assert not any("${{" in script for script in scripts(yaml.safe_load(path.read_text())))


def test_the_readme_is_read_at_a_sitting():
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 90
    assert max(map(len, lines)) <= 120


def test_links_of_the_docs_lead_somewhere():
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    for page in (*pages, *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
