"""What a person sees of a run: how much of the budget and of the time is left."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from tunefair.launch.progress import Watch
from tunefair.suite import Budget


class Screen:
    """A terminal whose clock is set by hand."""

    def __init__(self, cells, width=100):
        self.now = 1000.0
        self.console = Console(
            file=io.StringIO(), width=width, force_terminal=True, get_time=lambda: self.now
        )
        self.watch = Watch(self.console, cells)

    def after(self, seconds, *running):
        """Return the lines that are drawn when so many seconds later the workers say this."""
        self.now += seconds
        self.watch.update(running)
        with self.console.capture() as drawn:
            self.console.print(self.watch.bars.get_renderable())
        return [line.rstrip() for line in drawn.get().splitlines()]


def cell(label, amount=500.0, currency="steps", first=None):
    budget = Budget(currency=currency, amount=amount)
    return SimpleNamespace(id=label, label=label, seed=0, budget=budget, first=first)


def running(of, fraction, words="at work"):
    return SimpleNamespace(job=SimpleNamespace(cell=of), fraction=fraction, words=words)


def test_budget_and_time_left_are_drawn():
    screen, of = Screen(cells=4), cell("lora")
    screen.after(5, running(of, 0.0, "waiting for a node"))
    screen.after(5, running(of, 0.1))
    everything, one = screen.after(30, running(of, 0.25, "step 125, loss 0.613"))
    assert "0/4 cells" in everything
    assert "94% of all budgets left" in everything
    assert "0:16:40 left" in everything  # 0.15 in 40 s, 3.75 are left
    assert "lora · seed 0" in one
    assert "375 of 500 steps left" in one
    assert "0:02:30 left" in one  # 0.15 in 30 s, 0.75 are left; since it began to train
    assert one.endswith("step 125, loss 0.613")


def test_nobody_knows_the_time_before_anything_is_done():
    screen, of = Screen(cells=1), cell("full")
    everything, one = screen.after(5, running(of, 0.0, "starting"))
    assert "100% of all budgets left" in everything
    assert "500 of 500 steps left" in one
    assert ":" not in everything + one


def test_what_an_earlier_run_spent_makes_this_one_no_faster():
    screen, of = Screen(cells=1), cell("full")
    screen.after(10, running(of, 0.5, "resumed"))
    everything, one = screen.after(10, running(of, 0.6))
    assert "0:01:20 left" in everything  # 0.1 in 20 s
    assert "0:00:40 left" in one  # 0.1 in 10 s


def test_a_cell_that_ended_counts_and_its_line_goes():
    screen, of = Screen(cells=2), cell("full")
    screen.after(10, running(of, 0.5))
    screen.now += 10
    screen.watch.end(SimpleNamespace(cell=of), "")
    (everything,) = screen.after(0)
    assert "1/2 cells" in everything
    assert "50% of all budgets left" in everything


@pytest.mark.parametrize(
    ("of", "left"),
    [
        (cell("a", 1e15, "flops"), "7.5e+14 of 1e+15 flops left"),
        (cell("a", 120, "seconds"), "90 of 120 seconds left"),
        (cell("a", 80_000, "tokens"), "60,000 of 80,000 tokens left"),
        (cell("a", 500, first=cell("b", 100)), "300 of 500 steps left"),
        (cell("a", 500, first=cell("b", 500)), "0 of 500 steps left"),
    ],
)
def test_the_budget_is_told_in_its_currency_whatever_a_first_stage_took(of, left):
    assert left in Screen(cells=1).after(1, running(of, 0.25))[1]


def test_a_narrow_terminal_keeps_what_is_left():
    screen, of = Screen(cells=1, width=80), cell("lora+weighted", 5e14, "flops")
    screen.after(1, running(of, 0.1))
    lines = screen.after(60, running(of, 0.2, "step 310, loss 0.653; resumed"))
    assert len(lines) == 2
    assert "4e+14 of 5e+14 flops left" in lines[1]
    assert "0:08:00 left" in lines[1]
