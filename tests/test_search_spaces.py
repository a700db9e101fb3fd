"""What a search may change: declared where the option is, checked before anything is trained."""

import math
from pathlib import Path

import pytest

from tests import _house
from tunefair import plugins, suite
from tunefair.planning import compose
from tunefair.planning.identity import bare
from tunefair.planning.unspaced import unspaced
from tunefair.schema import BadInputError
from tunefair.suite import Suite, Tuning
from tunefair.tuning import spaces, trials
from tunefair.tuning.search import configurations


def of(strategies, tuning=None, **more):
    return Suite.model_validate(
        {
            "name": "s",
            "task": {"source": "planted"},
            "model": {"source": "m"},
            "budget": {"currency": "steps", "amount": 4},
            "strategies": strategies,
            "tuning": tuning or {},
        }
        | more
    )


def space(use, choice=None, tuning=None, **more):
    return spaces.of_suite(of({use: choice or {}}, tuning, **more), Path())[use]


def by_name(found):
    return {d.option: d for d in found.dimensions}


@pytest.mark.parametrize("name", plugins.names(compose.PACKAGE))
def test_every_strategy_has_a_learning_rate_to_search_and_its_space_is_allowed(name):
    rate = by_name(space(name))["learning_rate"]
    assert rate.low == pytest.approx(rate.default / 10)
    assert rate.high == pytest.approx(rate.default * 10)
    assert rate.log


def test_the_default_rate_is_that_of_the_suite_or_the_strategys_own():
    assert by_name(space("full"))["learning_rate"].default == 5e-5
    assert by_name(space("lora"))["learning_rate"].default == 1e-3


def test_a_composition_searches_one_learning_rate_and_the_options_of_all_parts():
    found = space("lora+focal")
    named = [(d.part, d.option) for d in found.dimensions]
    assert ("lora", "learning_rate") in named
    assert sum(option == "learning_rate" for _, option in named) == 1
    assert ("focal", "gamma") in named
    one = configurations(found, Tuning(trials=2), [])[1]
    assert compose.build("lora+focal", found.written(one))["lora"].rank >= 2


def test_an_option_that_the_suite_sets_is_searched_only_where_its_space_is_named():
    assert "rank" not in by_name(space("lora", {"rank": 4}))
    chosen = by_name(space("lora", {"rank": 4, "space": {"rank": {"choices": (2, 4)}}}))
    assert chosen["rank"].choices == (2, 4)
    assert chosen["rank"].default == 4


def test_a_suite_narrows_an_end_and_adds_an_option():
    found = by_name(
        space("lora", {"space": {"rank": {"high": 16}, "init": {"choices": ("lora", "pissa")}}})
    )
    assert (found["rank"].low, found["rank"].high, found["rank"].log) == (2, 16, True)
    assert found["init"].size == 2
    rate = by_name(space("full", {"space": {"learning_rate": {"high": 1e-4}}}))["learning_rate"]
    assert (rate.low, rate.high, rate.log) == (pytest.approx(5e-6), 1e-4, True)


REFUSED = {
    "no such option": ("full", {"width": {"low": 1, "high": 2}}, "full has no such option"),
    "out of bounds": (
        "lora",
        {"rank": {"low": 0, "high": 4, "log": False}},
        "rank = 0: Input should be",
    ),
    "a bad choice": ("lora", {"init": {"choices": ("x",)}}, "init = 'x'"),
    "upside down": ("lora", {"rank": {"low": 9, "high": 4}}, "high must not be below low"),
    "no whole number": ("lora", {"rank": {"low": 1.5, "high": 4}}, "give whole numbers"),
    "log of 0": ("lora", {"dropout": {"low": 0, "high": 0.2, "log": True}}, "begins above 0"),
    "both": ("lora", {"rank": {"low": 1, "choices": (1, 2)}}, "give choices, or a range"),
    "nothing": ("lora", {"rank": {}}, "give choices, or a range"),
    "one end": ("weighted", {"cap": {"low": 1}}, "give low and high, or choices"),
    "a typo": ("lora", {"rank": {"hihg": 4}}, "hihg: unknown key"),
    "a number": ("lora", {"rank": 4}, "strategies.lora.space.rank"),
    "a part": ("lora+weighted", {"rank": {"low": 1}}, "no part of 'lora\\+weighted'"),
    "a repeated choice": ("lora", {"rank": {"choices": (2, 2)}}, "a choice repeats"),
    "too few": ("full", {"learning_rate": {"choices": (1e-5, 1e-4)}}, "has 2 configurations"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_space_that_is_none_is_refused_in_one_line(what):
    use, said, words = REFUSED[what]
    with pytest.raises(BadInputError, match=words) as error:
        space(use, {"space": said})
    assert "\n" not in str(error.value)


def test_a_space_without_tuning_is_refused():
    suite_ = of({"lora": {"space": {"rank": {"high": 16}}}}).model_copy(update={"tuning": None})
    with pytest.raises(BadInputError, match=r"nothing is tuned here; add a table \[tuning\]"):
        spaces.of_suite(suite_, Path())


SAMPLERS = ("qmc", "random", "tpe")


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_configurations_repeat_on_every_call_stay_inside_and_differ(sampler):
    found = space("adversarial")
    tuning = Tuning(trials=8, sampler=sampler, seed=3)
    told = [0.1 * i for i in range(7)]
    first = configurations(found, tuning, told)
    assert first == configurations(found, tuning, told)
    assert first[0] == {}
    assert len(first) == 8
    assert len({repr(c) for c in first}) == 8
    for one in first[1:]:
        for d in found.dimensions:
            assert d.low <= one["adversarial"][d.option] <= d.high
    assert first != configurations(found, Tuning(trials=8, sampler=sampler, seed=4), told)


def test_a_model_of_the_trials_learns_and_knows_one_more_than_it_was_told():
    found, tuning = space("full"), Tuning(trials=12, sampler="tpe")
    assert len(configurations(found, tuning, [])) == 1
    assert len(configurations(found, tuning, [0.1, None])) == 3

    def drawn(told):
        return [c["full"]["learning_rate"] for c in configurations(found, tuning, told)[1:]]

    told = [0.0]
    while len(told) < 12:
        told.append(math.log(drawn(told)[-1]))  # the larger the better
    low = [0.0]
    while len(low) < 12:
        low.append(-math.log(drawn(low)[-1]))
    assert drawn(told)[:3] == drawn(low)[:3]  # what it knew of is the same
    assert sum(drawn(told)[4:]) > sum(drawn(low)[4:])


def test_a_finite_space_is_gone_through_without_repeating():
    found = space(
        "full",
        {"space": {"learning_rate": {"choices": tuple(range(1, 9))}}},
        {"trials": 8},
        training={"learning_rate": 1.0},
    )
    made = configurations(found, Tuning(trials=8), [])
    assert sorted(c.get("full", {"learning_rate": 1})["learning_rate"] for c in made) == list(
        range(1, 9)
    )


def test_without_anything_to_tune_trials_are_other_seeds():
    found = space("full", {"learning_rate": 1e-4})
    assert found.size == 1
    assert configurations(found, Tuning(trials=3), []) == [{}, {}, {}]


@pytest.mark.parametrize("number", [1, 2, 3, 8, 16])
def test_halving_spends_what_was_said(number):
    for halving in (True, False):
        tuning = Tuning(trials=number, budget_fraction=0.4, halving=halving)
        rungs = trials.fractions(tuning)
        spent = number * rungs[0]
        spent += trials.promoted(number) * rungs[1] if halving else 0
        assert spent == pytest.approx(trials.total(tuning)) == pytest.approx(0.4 * number)


def test_no_trial_uses_a_seed_of_the_suite():
    tuning = Tuning(trials=4)
    plain = trials.seeds(tuning, [0, 1])
    assert len(set(plain)) == 4
    assert not set(trials.seeds(tuning, plain[:2])) & set(plain[:2])
    assert trials.seeds(Tuning(trials=4, seed=1), []) != plain


SPACED = b'''"""Doc."""
from typing import Annotated

from pydantic import Field
from tunefair.space import Space
from tunefair.strategy import Strategy

WIDE = 9


class A(Strategy):
    """Doc."""

    a: Annotated[float, Field(gt=0), Space(1, WIDE, log=True)] = 1.0
    b: Annotated[
        Annotated[float, Field(gt=0), Space(1, 2)] | None, Field(description="\xc3\xa9")
    ] = None
'''
PLAIN = b"""from typing import Annotated

from pydantic import Field
from tunefair.strategy import Strategy

WIDE = 9


class A(Strategy):
    a: Annotated[float, Field(gt=0)] = 1.0
    b: Annotated[
        Annotated[float, Field(gt=0)] | None, Field(description="\xc3\xa9")
    ] = None
"""


def test_a_space_leaves_no_trace_in_a_cells_id():
    assert bare(unspaced(SPACED)) == bare(PLAIN) == bare(unspaced(PLAIN))
    assert bare(unspaced(SPACED.replace(b"Space(1, 2)", b"Space(1, 5)"))) == bare(PLAIN)
    assert bare(unspaced(SPACED.replace(b"gt=0", b"gt=1"))) != bare(PLAIN)


def test_an_import_that_only_a_space_needed_is_no_trace_either():
    spaced = (
        b"from typing import Annotated, Any\nfrom tunefair.space import Space\n"
        b"class A:\n    a: Annotated[int, Space(1, 2)] = 1\n    b: Any = 2\n"
    )
    plain = b"from typing import Any\nclass A:\n    a: int = 1\n    b: Any = 2\n"
    assert bare(unspaced(spaced)) == bare(plain)


def test_what_is_not_ours_stays():
    other = b"from mine import Space\nclass A:\n    a: Annotated[int, Space(1)] = 1\n"
    assert unspaced(other) == other


def test_a_space_that_is_added_to_a_file_changes_no_id(tmp_path):
    file = _house.build(tmp_path)
    own = tmp_path / "mine" / "own.py"
    text = own.read_text()
    assert "Space(0.01, 1, log=True)" in text
    before = compose.source("own", [tmp_path / "mine"])
    other = tmp_path / "other"
    other.mkdir()
    (other / "own.py").write_text(
        text.replace(", Space(0.01, 1, log=True)", "").replace(
            "from tunefair.space import Space\n", ""
        )
    )
    assert compose.source("own", [other]) == before
    assert suite.read(file).tuning is None
