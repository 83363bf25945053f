"""What optimizers share: the arena of parameters, the learning rate, state for checkpoints."""

from __future__ import annotations

import operator
import re
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from pylearn import _core, ops, registry, schedules
from pylearn._core import Tensor

Rate = float | Callable[[int], float]
# The arguments that every optimizer takes.
COMMON = (
    "learning_rate", "weight_decay", "name", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum",
    "ema_overwrite_frequency", "gradient_accumulation_steps",
)  # fmt: skip


_built: weakref.WeakSet[Optimizer] = weakref.WeakSet()


class Moves:
    """Counts how often parameters were given new storage: recorded steps compare it and record again."""

    count = 0


class Optimizer:
    """Base class. ``kind`` and ``settings`` say which fused rule runs, and with which constants.

    Whatever the rule, one pass over all parameters does what is asked around it, in this order: the mean of the
    gradients that were accumulated, the limit on them, weight decay, the rule, the moving average. A call with a loss
    or a gradient that is not finite changes nothing and is counted in ``skipped``.

    Args:
        learning_rate: a float, or a schedule: a function of the number of updates done.
        weight_decay: decoupled decay per update: p -= rate · decay · p.
        name: for logs and files.
        clipnorm: longest norm of each parameter's gradient; longer ones are scaled down.
        clipvalue: largest size of each element of the gradients.
        global_clipnorm: longest norm of all gradients together (Pascanu et al. 2013). At most one of the three.
        use_ema: keep the moving average of the weights (Polyak and Juditsky 1992), which replaces them at the end of
            ``fit``, or by ``finalize_variable_values``.
        ema_momentum: a = momentum · a + (1 - momentum) · p, in [0, 1].
        ema_overwrite_frequency: the average replaces the weights every so many updates too.
        gradient_accumulation_steps: N ≥ 2: each N-th call updates, from the mean of N gradients. A skipped call counts
            for none of them.

    Raises:
        ValueError: a number out of range, or two limits at once.
        TypeError: an argument it does not take.
    """

    kind = ""
    settings: tuple[str, ...] = ()  # the arguments that are constants of the rule

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        weight_decay: float | None = None,
        name: str | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        use_ema: bool = False,
        ema_momentum: float = 0.99,
        ema_overwrite_frequency: int | None = None,
        gradient_accumulation_steps: int | None = None,
        **kwargs: Any,
    ) -> None:
        registry.reject(self, kwargs, COMMON)
        self.name = name or type(self).__name__.lower()
        self.weight_decay = None if weight_decay is None else _number("weight_decay", weight_decay)
        self.clipnorm = _limit("clipnorm", clipnorm)
        self.clipvalue = _limit("clipvalue", clipvalue)
        self.global_clipnorm = _limit("global_clipnorm", global_clipnorm)
        if sum(x is not None for x in (self.clipnorm, self.clipvalue, self.global_clipnorm)) > 1:
            raise ValueError("give at most one of clipnorm, clipvalue and global_clipnorm")
        self.use_ema, self.ema_momentum = bool(use_ema), _number("ema_momentum", ema_momentum)
        if self.ema_momentum > 1.0:
            raise ValueError(f"ema_momentum must be in [0, 1], got {ema_momentum}")
        self.ema_overwrite_frequency = _count("ema_overwrite_frequency", ema_overwrite_frequency, 1)
        self.gradient_accumulation_steps = _count(
            "gradient_accumulation_steps", gradient_accumulation_steps, 2
        )
        self.schedule: Callable[[int], float] | None = None
        self.swapped = False  # are the averages in the place of the weights now?
        self.paced = False  # does a training loop set the schedule's rate between the steps?
        self._no_decay: list[str] = []  # patterns of names of weights that do not decay
        self._no_decay_ids: set[int] = set()
        self._rate = 0.0
        self._updates: list[Any] = []
        self._groups: list[list[int]] = []  # per update, the places of its weights
        self._weights: list[Tensor] = []
        self.constraints: list[tuple[Tensor, Callable[[Any], Any]]] = []  # put in force after each update
        self._grads: list[Tensor] = []
        self._lost = False  # has another optimizer taken weights over?
        self.learning_rate = learning_rate

    # -- the rule ---------------------------------------------------------------------------------

    def hyper(self) -> dict[str, Any]:
        """Constants of the rule, as ``_core.Update`` takes them."""
        return {name: getattr(self, name) for name in self.settings}

    def _constants(self) -> dict[str, Any]:
        """The rule's, and those of what is around it."""
        made: dict[str, Any] = {**self.hyper(), "decoupled": True}
        limits = {"norm": self.clipnorm, "value": self.clipvalue, "global_norm": self.global_clipnorm}
        for clip, limit in limits.items():
            if limit is not None:
                made |= {"clip": clip, "clip_at": limit}
        if self.use_ema:
            overwrite = self.ema_overwrite_frequency or 0
            made |= {"averages": True, "ema": self.ema_momentum, "overwrite": overwrite}
        if self.gradient_accumulation_steps:
            made["accumulate"] = self.gradient_accumulation_steps
        return made

    # -- learning rate ----------------------------------------------------------------------------

    @property
    def learning_rate(self) -> Any:
        """The rate of the next update. Set it to a float or a schedule at any time, also while training."""
        return self._rate if self.schedule is None else float(self.schedule(self.iterations))

    @learning_rate.setter
    def learning_rate(self, value: Rate | dict[str, Any]) -> None:
        if isinstance(value, dict) or (callable(value) and not isinstance(value, (Tensor, np.generic))):
            self.schedule = schedules.get(value)
            value = self.schedule(self.iterations)
        else:
            self.schedule = None
        self._rate = _number("learning_rate", value)
        for update in self._updates:
            update.rate = self._rate

    def set_rate(self) -> None:
        """Puts the schedule's rate for the next update in place; nothing to do for a constant rate."""
        if self.schedule is not None:
            rate = self.schedule(self._updates[0].step if self._updates else 0)
            for update in self._updates:
                update.rate = rate

    # -- building and applying --------------------------------------------------------------------

    @property
    def built(self) -> bool:
        return bool(self._weights)

    @property
    def weights(self) -> list[Tensor]:
        """The parameters it updates."""
        return list(self._weights)

    @property
    def grads(self) -> list[Tensor]:
        """Where the gradients of ``weights`` are read from."""
        return list(self._grads)

    def build(self, weights: Sequence[Tensor]) -> None:
        """Takes these parameters over: moves them into one arena and makes gradients and slots.

        What was learned about a parameter that it had before (its slots, the step) is kept.
        """
        weights = list(weights)
        if len({id(w) for w in weights}) != len(weights):
            raise ValueError("a weight appears twice")
        for weight in weights:
            if weight.dtype.kind != "f":
                raise TypeError(
                    f"weight {weight.name!r} is {weight.dtype}; only float32 and float64 can be trained"
                )
        dtypes = sorted({w.dtype.name for w in weights})
        if self.global_clipnorm is not None and len(dtypes) > 1:
            raise ValueError(f"global_clipnorm needs weights of one dtype, got {' and '.join(dtypes)}")
        kept = self._slots()
        step, waiting = self.iterations, self._updates[0].waiting if self._updates else 0
        self._groups = [[i for i, w in enumerate(weights) if w.dtype.name == dtype] for dtype in dtypes]
        self._updates = []
        self._weights = weights
        self._grads = list(weights)
        for group in self._groups:
            update = _core.Update(self.kind, [weights[i] for i in group], self._constants())
            if self.weight_decay:
                for place, i in enumerate(group):
                    decay = self.weight_decay if self._decays(weights[i]) else 0.0
                    update.set_segment(place, rate=1.0, decay=decay, frozen=False)
            update.rate, update.step, update.waiting = self._rate, step, waiting
            for place, i in enumerate(group):
                self._grads[i] = update.grads[place]
                for slot, value in kept.get(id(weights[i]), {}).items():
                    ops.assign(update.slots[slot][place], value)
            self._updates.append(update)
        Moves.count += 1
        taken = {id(w) for w in weights}
        for other in _built:
            other._lost = other._lost or not taken.isdisjoint(map(id, other._weights))
        _built.add(self)
        self._lost = False

    def rebuild(self) -> None:
        """Takes its weights over again, after they were given other memory; what was learned about them is kept."""
        self.build(self._weights)

    def exclude_from_weight_decay(
        self, var_list: Iterable[Tensor] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Weights that ``weight_decay`` leaves alone, such as biases: ``var_names=["bias"]``.

        Args:
            var_list: the weights themselves.
            var_names: regular expressions, each searched for in the weights' names (``dense/bias``).

        Raises:
            TypeError: names where weights belong, or one name that is not in a list.
        """
        if isinstance(var_names, str):
            raise TypeError(f"var_names must be a list of names, got {var_names!r}: write [{var_names!r}]")
        for weight in var_list or ():
            if not isinstance(weight, Tensor):
                raise TypeError(f"var_list must hold weights, got {weight!r}; give names as var_names=[…]")
            self._no_decay_ids.add(id(weight))
        self._no_decay += [name for name in var_names or () if name not in self._no_decay]
        if self._weights:
            self.rebuild()

    def _decays(self, weight: Tensor) -> bool:
        if id(weight) in self._no_decay_ids:
            return False
        return not any(re.search(pattern, weight.name or "") for pattern in self._no_decay)

    def _slots(self) -> dict[int, dict[str, np.ndarray]]:
        kept: dict[int, dict[str, np.ndarray]] = {}
        for group, update in zip(self._groups, self._updates, strict=True):
            for slot, tensors in update.slots.items():
                for place, i in enumerate(group):
                    kept.setdefault(id(self._weights[i]), {})[slot] = np.array(tensors[place].numpy())
        return kept

    def holds(self, weights: Sequence[Tensor]) -> bool:
        """Is it built for exactly these, and are they still where it put them?"""
        return not self._lost and len(weights) == len(self._weights) and all(
            map(operator.is_, weights, self._weights)
        )  # fmt: skip

    def apply(
        self, grads: Iterable[Any], weights: Sequence[Tensor] | None = None, loss: Tensor | None = None
    ) -> None:
        """One update.

        Args:
            grads: gradients in the order of ``weights``; None counts as zero.
            weights: the parameters; needed the first time.
            loss: when given and not finite, the update is skipped, as it is for a gradient that is not.

        Raises:
            ValueError: other weights than those it was built for, or not one gradient each.
        """
        weights = self._weights if weights is None else list(weights)
        if not self.holds(weights):
            if self._weights and {id(w) for w in weights} != {id(w) for w in self._weights}:
                raise ValueError(
                    "this optimizer was built for other weights; use one optimizer per set, or build(weights)"
                )
            self.build(weights)
        grads = list(grads)
        if len(grads) != len(self._weights):
            raise ValueError(f"{len(grads)} gradients for {len(self._weights)} weights")
        if not self.paced:
            if self.schedule is not None and _core.is_recording():
                _core.abandon_recording(
                    "the learning rate is a schedule, which is Python; set learning_rate between the steps"
                )
            self.set_rate()
        for grad, place in zip(grads, self._grads, strict=True):
            if grad is not place:
                ops.assign(place, 0.0 if grad is None else grad)
        self.update(loss)

    def update(self, loss: Tensor | None = None) -> None:
        """One update from what is in ``grads``; the caller has set the rate."""
        for update in self._updates:
            matching = loss is not None and loss.dtype == self._weights[0].dtype and len(self._updates) == 1
            update.apply(loss if matching else None)
        mine = {id(weight) for weight in self._weights}
        for weight, constraint in self.constraints:
            if id(weight) in mine:
                ops.assign(weight, constraint(weight))

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Tensor]]) -> None:
        """``apply`` from (gradient, weight) pairs, as Keras spells it."""
        pairs = list(grads_and_vars)
        self.apply([g for g, _ in pairs], [w for _, w in pairs])

    def finalize_variable_values(self, weights: Sequence[Tensor] | None = None) -> None:
        """Puts the moving averages in the place of the weights, as ``fit`` does at its end; without them, nothing.

        Args:
            weights: only these; all by default.
        """
        if self.swapped:
            self.swap_averages()
        chosen = None if weights is None else {id(w) for w in weights}
        for group, update in zip(self._groups, self._updates, strict=True):
            for i, average in zip(group, update.slots.get("average", []), strict=False):
                if chosen is None or id(self._weights[i]) in chosen:
                    ops.assign(self._weights[i], average)

    def swap_averages(self) -> None:
        """The weights and their moving averages change places; twice is as before. Without averages, nothing."""
        if not self.iterations:
            return  # the averages begin with the first update
        self.swapped = not self.swapped
        for group, update in zip(self._groups, self._updates, strict=True):
            for i, average in zip(group, update.slots.get("average", []), strict=False):
                weight = np.array(self._weights[i].numpy())
                ops.assign(self._weights[i], average)
                ops.assign(average, weight)

    # -- counters ---------------------------------------------------------------------------------

    @property
    def iterations(self) -> int:
        """Updates applied; with accumulation, each takes several calls."""
        return int(self._updates[0].step) if self._updates else 0

    @property
    def skipped(self) -> int:
        """Calls skipped because something was not finite."""
        return sum(update.skipped for update in self._updates)

    # -- copies and files -------------------------------------------------------------------------

    def copy(self) -> Optimizer:
        """A fresh optimizer of the same settings, without state."""
        made = type(self).from_config(self.get_config())
        made._no_decay_ids = set(self._no_decay_ids)
        return made

    def state(self) -> dict[str, np.ndarray]:
        """Step and slots, by name, for a checkpoint."""
        return {f"{i}/{key}": np.asarray(value) for i, update in enumerate(self._updates)
                for key, value in update.state().items()}  # fmt: skip

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Puts back what ``state`` gave; the optimizer must be built for the same weights.

        Raises:
            ValueError: it does not fit.
        """
        for i, update in enumerate(self._updates):
            prefix = f"{i}/"
            update.load_state({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
            update.rate = self._rate

    def get_config(self) -> dict[str, Any]:
        """Settings, the learning rate as it is now."""
        rate = self._rate if self.schedule is None else self.schedule
        excluded = {"excluded_from_weight_decay": list(self._no_decay)} if self._no_decay else {}
        return {
            "learning_rate": rate,
            **{name: getattr(self, name) for name in (*self.settings, *COMMON[1:])},
            **excluded,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        config = dict(config)
        excluded = config.pop("excluded_from_weight_decay", [])
        made: Optimizer = registry.construct(cls, config, COMMON)
        made.exclude_from_weight_decay(var_names=excluded)
        return made

    def __repr__(self) -> str:
        return f"<{type(self).__name__} learning_rate={self.learning_rate:g}, {self.iterations} updates>"


def _number(name: str, value: Any) -> float:
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or a schedule, got {value!r}") from None
    if not 0.0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number ≥ 0, got {value}")
    return value


def _limit(name: str, value: Any) -> float | None:
    if value is None:
        return None
    value = _number(name, value)
    if value == 0.0:
        raise ValueError(f"{name} must be positive")
    return value


def _count(name: str, value: Any, least: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return value
