"""The meter, the schedule and the polynomial of operations."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tunefair.suite import Budget
from tunefair.training import flops
from tunefair.training.budget import Meter, learning_rate_factor

fractions = st.floats(0, 1)
warmups = st.floats(0, 0.9)


@given(fractions, warmups)
def test_rate_stays_between_zero_and_its_peak(fraction, warmup):
    assert 0 <= learning_rate_factor(fraction, warmup) <= 1


@given(st.floats(1e-6, 1 - 1e-6), warmups)
def test_rate_is_zero_only_at_the_ends(fraction, warmup):
    assert learning_rate_factor(fraction, warmup) > 0


def test_rate_rises_then_falls_linearly():
    rates = [learning_rate_factor(f, 0.2) for f in (0, 0.1, 0.2, 0.6, 1.0, 1.5)]
    assert rates == pytest.approx([0, 0.5, 1, 0.5, 0, 0])


def test_without_warmup_it_starts_at_the_peak():
    assert learning_rate_factor(0, 0) == 1


@given(st.lists(st.tuples(st.integers(1, 64), st.integers(1, 128)), max_size=20))
def test_meter_adds_up(batches):
    meter = Meter(Budget(currency="tokens", amount=100))
    for rows, length in batches:
        meter.charge(rows=rows, length=length, tokens=rows, cost=lambda n, t: 3.0 * n * t)
    assert meter.tokens == meter.examples == sum(n for n, _ in batches)
    assert meter.padded_tokens == sum(n * t for n, t in batches)
    assert meter.flops == 3 * meter.padded_tokens
    assert meter.fraction == meter.tokens / 100


@pytest.mark.parametrize("currency", ["flops", "tokens", "examples", "steps", "seconds"])
def test_fraction_follows_the_currency_that_binds(currency):
    meter = Meter(Budget(currency=currency, amount=4))
    if currency == "seconds":
        meter.started -= 2
    else:
        setattr(meter, currency, 2)
    assert meter.fraction == pytest.approx(0.5, abs=1e-3)


class Attention(nn.Module):
    """A layer with every kind of term: a row's, a token's, a pair of tokens', a batch's."""

    def __init__(self):
        super().__init__()
        self.project = nn.Linear(8, 8)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, rows: int, length: int) -> None:
        self.calls += 1
        x = self.project(torch.randn(rows, length, 8))
        x = nn.functional.scaled_dot_product_attention(x, x, x)
        vectors = x[:, 0]
        shared = self.project.weight @ self.project.weight
        (vectors @ vectors.T).sum().backward(retain_graph=True)
        shared.sum().backward()


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 40), st.integers(1, 200))
def test_polynomial_is_exact_for_any_shape(rows, length):
    module = Attention()
    cost = flops.measure(module, module)
    assert cost(rows, length) == flops.count(module, rows, length)


def test_measuring_leaves_no_trace():
    module = Attention()
    state = torch.get_rng_state()
    flops.measure(module, module)
    assert module.calls == 0
    assert module.project.weight.grad is None
    assert torch.equal(torch.get_rng_state(), state)


def test_frozen_weights_cost_no_weight_gradient():
    deep = nn.Sequential(nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False))

    def run(rows: int, length: int) -> None:
        deep(torch.zeros(rows, length, 8)).sum().backward()

    product = 2 * 8 * 8 * 5 * 7
    assert flops.measure(deep, run)(5, 7) == 5 * product  # 2 forward, 2 weights, 1 input
    deep[0].requires_grad_(False)
    assert flops.measure(deep, run)(5, 7) == 3 * product  # 2 forward, 1 weight
