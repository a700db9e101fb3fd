"""The modules answer what the audits answer, loaded by path as by import."""

from dataclasses import replace
from pathlib import Path

import evaluate
import numpy as np
import pytest

import tunefair
from tests._evidence import evidence
from tunefair.evaluate_modules.calibration.calibration import Calibration
from tunefair.evaluate_modules.group_fairness.group_fairness import GroupFairness
from tunefair.measuring.measure import measure
from tunefair.schema import AuditSettings

FOLDER = Path(tunefair.__file__).parent / "evaluate_modules"
MODULES = {"calibration": Calibration, "group_fairness": GroupFairness}


@pytest.fixture(scope="module", autouse=True)
def offline(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("evaluate.config.HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        patch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
        yield


@pytest.mark.parametrize("loaded", ["by path", "by import"])
@pytest.mark.parametrize("name", MODULES)
def test_the_module_answers_as_the_audit_does(name, loaded, tmp_path):
    made = evidence(300, seeds=(0,))
    p = replace(made.test[0], groups={"group": made.test[0].groups["source"]})
    cache = {"cache_dir": str(tmp_path)}
    by_path = evaluate.load(str(FOLDER / name), **cache) if loaded == "by path" else None
    module = MODULES[name](**cache) if by_path is None else by_path
    given = {"predictions": p.probability, "references": p.label}
    if name == "group_fairness":
        given |= {"predictions": p.prediction, "groups": p.groups["group"]}
    else:
        p = replace(p, groups={})
    # the group module is given no probabilities, as the audit is not
    p = replace(p, probability=None) if name == "group_fairness" else p
    alone = replace(made, test=(p,), validation=())
    rows = measure([alone], AuditSettings(replicates=50), audits=[name]).measurements
    expected = {
        (m.metric if m.group in ("", "gap") else f"{m.metric}/{m.group}", part): getattr(m, part)
        for m in rows
        if m.seed is None
        for part in ("value", "low", "high", "n")
    }
    got = module.compute(**given, replicates=50)
    said = {(key, part): got[key][part] for key in got for part in ("value", "low", "high", "n")}
    assert said == pytest.approx(expected, nan_ok=True)
    assert all(("undefined" in row) == np.isnan(row["value"]) for row in got.values())
    assert {"equalized_odds_difference", "expected_calibration_error"} & set(got)
