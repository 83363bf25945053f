"""First overfit: can the model learn a handful of rows by heart? If not, which of the usual mistakes is it?"""

from __future__ import annotations

import math
import os
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import plots
from pylearn.training import findings
from pylearn.training.data import Arrays
from pylearn.training.feed import Feed, prepare, whole
from pylearn.training.findings import Finding
from pylearn.training.trial import Held, Steps, undone

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

LOOK = 10  # steps between two looks at the score
RATES = (0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)  # times the rate that did not work


class OverfitCheck:
    """What ``model.overfit_check`` found; true when the model learned its rows.

    Attributes:
        verdict: "overfits", "not finite", "learning rate", "dead units", "mixed rows", "unrelated targets",
            "no gradient" or "slow".
        sentence: what that means, and what to do.
        losses: before each step.
        score: accuracy (classes) or R² (numbers) on the rows at the end.
        rows, steps, seconds: how many of each.
    """

    def __init__(
        self, verdict: str, sentence: str, losses: list[float], score: float, rows: int, seconds: float
    ) -> None:
        self.verdict, self.sentence, self.losses = verdict, sentence, losses
        self.score, self.rows, self.steps, self.seconds = score, rows, len(losses), seconds

    @property
    def ok(self) -> bool:
        return self.verdict == "overfits"

    def __bool__(self) -> bool:
        return self.ok

    def plot(self, path: str | os.PathLike[str] | None = None) -> Any:
        """The loss over the steps, written to ``path`` when given; returns matplotlib's Figure.

        Raises:
            ImportError: matplotlib is absent.
        """
        return plots.curve(range(len(self.losses)), self.losses, "step", "loss", path, title=self.verdict)

    def __repr__(self) -> str:
        return f"{self.verdict}: {self.sentence}"


def overfit_check(model: Trainer, x: Any, y: Any, n: int, steps: int, seconds: float) -> OverfitCheck:
    n, steps = whole("n", n), whole("steps", steps)
    began = time.perf_counter()
    with undone(model):
        everything = prepare(model, x, y, None, None)
        rows = np.linspace(0, everything.rows - 1, min(n, everything.rows)).astype(int)
        few = everything.slice(rows)
        wrong = findings.not_finite(model, everything)
        if wrong:
            took = time.perf_counter() - began
            return OverfitCheck(wrong[0].kind, wrong[0].sentence, [], -math.inf, len(rows), took)
        trial = _Trial(model, few, steps, began + seconds)
        before = [f for f in findings.of_model(model, few) if f.certain]
        trial.run()
        finding = trial.judge(before, everything)
    verdict = "overfits" if finding is None else finding.kind
    sentence = trial.praise() if finding is None else finding.sentence
    return OverfitCheck(verdict, sentence, trial.losses, trial.score, len(rows), time.perf_counter() - began)


class _Trial:
    """Training on a few rows, all of them in each step."""

    def __init__(self, model: Trainer, few: Arrays, steps: int, until: float) -> None:
        self.model, self.few, self.limit, self.until = model, few, steps, until
        self.held = Held(model)
        self.losses: list[float] = []
        self.score = -math.inf

    def run(self, rate: float | None = None) -> None:
        self.held.put_back()
        step = Steps(self.model, Feed(self.model, self.few, self.few.rows, None))
        self.losses = []
        for i in range(self.limit):
            loss = step(rate)
            self.losses.append(loss)
            if (
                not math.isfinite(loss)
                or (i and i % LOOK == 0 and self.look())
                or time.perf_counter() > self.until
            ):
                break
        self.look()

    def look(self) -> bool:
        """Are the rows learned?"""
        self.score = _score(self.model, self.few)
        return self.learned

    @property
    def rises(self) -> bool:
        """Did the loss become infinite, or end above where it began?"""
        last = self.losses[-1]
        return not math.isfinite(last) or bool(np.mean(self.losses[-5:]) > self.losses[0])

    @property
    def learned(self) -> bool:
        if not self.few.y:  # the layers make the loss
            return self.losses[-1] < 0.1 * self.losses[0]
        return self.score >= (1.0 if _classes(self.model, self.few) else 0.99)

    def praise(self) -> str:
        name = "accuracy" if _classes(self.model, self.few) else "R²"
        return (f"the model learns {self.few.rows} rows by heart in {len(self.losses)} steps ({name} "
                f"{self.score:.3g}): data, model, loss and optimizer work together")  # fmt: skip

    def judge(self, before: list[Finding], everything: Arrays) -> Finding | None:
        """What is wrong, most certain first; None when nothing is."""
        mixed = [finding for finding in before if finding.kind == "mixed rows"]
        if self.learned:
            return mixed[0] if mixed else findings.unrelated(self.model, everything)
        if before:
            return before[0]
        first, score = list(self.losses), self.score
        slower = self._slower() if self.rises or max(first[1:], default=0.0) > 10 * first[0] else None
        self.losses, self.score = first, score
        if slower is not None:
            return slower
        fell = first[0] - np.mean(first[-5:])
        name = "accuracy" if _classes(self.model, self.few) else "R²"
        if abs(fell) <= 1e-9 * abs(first[0]):
            return Finding("no gradient", None, "the loss does not move: no gradient reaches weights that train. Are "
                           "all layers frozen, or does the loss come from whole numbers?")  # fmt: skip
        apart = findings.unrelated(self.model, everything)
        if apart is not None:
            return apart
        return Finding("slow", None, f"{len(first)} steps took the loss from {first[0]:.3g} to {first[-1]:.3g} ({name} "
                       f"{score:.3g}): raise the learning rate (model.lr_find finds one), train for longer, or make "
                       "the model larger")  # fmt: skip

    def _slower(self) -> Finding | None:
        optimizers = self.model.active_optimizers()
        rate = float(optimizers[0].learning_rate) if optimizers else 0.0
        limit, self.limit = self.limit, min(self.limit, 100)
        self.until = time.perf_counter() + 5.0
        try:
            for factor in RATES:
                self.run(rate * factor)
                most = 2 * self.losses[0]
                if np.mean(self.losses[-5:]) < 0.7 * self.losses[0] and np.max(self.losses) <= most:
                    return Finding("learning rate", None, f"the learning rate {rate:g} is too high: the loss rises "
                                   f"with it and falls with {rate * factor:g}")  # fmt: skip
        finally:
            self.limit = limit
        return None


def _classes(model: Trainer, arrays: Arrays) -> bool:
    shape = model.output_shapes()[0]
    if len(arrays.y) != 1 or shape is None:
        return False
    y = arrays.y[0]
    loss = model.compiled("a trial").outputs
    if loss and loss[0].loss is not None and loss[0].loss.regression:
        return False
    return bool((shape[-1] or 1) > 1 or np.isin(y, (0, 1)).all())


def _score(model: Trainer, arrays: Arrays) -> float:
    """Accuracy of classes, else the mean R² of the outputs."""
    outputs = findings.predictions(model, arrays)
    if _classes(model, arrays):
        y, p = arrays.y[0], outputs[0]
        if p.ndim < 2 or p.shape[-1] == 1:
            head = findings.head_of(model)
            threshold = 0.0 if head in ("linear", "tanh") else 0.5
            return float(np.mean((p.reshape(len(p), -1) > threshold) == (y.reshape(len(y), -1) > 0.5)))
        ids = y.argmax(-1) if y.shape == p.shape else y.reshape(p.shape[:-1])
        return float(np.mean(p.argmax(-1) == ids))
    scores = []
    for y, p in zip(arrays.y, outputs, strict=False):
        y = y.reshape(p.shape) if y.size == p.size else y
        if y.shape != p.shape:
            return -math.inf
        spread = float(np.sum((y - y.mean(0)) ** 2))
        scores.append(
            1.0 - float(np.sum((y - p) ** 2)) / spread if spread > 0 else float(np.allclose(y, p, atol=1e-2))
        )
    return float(np.mean(scores)) if scores else -math.inf
