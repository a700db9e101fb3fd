"""What a person can fix is refused in one line, exit code 2, before anything is trained."""

import json
import sys

import pytest

from tests import _house
from tunefair.cli import app

NO_GROUPS = ('groups = ["group"]\n', "")
STRATEGIES = "[strategies.full]"


@pytest.fixture
def refused(tmp_path, capsys, monkeypatch):
    """Run the small suite with something changed; return the line that refuses it."""
    suite = _house.build(tmp_path)

    def run(*changes):
        text = suite.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new, 1)
        suite.write_text(text)
        monkeypatch.setattr(
            sys, "argv", ["tunefair", "run", str(suite), "--runs", str(tmp_path / "runs")]
        )
        with pytest.raises(SystemExit) as ended:
            app.main()
        said = capsys.readouterr().err.strip()
        assert ended.value.code == 2, said
        *before, refusal = said.splitlines()
        assert all(line.startswith(("to be trained: ", "how long ")) for line in before)
        assert not list(tmp_path.glob("runs/*/cells/[!.]*"))  # a draft is no cell
        return refusal

    return run


def strategy(name):
    return STRATEGIES, f'{STRATEGIES}\n[strategies."{name}"]'


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lora+head_only", "lora and head_only both choose 'adapt'"),
        ("balanced+jtt", "balanced and jtt both choose 'sampling_weights'"),
        ("temperature+erase", "temperature and erase both choose 'revise'"),
        ("full+full", "names a strategy twice"),
        ("nonsense", "no strategies named 'nonsense'"),
        ("counterfactual_augmentation", "has no view that keeps the label"),
    ],
)
def test_strategies_that_cannot_be(name, said, refused):
    assert said in refused(strategy(name))


@pytest.mark.parametrize("name", ["balanced", "jtt+erase", "group_temperature"])
def test_groups_that_the_task_lacks(name, refused):
    own = ('[strategies."lora+weighted"]\nlora = { rank = 4 }\n', "")
    assert f"strategies.{name}: needs groups" in refused(NO_GROUPS, own, strategy(name))


def test_an_attribute_that_the_task_lacks(refused):
    said = refused(("seeds = [0, 1]", 'seeds = [0, 1]\nattribute = "age"'))
    assert "attribute = 'age': task 'planted' has group" in said


@pytest.mark.parametrize("name", ["equalized_odds_threshold", "lora+demographic_parity_threshold"])
def test_a_group_to_revise_that_validation_lacks(name, refused, tmp_path):
    rows = (tmp_path / "planted.csv").read_text().splitlines()
    last = rows[-1].split(",")
    assert last[4] == "test"
    rows[-1] = ",".join([*last[:3], "newcomers", last[4]])
    (tmp_path / "planted.csv").write_text("\n".join(rows))
    assert f"strategies.{name}: validation has no group 'newcomers'" in refused(strategy(name))


@pytest.mark.parametrize(
    ("terms", "kept", "said"),
    [
        ({"nowhere": "else"}, (), "view 'words': its terms occur in no row"),
        ({"north": "south"}, ("word",), "label_kept_in: 'word' is no view of the lexicon"),
        ({"north": "south"}, (), "has no view that keeps the label"),
    ],
)
def test_a_lexicon_that_is_of_no_use(terms, kept, said, refused, tmp_path):
    (tmp_path / "l.json").write_text(json.dumps({"words": terms}))
    lexicon = f'id = "id"\nlexicon = "l.json"\nlabel_kept_in = {json.dumps(kept)}'
    assert said in refused(('id = "id"', lexicon), strategy("counterfactual_augmentation"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('source = "files"\npath = "planted.csv"', 'source = "hub"\nname = "a/b"'), "40-digit"),
        (('split = "split"', 'splits = "split"'), "splits: unknown key"),
        (("amount = 6", "amount = 0"), "amount = 0"),
    ],
)
def test_a_source_or_budget_that_cannot_be(change, said, refused):
    unsplit = [('split = "split"\n', "")] if "hub" in change[1] else []
    assert said in refused(change, *unsplit)


def test_a_hub_model_without_a_revision(refused, tmp_path):
    text = (tmp_path / "small.toml").read_text()
    source = next(
        line for line in text.splitlines() if line.startswith("source") and "files" not in line
    )
    assert "revision" in refused((source, 'source = "bert-base-uncased"'))


def test_a_first_stage_that_the_budget_does_not_pay(refused):
    said = refused(strategy("jtt"), ("[strategies.full]\n", ""), ("amount = 6", "amount = 2"))
    assert "budget: 0.6 steps do not pay for one step" in said


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        ("counterfactual", "'counterfactual' needs changed texts (views), of which task"),
        ("flips", "'flips' needs answers of a model before"),
    ],
)
def test_an_audit_that_nothing_here_could_answer(audit, said, refused):
    line = refused(('"trade_off"]', f'"trade_off", "{audit}"]'))
    assert said in line
    assert "leave the audit out" in line
