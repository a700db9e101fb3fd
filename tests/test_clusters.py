"""Clusters: whole ones are drawn and permuted, from the file's column to the verdict of a gate."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from tests import _results
from tests._evidence import evidence
from tests.test_every_audit import AUDITS, complete, numbers, over_test, rows
from tunefair.cli.app import app
from tunefair.data_audit import tables as data_tables
from tunefair.data_audit.alike import alike
from tunefair.facts import FactTable
from tunefair.gating.gate import gate
from tunefair.measuring.measure import measure
from tunefair.reporting.cautions import cautions
from tunefair.reporting.sheet import sheet
from tunefair.schema import AuditSettings, BadInputError, Task, TaskCard
from tunefair.statistics import exchange
from tunefair.statistics.clusters import Clusters
from tunefair.statistics.exchange import Exchange
from tunefair.statistics.rates import accuracy, confusion
from tunefair.statistics.sample import Sample
from tunefair.suite import GateRule

N, TEMPLATES = 2947, 421


def templated(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return label, prediction and template of rows whose errors are alike within a template."""
    rng = np.random.default_rng(seed)
    template = np.arange(N) % TEMPLATES
    right = rng.normal(size=TEMPLATES)[template] + rng.normal(size=N) > -1
    label = rng.integers(0, 2, N)
    return label, np.where(right, label, 1 - label), template


def clustered(cluster, **choices):
    made = evidence(len(cluster), **choices)
    names = np.char.add("c", np.asarray(cluster).astype(str))
    return replace(made, test=tuple(replace(p, cluster=names) for p in made.test))


class TestDraws:
    def test_the_standard_error_is_that_of_one_line_of_numpy(self):
        label, prediction, template = templated()
        made = clustered(template, seeds=(0,))
        test = replace(made.test[0], label=label, prediction=prediction)
        sample = Sample([replace(made, test=(test,))], AuditSettings(replicates=20_000))
        drawn = sample.bootstrap(confusion(sample, sample.everyone, prediction), accuracy)[0]
        hit = label == prediction
        by_row = np.sqrt(hit.var() / N)
        of_template = np.bincount(template, hit - hit.mean())
        expected = np.sqrt((of_template**2).sum() * TEMPLATES / (TEMPLATES - 1)) / N
        assert drawn[0] == hit.mean()
        assert drawn[1:].std() == pytest.approx(expected, rel=0.02)
        assert expected > 1.5 * by_row

    def test_few_clusters_are_not_taken_for_many(self):
        rng = np.random.default_rng(1)
        cluster = np.repeat(np.arange(5), 60)
        sample = Sample([clustered(cluster)], AuditSettings(replicates=20_000))
        value = rng.normal(size=5)[cluster]
        drawn = sample.linearised([(value.mean(), (value - value.mean()) / 300)])[0, 1:]
        assert drawn.var() == pytest.approx(value[::60].var(ddof=1) / 5, rel=0.05)

    def test_clusters_of_one_example_change_nothing(self):
        made = evidence(200)
        names = np.where(np.arange(200) % 2, made.test[0].example_id, "")
        alone = replace(made, test=tuple(replace(p, cluster=names) for p in made.test))
        for audit in ("accuracy", "group_fairness"):
            assert numbers(rows(audit, alone)) == numbers(rows(audit, made))

    def test_many_clusters_are_drawn_in_blocks(self, monkeypatch):
        from tunefair.statistics import units

        spread = {}
        for most in (20_000, 100):
            monkeypatch.setattr(units, "ROWS", most)
            monkeypatch.setattr(units, "BLOCKS", 400)
            sample = Sample([clustered(np.arange(6000) // 4)], AuditSettings(replicates=4000))
            table = confusion(sample, sample.everyone, sample.label * 0)
            spread[most] = sample.bootstrap(table, accuracy)[0, 1:].std()
        assert spread[100] == pytest.approx(spread[20_000], rel=0.1)

    def test_draws_stay_paired_and_labels_checked(self):
        one = clustered(np.arange(100) // 5, strategy="one")
        other = clustered(np.arange(100) // 4, strategy="other")
        with pytest.raises(BadInputError, match="the cluster differs"):
            Sample([one, other], AuditSettings(replicates=2))

    def test_one_cluster_is_refused(self):
        with pytest.raises(BadInputError, match="all 100 test examples are in it"):
            Sample([clustered(np.zeros(100, int))], AuditSettings(replicates=2))


class TestEffectiveNumber:
    def test_equal_clusters_count_as_they_are(self):
        found = Clusters(np.repeat(["a", "b", "c", "d"], 5))
        assert found.effective(np.zeros(20, int), 1).tolist() == [4]

    @given(st.lists(st.integers(0, 6), min_size=2, max_size=60), st.integers(0, 100))
    @settings(max_examples=50, deadline=None)
    def test_between_one_and_their_number(self, cluster, seed):
        cluster = np.array([*cluster, 7])
        stratum = np.random.default_rng(seed).integers(-1, 3, len(cluster))
        number = Clusters(cluster.astype(str)).effective(stratum, 3)
        for s in range(3):
            size = np.bincount(cluster[stratum == s])
            assert number[s] <= (size > 0).sum() + 1e-9
            assert number[s] == pytest.approx(size.sum() ** 2 / max((size**2).sum(), 1))


def exchanged(group, label, cluster, cell, draws=300):
    made = Exchange(Clusters(cluster.astype(str)), group, label, draws, 0)
    ones = np.ones((1, len(group)))
    return np.concatenate(list(made.sums(cell, int(cell.max()) + 1, ones)), axis=-1)


class TestFloors:
    @pytest.mark.parametrize("kind", ["authors", "templates", "both"])
    def test_sizes_and_base_rates_stay(self, kind):
        rng = np.random.default_rng(3)
        cluster = rng.integers(0, 60, 900)
        group = {"authors": cluster % 3, "templates": rng.integers(0, 3, 900)}
        group["both"] = np.where(cluster % 2, cluster % 3, group["templates"])
        label = rng.integers(0, 2, 900)
        sums = exchanged(group[kind], label, cluster, 2 * label + rng.integers(0, 2, 900))
        sums = sums.reshape(3, 2, 2, -1).sum(axis=2)
        expected = np.bincount(2 * group[kind] + label).reshape(3, 2, 1)
        assert sums == pytest.approx(np.broadcast_to(expected, sums.shape))

    def test_whole_authors_change_places(self):
        # eight authors of ten texts, of one label and all alike: a rate is of whole authors
        cluster = np.repeat(np.arange(8), 10)
        hit = (cluster % 2).astype(int)
        sums = exchanged(cluster // 4, np.zeros(80, int), cluster, hit)[:, 1, 0] / 40
        assert set(np.unique(sums.round(9))) <= {0, 0.25, 0.5, 0.75, 1}
        assert len(np.unique(sums)) > 2

    def test_templates_keep_what_they_have_in_common(self):
        # every template is all right or all wrong, and has both groups: no gap can be drawn
        cluster = np.repeat(np.arange(40), 2)
        group = np.tile([0, 1], 40)
        sums = exchanged(group, np.zeros(80, int), cluster, cluster % 2)
        assert (sums[0] == sums[1]).all()

    @pytest.mark.parametrize("kind", ["authors", "templates"])
    def test_the_normal_limit_agrees(self, kind, monkeypatch):
        rng = np.random.default_rng(5)
        cluster = rng.integers(0, 300, 3000)
        group = cluster % 3 if kind == "authors" else rng.integers(0, 3, 3000)
        label = rng.integers(0, 2, 3000)
        cell = 2 * label + (rng.normal(size=300)[cluster] > rng.normal(size=3000))
        exact = exchanged(group, label, cluster, cell, 2000)
        monkeypatch.setattr(exchange, "ROWS", 10)
        limit = exchanged(group, label, cluster, cell, 2000)
        assert limit.mean(axis=-1) == pytest.approx(exact.mean(axis=-1), rel=0.01)
        assert limit.std(axis=-1) == pytest.approx(exact.std(axis=-1), rel=0.08)


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("audit", AUDITS)
class TestEveryAudit:
    def test_is_finite_or_explained_and_wider_or_as_wide(self, audit, n_classes):
        made = complete(n_classes)
        names = np.char.add("c", (np.arange(400) // 8).astype(str))
        place = dict(zip(made.test[0].example_id, names, strict=True))
        alike = over_test(
            made, lambda p: replace(p, cluster=np.array([place[i] for i in p.example_id]))
        )
        found = rows(audit, alike)
        assert [m.place for m in found] == [m.place for m in rows(audit, made)]
        for m in found:
            assert np.isnan(m.value) == bool(m.undefined), m
            if m.low is not None:
                assert m.low <= m.value <= m.high, m


def test_a_file_and_its_comparison_go_by_clusters(tmp_path):
    label, prediction, template = templated()
    other = np.where(np.random.default_rng(2).random(N) < 0.1, 1 - prediction, prediction)
    lines = ["id,y,made,g,template"]
    for name, made in (("new", prediction), ("old", other)):
        table = zip(
            range(N), label, made, np.array(["f", "m"])[np.arange(N) % 2], template, strict=True
        )
        (tmp_path / f"{name}.csv").write_text(
            "\n".join(lines + [",".join(map(str, r)) for r in table])
        )
    widths = []
    for more in ([], ["--cluster", "template"]):
        out = tmp_path / "out.json"
        arguments = ["audit", str(tmp_path / "new.csv"), "--label", "y", "--prediction", "made"]
        arguments += ["--group", "g", "--id", "id", "--compare", str(tmp_path / "old.csv")]
        made = CliRunner().invoke(app, [*arguments, "--json", str(out), *more])
        assert made.exit_code == 0, made.output
        measured = json.loads(out.read_text())["measurements"]
        whole = next(m for m in measured if m["metric"] == "accuracy" and not m["group"])
        widths.append(whole["high"] - whole["low"])
    hit = label == prediction
    expected = np.sqrt((np.bincount(template, hit - hit.mean()) ** 2).sum()) / N
    assert widths[1] == pytest.approx(2 * 1.966 * expected, rel=0.06)
    assert widths[1] > 1.4 * widths[0]


class TestData:
    def task(self, **columns):
        rng = np.random.default_rng(0)
        author = np.repeat(np.arange(40), 15)
        label = (rng.normal(size=40)[author] + rng.normal(size=600) > 0).astype(int)
        text = np.array([f"w{i} v{7 * i} u{11 * i}" for i in range(600)], object)
        split = np.choose(author % 3, ["train", "validation", "test"])
        card = TaskCard(title="", label_meaning="", source="", licence="", fingerprint="")
        task = Task(
            name="made", example_id=np.arange(600).astype(str), text=text, label=label,
            groups={}, split=split, classes=("a", "b"), card=card, **columns,
        )  # fmt: skip
        other = {"author": np.char.add("u", author.astype(str)).astype(object)}
        other["hour"] = rng.integers(0, 24, 600).astype(str).astype(object)
        other["row"] = np.arange(600).astype(str).astype(object)
        other["score"] = (label + rng.integers(0, 9, 600) / 10).astype(str).astype(object)
        return task, other

    def test_a_column_that_looks_like_a_cluster_is_named(self):
        found = list(alike(*self.task()))
        assert [a.column for a in found] == ["author"]
        assert found[0].rows_a_value == 15
        assert found[0].across == 0
        assert 0.2 < found[0].correlation < 0.7

    def test_the_tables_say_so(self):
        titles = [t.title for t in data_tables.tables(*self.task())]
        assert "Columns that look like clusters" in titles
        assert "Clusters" not in titles
        author = np.repeat(np.arange(40), 15).astype(str)
        assert "Clusters" in [t.title for t in data_tables.tables(self.task(cluster=author)[0])]


def test_contrasts_go_by_clusters():
    cluster = np.arange(600) // 20
    shared = np.random.default_rng(4).random(30)[cluster] < 0.3
    made = [evidence(600, strategy=name, seed=s) for s, name in enumerate(("one", "other"))]
    # one strategy is wrong wherever `shared`: whole clusters differ between the two
    worse = [
        replace(p, prediction=np.where(shared, 1 - p.label, p.prediction)) for p in made[1].test
    ]
    made[1] = replace(made[1], test=tuple(worse))
    names = np.char.add("c", cluster.astype(str))
    alike = [replace(e, test=tuple(replace(p, cluster=names) for p in e.test)) for e in made]
    settings = AuditSettings(replicates=1000)
    found = [
        next(
            c
            for c in measure(e, settings, audits=["accuracy"], reference="one").contrasts
            if c.metric == "accuracy"
        )
        for e in (made, alike)
    ]
    assert found[0].difference == found[1].difference
    assert found[1].high - found[1].low > 1.5 * (found[0].high - found[0].low)


class TestWords:
    def said(self, clusters=0, near=0):
        table = FactTable(
            "Copies",
            ("split", "also in", "n", "identical", "with another label", "near-duplicates"),
            (("test", "train", 500, 9, 9, 99), ("test", "test", 500, 0, 0, near)),
        )
        results, facts = _results.results(), _results.facts(data_audit=(table,))
        made = sheet(replace(results, clusters=clusters), facts)
        return " ".join(sentence.text for sentence in cautions(made))

    def test_clusters_are_said(self):
        assert "come in 421 clusters" in self.said(421)
        assert "are few" not in self.said(421)
        assert "25 clusters are few" in self.said(25)

    def test_near_duplicates_are_said_unless_clusters_are_known(self):
        assert "60 of 500 test texts are near-duplicates" in self.said(near=60)
        assert "near-duplicates" not in self.said(near=4)
        assert "near-duplicates" not in self.said(200, near=60)


def test_a_gate_goes_by_clusters_of_either_side():
    from tests.test_gate import sides

    run, baseline = sides(seed=1)
    names = (np.arange(1500) // 10).astype(str)

    def alike(side, names):
        made = tuple(
            replace(e, test=tuple(replace(p, cluster=names) for p in e.test))
            for e in side.evidence
        )
        return replace(side, evidence=made)

    rules = [GateRule(metric="accuracy", max_loss=0.02)]
    plain = gate(run, baseline, rules).verdicts[-1]
    for pair in ((alike(run, names), baseline), (run, alike(baseline, names))):
        verdict = gate(*pair, rules).verdicts[-1]
        assert verdict.difference == plain.difference
        assert verdict.low != plain.low
    other = gate(alike(run, names), alike(baseline, names[::-1]), rules).verdicts
    assert other[-1].outcome == "not comparable"
    assert "changed their cluster" in other[-1].reason
