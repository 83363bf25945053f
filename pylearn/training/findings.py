"""What is usually wrong when a network does not learn, each as one sentence of advice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from pylearn import _core, activations, structure
from pylearn._core import Tensor
from pylearn.layers import Layer
from pylearn.training import data
from pylearn.training.data import Arrays
from pylearn.training.feed import array_names, source
from pylearn.training.nonfinite import all_layers, bad_row, watching
from pylearn.training.step import take

if TYPE_CHECKING:
    from pylearn.training.trainer import Trainer

DEAD = 0.2  # share of a layer's units that give 0 for every row, from which on it is reported
VANISHING, EXPLODING = 1e-6, 1e4  # a layer's gradient beside the largest, and beside that of the last layer
HUGE = 1e3  # a layer's gradient beside its weights
LARGE, SMALL, UNEVEN = 10.0, 0.01, 1e3  # sizes of inputs, and of one column beside another
NEIGHBOURS = 500  # rows compared with their nearest neighbours
SCALING = ("BatchNormalization", "LayerNormalization", "Normalization", "Rescaling", "Embedding")
HEADS = {"Softmax": "softmax", "ReLU": "relu"}  # layers that are an activation by their class


@dataclass
class Finding:
    """Something that is wrong.

    Attributes:
        kind: a name for it, such as "dead units".
        layer: where, or None.
        sentence: what it is, and what to do.
        certain: does it keep the model from learning, rather than make it harder?
    """

    kind: str
    layer: str | None
    sentence: str
    certain: bool = False

    def __str__(self) -> str:
        return f"{self.kind}: {self.sentence}"


def of_model(model: Trainer, arrays: Arrays) -> list[Finding]:
    """What is wrong with a model on these rows, before any training."""
    return [*heads(model, arrays), *dead_units(model, arrays), *mixed_rows(model, arrays)]


# -- running it ---------------------------------------------------------------------------------------------------


def batch_of(model: Trainer, arrays: Arrays) -> list[Any]:
    """All rows as one flat batch of Tensors."""
    counts = (len(arrays.x), len(arrays.y), len(arrays.weights))
    sources = [source(data.native(np.array(a))) if data.on_disk(a) else source(a) for a in arrays]
    return [take(s, slice(None), dtype) for s, dtype in zip(sources, model._dtypes(counts), strict=True)]


def predictions(model: Trainer, arrays: Arrays) -> list[np.ndarray]:
    """Outputs in inference mode."""
    return [np.array(t.numpy()) for t in model.forward(batch_of(model, Arrays(arrays.x)), False)[0]]


def _layer_outputs(model: Trainer, arrays: Arrays) -> list[tuple[Layer, np.ndarray]]:
    seen: list[tuple[Layer, Any, Any]] = []
    with watching([layer for layer in all_layers(model) if not layer._sublayers], seen):
        model.forward(batch_of(model, Arrays(arrays.x)), False)
    return [(layer, np.array(leaf.numpy())) for layer, _, y in seen for leaf in structure.leaves(y)
            if isinstance(leaf, Tensor)]  # fmt: skip


def activation_of(layer: Layer) -> str | None:
    """The name of the activation that a layer ends with, or None."""
    if type(layer).__name__ in HEADS:
        return HEADS[type(layer).__name__]
    function = getattr(layer, "activation", None)
    return next((name for name, known in activations.ALL.items() if known is function), None)


def head_of(model: Any, i: int = 0) -> str | None:
    """The activation of an output, through layers that only change its shape; None where it is not known."""
    outputs = getattr(model, "outputs", None) if getattr(model, "_graph", None) is not None else None
    if not outputs:
        return None
    node = outputs[i].node
    while node is not None:
        layer = node.layer
        if getattr(layer, "_graph", None) is not None:
            return head_of(layer)
        name = activation_of(layer)
        if name is not None or type(layer).__name__ not in ("Reshape", "Flatten", "Dropout"):
            return name
        node = node.inputs.node if hasattr(node.inputs, "node") else None
    return None


# -- the model ----------------------------------------------------------------------------------------------------


def dead_units(model: Trainer, arrays: Arrays) -> list[Finding]:
    found = []
    for layer, out in _layer_outputs(model, arrays):
        if activation_of(layer) not in ("relu", "relu6") or out.ndim < 2:
            continue
        dead = (out == 0).reshape(-1, out.shape[-1]).all(axis=0)
        if dead.mean() >= DEAD:
            which = "all" if dead.all() else f"{int(dead.sum())} of"
            said = (f"{which} {dead.size} units of layer {layer.name!r} are 0 for every row, so no gradient passes "
                    "them: start from smaller or positive biases, kernel_initializer='he_normal', scaled inputs, or "
                    "leaky_relu")  # fmt: skip
            found.append(Finding("dead units", layer.name, said, bool(dead.all())))
    return found


def mixed_rows(model: Trainer, arrays: Arrays) -> list[Finding]:
    """Does the output for a row depend on the other rows of the batch?"""
    n = arrays.rows
    if n < 3:
        return []
    order = np.random.default_rng(0).permutation(n)
    order = np.roll(np.arange(n), 1) if (order == np.arange(n)).all() else order
    straight, other = _layer_outputs(model, arrays), _layer_outputs(model, arrays.slice(order))
    for (layer, a), (_, b) in zip(straight, other, strict=True):
        if len(a) != n or a.shape != b.shape or not np.isfinite(a).all():
            continue
        size = float(np.abs(a).max()) or 1.0
        if not np.allclose(a[order], b, rtol=1e-3, atol=1e-4 * size):
            return [Finding("mixed rows", layer.name, f"the output of layer {layer.name!r} for a row depends on the "
                            "other rows of the batch: it moves or mixes the first axis, so predictions do not belong "
                            "to their rows", True)]  # fmt: skip
    return []


def gradients(model: Trainer, arrays: Arrays) -> tuple[list[Finding], list[tuple[str, float, float]]]:
    """Vanishing and exploding ones; and of each layer its name, its gradient's size, and that beside its weights'."""
    compiled = model.compiled("diagnose")
    weights = model.trainable_weights
    if not weights:
        return [
            Finding("no gradient", None, "nothing trains: every layer is frozen or has no weights", True)
        ], []
    batch = batch_of(model, arrays)
    nx, ny = len(arrays.x), len(arrays.y)
    with _core.grad_scope():
        predicted, masks, penalties = model.run_collecting(batch[:nx], True)
        total, _ = compiled.loss_of(batch[nx : nx + ny], predicted, batch[nx + ny :], masks, penalties)
    table: dict[str, list[float]] = {}
    found: list[Finding] = []
    for weight, grad in zip(weights, _core.gradients(total, weights), strict=True):
        name = (weight.name or "weight").rpartition("/")[0] or "weight"
        g, w = grad.numpy().astype("float64"), weight.numpy().astype("float64")
        if not np.isfinite(g).all():
            return [Finding("exploding gradient", name, f"the gradient of layer {name!r} is not finite: lower the "
                            "learning rate, scale the inputs, clip gradients (clipnorm=1.0)", True)], []  # fmt: skip
        if w.ndim > 1:
            row = table.setdefault(name, [0.0, 0.0])
            row[0], row[1] = row[0] + float(np.sum(g * g)), row[1] + float(np.sum(w * w))
    rows = [(name, g**0.5, (g / w) ** 0.5 if w else 0.0) for name, (g, w) in table.items()]
    if not rows:
        return found, rows
    largest, last = max(r[2] for r in rows), rows[-1][2]
    if largest == 0.0:
        return [Finding("no gradient", None, "the gradient of every layer is 0: all units may be dead, or the loss "
                        "does not depend on the outputs", True)], rows  # fmt: skip
    weak = [r[0] for r in rows if r[2] < VANISHING * largest]
    if weak:
        found.append(Finding("vanishing gradient", weak[0], f"the gradient of layer {weak[0]!r}"
                             + (f" and {len(weak) - 1} more" if len(weak) > 1 else "")
                             + f" is less than {VANISHING:g} of the largest: use relu or residual connections, "
                             "he_normal, or normalisation between the layers"))  # fmt: skip
    strong = [r for r in rows if r[2] > HUGE or (last > 0 and r[2] > EXPLODING * last)]
    if strong:
        name, _, share = max(strong, key=lambda r: r[2])
        said = (f"the gradient of layer {name!r} is {share:.1g} times the size of its weights: use smaller first "
                "weights, scaled inputs and targets, normalisation, or clipnorm=1.0")  # fmt: skip
        found.append(Finding("exploding gradient", name, said))
    return found, rows


def heads(model: Trainer, arrays: Arrays, probabilities: bool = False) -> list[Finding]:
    """Heads and losses that do not belong together; ``probabilities``: only of losses that take such."""
    found: list[Finding] = []
    for i, objective in enumerate(model.compiled("diagnose").outputs or []):
        shape = model.output_shapes()[i]
        head = head_of(model, i)
        if objective.loss is None or head is None or shape is None or i >= len(arrays.y):
            continue
        if probabilities and not hasattr(objective.loss, "from_logits"):
            continue
        said = _head(head, shape[-1], objective.loss, np.asarray(arrays.y[i]))
        if said:
            found.append(Finding("head and loss", objective.name, said[0], said[1]))
    return found


RANGES = {"sigmoid": (0.0, 1.0), "softmax": (0.0, 1.0), "tanh": (-1.0, 1.0), "relu": (0.0, np.inf)}


def _head(head: str, width: int | None, loss: Any, y: np.ndarray) -> tuple[str, bool] | None:
    from_logits = getattr(loss, "from_logits", None)
    categorical = "categorical" in loss.name and "hinge" not in loss.name
    binary = loss.name.startswith("binary")
    if head == "softmax" and width == 1:
        return ("softmax over one output is always 1: use Dense(1, activation='sigmoid') with binary_crossentropy, or "
                "one output per class"), True  # fmt: skip
    if from_logits and head in ("softmax", "sigmoid"):
        return (
            f"{loss.name} with from_logits=True after {head} applies it twice: leave out one of them",
            False,
        )
    if categorical and not from_logits and head != "softmax":
        fix = ("for one class per row use softmax, for several labels binary_crossentropy" if head == "sigmoid" else
               "end with activation='softmax', or use from_logits=True")  # fmt: skip
        return (
            f"{loss.name} takes probabilities that sum to 1, but the last layer ends with {head}: {fix}",
            False,
        )
    if binary and not from_logits and head != "sigmoid":
        fix = ("use categorical_crossentropy" if head == "softmax" else
               "end with activation='sigmoid', or use from_logits=True")  # fmt: skip
        return (
            f"{loss.name} takes a probability per output, but the last layer ends with {head}: {fix}",
            False,
        )
    if loss.regression and head in RANGES and y.size and y.dtype.kind in "fiub":
        low, high = RANGES[head]
        outside = float(np.mean((y < low) | (y > high)))
        if outside:
            return (f"{outside:.0%} of the targets lie outside [{low:g}, {high:g}], which is all that {head} can give: "
                    "end with activation='linear', or scale y"), outside > 0.05  # fmt: skip
        if head == "softmax":
            return f"{loss.name} after softmax learns slowly: use a cross-entropy for classes", False
    return None


# -- the data -----------------------------------------------------------------------------------------------------


def not_finite(model: Trainer, arrays: Arrays) -> list[Finding]:
    """Arrays with a row that is not finite."""
    found = []
    names = array_names(model, (len(arrays.x), len(arrays.y), len(arrays.weights)))
    for name, value in zip(names, arrays, strict=True):
        row = None if data.is_sparse(value) else bad_row(np.asarray(value))
        if row is not None:
            found.append(Finding("not finite", None, f"{name} is not finite in row {row}: remove or fill such rows, "
                                 f"~np.isfinite({name}).all(1)", True))  # fmt: skip
    return found


def of_data(model: Trainer, arrays: Arrays) -> list[Finding]:
    """Rows that are not finite, and sizes that make training hard."""
    found = not_finite(model, arrays)
    names = array_names(model, (len(arrays.x), len(arrays.y), len(arrays.weights)))
    if found:
        return found
    places = model.input_places() or []
    scaled = _scales_itself(model)
    for i, value in enumerate(arrays.x):
        if not scaled and not data.is_sparse(value) and (not places or places[i].dtype.startswith("float")):
            found += _size(names[i], np.asarray(value))
    for i, objective in enumerate(model.compiled("diagnose").outputs or []):
        if objective.loss is not None and objective.loss.regression and i < len(arrays.y):
            y = np.asarray(arrays.y[i], "float64")
            size = float(np.sqrt(np.mean(y * y))) if y.size else 0.0
            if size > 100:
                found.append(Finding("unscaled target", None, f"the targets are of size {size:.3g}: train on "
                                     "(y - y.mean()) / y.std(), and undo it on the predictions"))  # fmt: skip
    return found


def _scales_itself(model: Trainer) -> bool:
    layers = [layer for layer in all_layers(model) if not layer._sublayers]
    first = next(
        (layer for layer in layers if type(layer).__name__ not in ("InputLayer", "Flatten", "Reshape")), None
    )
    return first is not None and type(first).__name__ in SCALING


def _size(name: str, x: np.ndarray) -> list[Finding]:
    x = np.asarray(x, "float64")
    size = float(np.sqrt(np.mean(x * x))) if x.size else 1.0
    fix = f"use {name} / 255.0" if 100 < float(x.max()) <= 255 and float(x.min()) >= 0 else (
        f"standardise it, ({name} - {name}.mean(0)) / {name}.std(0)")  # fmt: skip
    if size > LARGE:
        return [
            Finding(
                "unscaled input",
                None,
                f"{name} is of size {size:.3g} (largest {float(np.abs(x).max()):.3g}): {fix}",
            )
        ]
    if 0 < size < SMALL:
        return [Finding("unscaled input", None, f"{name} is of size {size:.2g} only: {fix}")]
    if x.ndim == 2 and len(x) > 1:
        spread = x.std(0)
        used = spread[spread > 0]
        if len(used) > 1 and used.max() > UNEVEN * used.min():
            wide = int(np.argmax(spread))
            times = used.max() / used.min()
            return [Finding("unscaled input", None, f"column {wide} of {name} varies {times:.1g} times as much as the "
                            f"least varied one: {fix}")]  # fmt: skip
    return []


def leaks(train: Arrays, held_out: Arrays) -> list[Finding]:
    """Rows of the validation that are rows of the training too."""
    if any(data.is_sparse(a) for a in [*train.x, *held_out.x]):
        return []
    known = {key: row for row, key in enumerate(_keys(train.x))}
    pairs = [(row, known[key]) for row, key in enumerate(_keys(held_out.x)) if key in known]
    if not pairs:
        return []
    row, same = pairs[0]
    return [Finding("leaking validation", None, f"{len(pairs)} of {held_out.rows} rows of the validation are rows of "
                    f"the training too (row {row} is row {same}): its score is too good; remove duplicates before "
                    "splitting")]  # fmt: skip


def _keys(x: Sequence[Any]) -> list[bytes]:
    flat = [np.ascontiguousarray(a).reshape(len(a), -1) for a in x]
    return [b"".join(a[i].tobytes() for a in flat) for i in range(len(flat[0]))]


def unrelated(model: Trainer, arrays: Arrays) -> Finding | None:
    """Do rows that are near each other in x have nothing in common in y? Then x and y may be in different orders."""
    if len(arrays.x) != 1 or len(arrays.y) != 1 or data.is_sparse(arrays.x[0]) or arrays.rows < 20:
        return None
    places = model.input_places()
    if places and not places[0].dtype.startswith("float"):
        return None  # ids are not near each other
    chosen = np.linspace(0, arrays.rows - 1, min(arrays.rows, NEIGHBOURS)).astype(int)
    x = np.asarray(arrays.x[0][chosen], "float64").reshape(len(chosen), -1)
    y = np.asarray(arrays.y[0][chosen])
    x = (x - x.mean(0)) / np.where(x.std(0) > 0, x.std(0), 1.0)
    squares = np.sum(x * x, axis=1)
    distance = squares[:, None] + squares - 2 * x @ x.T
    np.fill_diagonal(distance, np.inf)
    nearest = distance.argmin(axis=1)
    n = len(chosen)
    loss = (model.compiled("diagnose").outputs or [None])[0]  # type: ignore[list-item]
    regression = loss is not None and loss.loss is not None and loss.loss.regression
    y = y.reshape(n, -1)
    ids = y.argmax(-1) if y.shape[1] > 1 else y[:, 0]
    if regression and len(np.unique(ids)) > 2:
        values = y.astype("float64") - y.mean(0)
        spread = float(np.sum(values * values))
        together = float(np.sum(values * values[nearest])) / spread if spread else 1.0
        surely, what = together * n**0.5, f"correlation {together:.2f}"
    else:
        share = np.unique(ids, return_counts=True)[1] / n
        chance = float(np.sum(share * share))
        if chance > 0.95:
            return None
        hit = float(np.mean(ids == ids[nearest]))
        surely = (hit - chance) / (chance * (1 - chance) / n) ** 0.5
        what = f"{hit:.0%} equal, {chance:.0%} by chance"
    if surely > 3.5:  # neighbours are often mutual, so that chance alone spreads 1.4 times as far
        return None
    return Finding("unrelated targets", None, "rows that are near each other in x have nothing in common in y "
                   f"({what}), even if a model can learn them by heart: were x and y shuffled apart?")  # fmt: skip
