"""A step of training, testing or predicting for one form of batch: eager once, recorded once, then replayed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from pylearn import _core, ops
from pylearn._core import Tensor, asarray
from pylearn.replay import release_held
from pylearn.sparse import CSR

Function = Callable[[list[Any]], list[Tensor]]


class Step:
    """``function`` takes the batch as a flat list of Tensors and returns a list of Tensors.

    Args:
        function: the step; run eagerly the first time, recorded the second.
        dtypes: what each array of the batch is cast to.
        eager: never record.
        loss: of a training step, its forward pass alone: the loss that ``function`` returns first.
        after: takes what the step returned, outside of the recording; for metrics on the host.
        own: written by the user, whose Python may do what cannot be seen here; a difference makes it eager for good.
            Of other steps a second one does, where nothing was the same in between.
    """

    __slots__ = ("after", "differed", "dtypes", "eager", "function", "loss", "own", "plan", "ran", "reason")

    def __init__(
        self, function: Function, dtypes: Sequence[str], eager: bool = False,
        loss: Callable[[list[Any]], Tensor] | None = None,
        after: Callable[[list[Tensor]], None] | None = None, own: bool = False,
    ) -> None:  # fmt: skip
        self.function, self.dtypes, self.eager, self.loss = function, list(dtypes), eager, loss
        self.after, self.own = after, own
        self.differed = False  # when it was last verified
        self.plan: Any = None
        self.ran = False
        self.reason = ""

    def __call__(self, sources: Sequence[Any], index: Any, begin: int, end: int) -> list[Tensor]:
        """Runs on rows ``index[begin:end]`` of the sources (rows begin to end without an index)."""
        if self.plan is not None:
            return self.plan.run_rows(sources, index, begin, end)
        batch = self.gather(sources, index, begin, end)
        if self.eager or not self.ran:
            self.ran = True
            return self.function(batch)
        return self.record(batch)

    def gather(self, sources: Sequence[Any], index: Any, begin: int, end: int) -> list[Any]:
        """The rows as Tensors of the step's dtypes."""
        rows = slice(begin, end) if index is None else index[begin:end]
        return [take(source, rows, dtype) for source, dtype in zip(sources, self.dtypes, strict=True)]

    def record(self, batch: list[Tensor]) -> list[Tensor]:
        """Runs once more, writing down the launches. What cannot be replayed stays eager, with the reason kept."""
        plan = _core.Plan()
        places = plan.begin(batch)
        outputs: list[Tensor] = []
        try:
            # other handles, so that what hangs on these (a softmax's logits) does not outlive the step
            outputs = [_core.detach(t) for t in self.function(places)]
        except BaseException:
            plan.end([])
            raise
        del places
        release_held()
        self.reason = plan.end(outputs)
        if self.reason:
            self.eager = True
        else:
            self.plan = plan
        return outputs

    def forget(self) -> None:
        """Records again; the user's own step is not tried a second time, others not a third time."""
        self.plan, self.ran, self.reason = None, True, ""
        self.eager = self.eager or self.own or self.differed


def take(source: Any, rows: Any, dtype: str) -> Any:
    """Rows of a source as a Tensor of ``dtype``; of a sparse matrix as CSR."""
    if isinstance(source, Tensor) and source.device != "cpu":
        chosen = source[rows] if isinstance(rows, slice) else ops.take(source, rows, 0)
        return ops.cast(_core.asarray(chosen, copy=True) if isinstance(rows, slice) else chosen, dtype)
    rows = rows.numpy() if isinstance(rows, Tensor) else rows
    if isinstance(source, Tensor):
        chosen = source.numpy()[rows]
        return asarray(
            np.ascontiguousarray(chosen, dtype=dtype) if isinstance(rows, slice) else chosen.astype(dtype)
        )
    chosen = source.rows(rows)
    return (
        chosen
        if chosen.dtype == dtype
        else CSR(chosen.indptr, chosen.indices, chosen.values.astype(dtype), chosen.shape)
    )


class Steps:
    """The steps of a model, by kind and form of batch; the least recently used go first."""

    def __init__(self, limit: int = 16) -> None:
        self.limit = limit
        self._steps: OrderedDict[Hashable, Step] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Step]) -> Step:
        step = self._steps.get(key)
        if step is None:
            step = self._steps[key] = make()
            if len(self._steps) > self.limit:
                self._steps.popitem(last=False)
        else:
            self._steps.move_to_end(key)
        return step

    def clear(self) -> None:
        self._steps.clear()

    def __iter__(self) -> Any:
        return iter(self._steps.items())

    def __len__(self) -> int:
        return len(self._steps)


# Up to these sizes, of the state and of what a step needs besides, the state is copied and a whole eager step compared.
# Of a larger model, where either would double the memory, only the loss is; a forward pass writes nothing larger than
# SMALL.
COMPARED, NEEDED, SMALL = 8 << 20, 16 << 20, 1 << 20


def verify(step: Step, sources: Sequence[Any], index: Any, begin: int, end: int) -> tuple[bool, list[Tensor]]:
    """One step, run both eagerly and by replay from the same state; do they leave the same bits? And what it returned.

    On a difference the eager result stays (of a large model, the replay's), and the step is recorded again.
    """
    plan = step.plan
    batch = step.gather(sources, index, begin, end)
    if step.loss is not None and (plan.state_size > COMPARED or plan.memory > NEEDED):
        before = plan.save_state(SMALL)
        want = step.loss(batch).numpy().tobytes()
        plan.restore_state(before)
        outputs = plan.run_rows(sources, index, begin, end)
        same = outputs[0].numpy().tobytes() == want
    else:
        state = plan.save_state()
        eager = step.function(batch)
        plan.swap_state(state)  # now as before; `state` is what the eager step left
        outputs = plan.run_rows(sources, index, begin, end)
        same = plan.state_equals(state)
        if not same:
            plan.restore_state(state)
            outputs = eager
    if not same:
        step.forget()
    step.differed = not same
    return same, outputs
