"""A gate's answer for machines: JSON, JUnit XML and SARIF."""

import datetime
from collections.abc import Sequence
from itertools import groupby
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree as ET

from ..reporting import inert
from ..storage import files
from . import rules
from .summary import name
from .verdicts import Judgement, Verdict

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)


def json(judgement: Judgement) -> str:
    """Return everything: outcome, exit code, rules, verdicts, notes."""
    return files.to_json(
        {
            "outcome": judgement.outcome,
            "exit_code": judgement.exit_code,
            "rules": [rule.model_dump() for rule in judgement.rules],
            "verdicts": judgement.verdicts,
            "notes": judgement.notes,
        }
    )


def junit(judgement: Judgement, now: datetime.datetime) -> str:
    """Return JUnit XML: a suite a rule, a test case for each number that the rule is about.

    Fail is a failure, so is an inconclusive verdict that blocks; not comparable is an error; an
    inconclusive verdict that does not block is skipped. Valid by the schemas of Apache Ant and of
    Jenkins, which ask for a time and a host.
    """
    root = ET.Element("testsuites")
    by_rule = sorted(judgement.verdicts, key=lambda v: v.rule)
    for index, (number, group) in enumerate(groupby(by_rule, key=lambda v: v.rule)):
        verdicts = list(group)
        kinds = [_kind(v) for v in verdicts]
        rule = rules.describe(judgement.rules[number - 1]) if number else "run"
        suite = ET.SubElement(
            root,
            "testsuite",
            name=inert.line(f"{number} {rule}"),
            package="tunefair.gate",
            id=str(index),
            tests=str(len(verdicts)),
            failures=str(kinds.count("failure")),
            errors=str(kinds.count("error")),
            skipped=str(kinds.count("skipped")),
            time="0",
            timestamp=now.strftime("%Y-%m-%dT%H:%M:%S"),
            hostname="localhost",
        )
        ET.SubElement(suite, "properties")
        for verdict, kind in zip(verdicts, kinds, strict=True):
            _case(suite, verdict, kind)
        ET.SubElement(suite, "system-out")
        ET.SubElement(suite, "system-err")
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ET.Element, verdict: Verdict, kind: str) -> None:
    owner = inert.line(f"tunefair.gate.{verdict.strategy or 'run'}")
    case = ET.SubElement(
        suite, "testcase", name=inert.line(name(verdict)), classname=owner, time="0"
    )
    if kind:
        about = inert.line(f"{verdict.outcome}: {verdict.reason}")
        ET.SubElement(case, kind, type=verdict.outcome, message=about).text = inert.line(
            verdict.reason
        )


def _kind(verdict: Verdict) -> str:
    if verdict.outcome == "inconclusive":
        return "failure" if verdict.blocks else "skipped"
    return {"fail": "failure", "not comparable": "error"}.get(verdict.outcome, "")


def sarif(judgement: Judgement, artifact: str) -> str:
    """Return SARIF 2.1.0: a result for each verdict that is no pass.

    `artifact` is the path that results point to, relative to the repository.
    """
    shown = [v for v in judgement.verdicts if v.outcome != "pass"]
    known = list(dict.fromkeys(_rule_id(v) for v in shown))
    log = {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tunefair gate",
                        "rules": [_rule(judgement, shown, i) for i in known],
                    }
                },
                "results": [_result(v, known, artifact) for v in shown],
            }
        ],
    }
    return files.to_json(log)


def _rule_id(verdict: Verdict) -> str:
    return f"gate/{verdict.rule}" if verdict.rule else "gate/run"


def _rule(judgement: Judgement, shown: Sequence[Verdict], rule_id: str) -> dict[str, Any]:
    verdict = next(v for v in shown if _rule_id(v) == rule_id)
    words = rules.describe(judgement.rules[verdict.rule - 1]) if verdict.rule else verdict.metric
    return {"id": rule_id, "shortDescription": {"text": inert.unlinked(words)}}


def _result(verdict: Verdict, known: list[str], artifact: str) -> dict[str, Any]:
    level = "warning" if verdict.outcome == "inconclusive" and not verdict.blocks else "error"
    about = f"{verdict.strategy}: " if verdict.strategy else ""
    text = f"{verdict.outcome}: {about}{name(verdict)}: {verdict.reason}"
    location = {"artifactLocation": {"uri": quote(artifact)}, "region": {"startLine": 1}}
    return {
        "ruleId": _rule_id(verdict),
        "ruleIndex": known.index(_rule_id(verdict)),
        "level": level,
        "message": {"text": inert.unlinked(text)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {
            "tunefair/v1": "/".join((verdict.strategy, *map(str, verdict.place)))
        },
    }
