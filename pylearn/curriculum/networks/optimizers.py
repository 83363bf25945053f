"""Optimizers compared: paths of SGD, momentum, RMSprop and Adam down one valley.

In a long narrow valley the gradient points across it. SGD creeps along the floor or jumps from wall to wall;
momentum adds up what stays the same, v ← 0.9 v − η g; RMSprop divides each coordinate by the size of its recent
gradients; Adam does both. The paths below come from the optimizers that train networks, applied to two numbers.

The data: Rosenbrock's function (1 − x)² + 10 (y − x²)², whose minimum 0 lies at (1, 1) in a bent valley; 150 steps.
The course's numbers: each path equals its formula to 1e-6; momentum ends lower than SGD.

Question: which one comes nearest to the minimum in 150 steps, and which crosses the valley most often?

Try: (a) ten times the rate for each: who survives? (b) nesterov=True for momentum.
"""

import numpy as np

import pylearn
from pylearn.curriculum import report
from pylearn.optimizers import SGD, Adam, RMSprop

START = (-1.5, 0.2)


def valley(p):
    return (1 - p[0]) ** 2 + 10 * (p[1] - p[0] ** 2) ** 2


def path(optimizer, steps):
    """Where the optimizer goes: (steps + 1, 2)."""
    w = pylearn.asarray(np.array(START))
    descend = pylearn.value_and_grad(lambda: valley(w), wrt=[w])
    points = [w.numpy().copy()]
    for _ in range(steps):
        optimizer.apply(descend()[1], [w])
        points.append(w.numpy().copy())
    return np.array(points)


def by_formula(name, rate, steps):
    """The same from the formulas."""
    p, m, v = np.array(START), np.zeros(2), np.zeros(2)
    points, slope = [p], pylearn.grad(valley)
    for t in range(1, steps + 1):
        g = slope(p)
        if name == "RMSprop":
            v = 0.9 * v + 0.1 * g**2
            p = p - rate * g / np.sqrt(v + 1e-7)
        elif name == "Adam":
            m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
            p = p - rate * np.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (np.sqrt(v) + 1e-7)
        else:
            m = 0.9 * (name == "momentum") * m - rate * g
            p = p + m
        points.append(p)
    return np.array(points)


def main(verbose: int = 1, plot: str | None = None, steps: int = 150) -> dict[str, float]:
    """Walk; returns where each ends: the value of the function by name."""
    made = {"SGD": SGD(0.003), "momentum": SGD(0.003, 0.9), "RMSprop": RMSprop(0.02), "Adam": Adam(0.1)}
    paths = {name: path(optimizer, steps) for name, optimizer in made.items()}
    ends = {name: float(valley(p[-1])) for name, p in paths.items()}
    apart = [np.abs(p - by_formula(name, made[name].learning_rate, steps)).max() for name, p in paths.items()]
    for name, end in ends.items() if verbose else ():
        print(f"{name:<10} ends at ({paths[name][-1][0]:6.3f}, {paths[name][-1][1]:6.3f}), value {end:.4f}")
    report.at_most("paths from their formulas", float(max(apart)), 1e-6)
    report.at_most("momentum's value, as a part of SGD's", ends["momentum"] / ends["SGD"], 0.9)

    def draw(axes):
        x, y = np.meshgrid(np.linspace(-2, 1.6, 200), np.linspace(-0.7, 2.6, 200))
        axes[0].contour(x, y, np.log(valley((x, y)) + 1e-3), levels=18, cmap="Greys", linewidths=0.6)
        for name, points in paths.items():
            axes[0].plot(*points.T, label=name, linewidth=1.4, alpha=0.9)
        axes[0].plot(1, 1, "k*", markersize=12)
        axes[0].legend(loc="lower left")

    report.drawing(plot, draw, size=(6.4, 5))
    return ends
