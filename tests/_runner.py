"""As much of GitHub's runner as our Action needs: contexts, outputs, scripts, no network."""

import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
GH = """#!/usr/bin/env bash
echo "$@" >> "$GH_LOG"
if [ -n "$GH_REFUSES" ]; then echo "HTTP 403: Resource not accessible" >&2; exit 1; fi
if [ "$2" = --paginate ]; then echo "$GH_COMMENTS"; fi
"""
PULL_REQUEST = {
    "github.event_name": "pull_request",
    "github.event.pull_request.number": "7",
    "github.event.pull_request.head.repo.full_name": "they/theirs",
    "github.repository": "they/theirs",
    "github.actor": "somebody",
    "github.token": "none",
    "github.action_path": str(ROOT),
    "runner.os": "Linux",
    "runner.arch": "X64",
}


@dataclass(kw_only=True)
class Job:
    """A job in somebody's repository that uses the Action."""

    workspace: Path
    temp: Path
    variables: dict[str, str]
    """Of the environment: where pip finds the wheel and the dependencies."""
    python: str
    context: dict[str, str] = field(default_factory=lambda: dict(PULL_REQUEST))
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Actions of others that would have been used, and with what."""
    log: str = ""
    installed: Path | None = None
    """The command where the Action's own step need not install it again."""

    def __post_init__(self) -> None:
        """Put a `gh` on the path that only writes down how it was called."""
        (self.temp / "bin").mkdir(parents=True)
        gh = self.temp / "bin" / "gh"
        gh.write_text(GH)
        gh.chmod(0o755)
        self.context["runner.temp"] = str(self.temp)
        self.context["steps.python.outputs.python-path"] = self.python

    def run(self, **inputs: str) -> int:
        """Run all steps; return the exit code of the one that failed, else 0.

        An input's name is written with _ for -.
        """
        given = {name.replace("_", "-"): value for name, value in inputs.items()}
        assert given.keys() <= ACTION["inputs"].keys()
        for name, about in ACTION["inputs"].items():
            self.context[f"inputs.{name}"] = given.get(name, self.value(about["default"]))
        for step in ACTION["runs"]["steps"]:
            there = self.installed and step.get("id") == "install"
            if there or not self._wanted(step.get("if", "")):
                continue
            if "uses" in step:
                with_ = {k: self.value(str(v)) for k, v in step["with"].items()}
                self.used.append((step["uses"].split("@")[0], with_))
            elif code := self._script(step):
                return code
        return 0

    def value(self, text: str) -> str:
        """Return a text with the expressions in it replaced; what is not known is empty."""
        return re.sub(r"\$\{\{ ([\w.-]+) \}\}", lambda m: self.context.get(m[1], ""), text)

    def _wanted(self, condition: str) -> bool:
        inside = condition.removeprefix("${{ ").removesuffix(" }}")
        pairs = [part.split(" == ") for part in inside.split(" && ")] if inside else []
        return all(self.context.get(name, "") == value.strip("'") for name, value in pairs)

    def _script(self, step: dict[str, Any]) -> int:
        script, outputs = self.temp / "script", self.temp / "outputs"
        script.write_text(step["run"])
        outputs.write_text("")
        variables = {k: self.value(str(v)) for k, v in step.get("env", {}).items()}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.workspace,
            env={
                "PATH": f"{self.temp / 'bin'}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.temp),
                "RUNNER_TEMP": str(self.temp),
                "GITHUB_ACTIONS": "true",
                "GITHUB_OUTPUT": str(outputs),
                "GITHUB_STEP_SUMMARY": str(self.temp / "summary.md"),
                "GH_LOG": str(self.temp / "gh.log"),
                **self.variables,
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.log += done.stdout
        for line in outputs.read_text().splitlines():
            name, value = line.split("=", 1)
            self.context[f"steps.{step['id']}.outputs.{name}"] = value
        return done.returncode
