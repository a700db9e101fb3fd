"""Properties every shipped suite must have; a new TOML file is tested here for free."""

import pytest

from tunefair import plugins, run, suite
from tunefair.planning import compose

SUITES = sorted(suite.SUITES.glob("*.toml"))


@pytest.mark.parametrize("path", SUITES, ids=lambda p: p.stem)
class TestEverySuite:
    def test_reads_and_is_named_like_its_file(self, path):
        read = suite.read(path)
        assert read.name == path.stem.replace("_", "-") or read.name == path.stem
        assert read.description

    def test_names_only_what_exists(self, path):
        read = suite.read(path)
        run.check_names(read)
        assert read.task.source in plugins.names("tunefair.tasks")
        for label, choice in read.strategies.items():
            assert compose.build(choice.use or label, choice.options)
