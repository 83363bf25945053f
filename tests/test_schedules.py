"""Every schedule: its configuration, its values beside torch's and Keras', and that training follows it."""

import math
import os

import numpy as np
import pytest

import pylearn
from pylearn import schedules as s

STEPS = 1000


def _lambda(torch, factor):
    return lambda o: torch.optim.lr_scheduler.LambdaLR(o, factor)


def _chain(torch, o, first, second, at):
    return torch.optim.lr_scheduler.SequentialLR(o, [first(o), second(o)], [at])


# class: [(schedule, rate that torch's optimizer starts from, torch -> (optimizer -> scheduler)), ...]
EXAMPLES = {
    "ExponentialDecay": [
        (s.ExponentialDecay(0.1, 1, 0.997), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.ExponentialLR(o, 0.997)),
        (s.ExponentialDecay(0.1, 100, 0.5, staircase=True), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.StepLR(o, 100, 0.5)),
    ],
    "PiecewiseConstantDecay": [
        (s.PiecewiseConstantDecay([299, 699], [0.1, 0.01, 0.001]), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.MultiStepLR(o, [300, 700], 0.1)),
    ],
    "PolynomialDecay": [
        (s.PolynomialDecay(0.1, 800, 0.0, power=2.0), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.PolynomialLR(o, 800, 2.0)),
        (s.PolynomialDecay(0.1, 700, 0.01), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.LinearLR(o, 1.0, 0.1, 700)),
        (s.PolynomialDecay(0.1, 300, 0.0, cycle=True), 0.1,
         lambda t: _lambda(t, lambda k: 1 - k / (300 * max(1, math.ceil(k / 300))))),
    ],
    "StepDecay": [
        (s.StepDecay(0.1, 130, 0.3), 0.1, lambda t: lambda o: t.optim.lr_scheduler.StepLR(o, 130, 0.3)),
    ],
    "InverseTimeDecay": [
        (s.InverseTimeDecay(0.1, 50, 0.5), 0.1, lambda t: _lambda(t, lambda k: 1 / (1 + 0.5 * k / 50))),
        (s.InverseTimeDecay(0.1, 50, 0.5, staircase=True), 0.1,
         lambda t: _lambda(t, lambda k: 1 / (1 + 0.5 * (k // 50)))),
    ],
    "CosineDecay": [
        (s.CosineDecay(0.1, STEPS, 0.01), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.CosineAnnealingLR(o, STEPS, 0.001)),
        (s.CosineDecay(0.02, 900, 0.0, warmup_target=0.1, warmup_steps=100), 0.1,
         lambda t: lambda o: _chain(t, o, lambda o: t.optim.lr_scheduler.LinearLR(o, 0.2, 1.0, 100),
                                    lambda o: t.optim.lr_scheduler.CosineAnnealingLR(o, 900), 100)),
    ],
    "CosineDecayRestarts": [
        (s.CosineDecayRestarts(0.1, 70, 2.0, alpha=0.05), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 70, 2, 0.005)),
        (s.CosineDecayRestarts(0.1, 130, 1.0), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 130, 1)),
    ],
    "OneCycle": [
        (s.OneCycle(0.5, STEPS), 0.1, lambda t: lambda o: t.optim.lr_scheduler.OneCycleLR(o, 0.5, STEPS)),
        (s.OneCycle(0.5, STEPS, 0.4, "linear", 10, 100), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.OneCycleLR(
             o, 0.5, STEPS, pct_start=0.4, anneal_strategy="linear", div_factor=10, final_div_factor=100)),
        (s.OneCycle(0.5, STEPS, 0.3, three_phase=True), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.OneCycleLR(o, 0.5, STEPS, three_phase=True)),
    ],
    "LinearWarmup": [
        (s.LinearWarmup(0.1, 200, 0.01), 0.1,
         lambda t: lambda o: t.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 200)),
        (s.LinearWarmup(s.ExponentialDecay(0.1, 1, 0.99), 50, 0.05), 0.1,
         lambda t: lambda o: _chain(t, o, lambda o: t.optim.lr_scheduler.LinearLR(o, 0.5, 1.0, 50),
                                    lambda o: t.optim.lr_scheduler.ExponentialLR(o, 0.99), 50)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("schedule", s.ALL)
def test_values_equal_torch_over_a_thousand_steps(schedule):
    torch = pytest.importorskip("torch")
    for mine, start, make in EXAMPLES[schedule.__name__]:
        optimizer = torch.optim.SGD([torch.zeros(1)], start)
        theirs = make(torch)(optimizer)
        want = []
        for step in range(STEPS):
            want.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if step < STEPS - 1:  # the last step of one cycle is its last rate
                theirs.step()
        np.testing.assert_allclose([mine(k) for k in range(STEPS)], want, rtol=0, atol=1e-9)


@pytest.mark.parametrize("schedule", [c for c in s.ALL if c not in (s.StepDecay, s.OneCycle, s.LinearWarmup)])
def test_values_equal_keras(schedule):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    for mine, _, _ in EXAMPLES[schedule.__name__]:
        theirs = getattr(keras.optimizers.schedules, schedule.__name__)(**mine.get_config())
        for k in range(0, STEPS, 37):
            np.testing.assert_allclose(mine(k), float(theirs(k)), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("schedule", s.ALL)
def test_schedules_survive_their_configuration_and_stay_positive(schedule):
    for mine, _, _ in EXAMPLES[schedule.__name__]:
        assert type(mine) is schedule
        again = s.get(pylearn.registry.serialize(mine))
        assert [again(k) for k in range(0, 2 * STEPS, 7)] == [mine(k) for k in range(0, 2 * STEPS, 7)]
        rates = [mine(k) for k in range(0, 3 * STEPS, 11)]
        assert all(isinstance(rate, float) and 0.0 <= rate <= 1.0 for rate in rates)
        with pytest.raises(TypeError, match="does not take the argument"):
            schedule(**{**mine.get_config(), "no_such": 1})


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: s.PolynomialDecay(0.1, 0), "decay_steps must be > 0"),
        (lambda: s.StepDecay(0.1, -1), "step_size must be > 0"),
        (lambda: s.CosineDecay(0.1, 10, warmup_target=1.0), "warmup_steps must be > 0"),
        (lambda: s.CosineDecayRestarts(0.1, 10, t_mul=0.5), "t_mul must be ≥ 1"),
        (lambda: s.OneCycle(0.1, 10, pct_start=2), "pct_start"),
        (lambda: s.OneCycle(0.1, 10, anneal_strategy="cosine"), "anneal_strategy"),
        (lambda: s.LinearWarmup("fast", 10), "a number or a schedule"),
        (lambda: s.LinearWarmup(0.1, 0), "warmup_steps must be > 0"),
    ],
)
def test_bad_settings(make, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make()


def test_schedule_values():
    assert s.ExponentialDecay(0.1, 10, 0.5, staircase=True)(19) == 0.05
    piecewise = s.PiecewiseConstantDecay([5], [1.0, 0.5])
    assert piecewise(5) == 1.0 and piecewise(6) == 0.5
    np.testing.assert_allclose(s.CosineDecay(1.0, 10)(5), 0.5)
    assert s.CosineDecay(0.0, 10, warmup_target=1.0, warmup_steps=4)(2) == 0.5
