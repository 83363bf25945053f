"""``model.diagnose``: a look at a model and its data before training them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn.training import data, findings
from pylearn.training.feed import prepare
from pylearn.training.findings import Finding
from pylearn.training.trial import undone

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

ROWS = 256  # looked at in the model; of the data, all


class Diagnosis:
    """What ``model.diagnose`` found: a list of findings, printed as one; true when there is something wrong.

    Attributes:
        findings: each with ``kind``, ``layer`` and ``sentence``.
        gradients: (layer, size of its gradient, that beside the size of its weights), in the order of the layers.
    """

    def __init__(self, name: str, found: list[Finding], gradients: list[tuple[str, float, float]]) -> None:
        self.name, self.findings, self.gradients = name, found, gradients

    @property
    def kinds(self) -> list[str]:
        return [finding.kind for finding in self.findings]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __str__(self) -> str:
        lines = [f"{self.name}: " + (f"{len(self)} to look at" if self.findings else "nothing found")]
        lines += [f"  - {finding}" for finding in self.findings]
        if self.gradients:
            width = max(len(name) for name, _, _ in self.gradients)
            lines.append("  gradients: size, and beside the weights")
            lines += [
                f"    {name:<{width}}  {size:8.2e}  {share:8.2e}" for name, size, share in self.gradients
            ]
        return "\n".join(lines)

    __repr__ = __str__


def diagnose(model: Trainer, x: Any, y: Any, validation_data: Any, validation_split: float) -> Diagnosis:
    with undone(model):
        everything = prepare(model, x, y, None, None)
        held_out = None
        if validation_data is not None:
            vx, vy = (*validation_data, None)[:2]
            held_out = prepare(model, vx, vy, None, None, "validation ")
        elif validation_split:
            everything, held_out = data.split(everything, validation_split, False)
        some = everything.slice(np.linspace(0, everything.rows - 1, min(everything.rows, ROWS)).astype(int))
        found = findings.of_data(model, everything)
        table: list[tuple[str, float, float]] = []
        if not any(finding.kind == "not finite" for finding in found):
            found += findings.of_model(model, some)
            more, table = findings.gradients(model, some)
            found += more
        if held_out is not None:
            found += findings.leaks(everything, held_out)
    return Diagnosis(model.name, found, table)
