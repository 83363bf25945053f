"""The table that ``summary`` prints: plain text, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pylearn import structure
from pylearn.layers import InputLayer, Layer


class Summary(str):
    """The text of a summary; shown as nothing when it is the last value of a notebook cell, being printed already."""

    def __repr__(self) -> str:
        return ""


def _count(n: int) -> str:
    return f"{n:,}"


def _size(tensors: Any) -> str:
    value = float(sum(t.nbytes for t in tensors))
    for unit in ("B", "KB", "MB"):
        if value < 1024:
            return f"{value:.2f} {unit}"
        value /= 1024
    return f"{value:.2f} GB"


def _rows(model: Any) -> tuple[list[list[str]], bool]:
    graph = getattr(model, "_graph", None)
    rows: list[list[str]] = []
    if graph is None:
        for layer in model.layers:
            parameters = _count(layer.count_params()) if layer.built else "?"
            shape = str(layer._nodes[0].outputs.shape) if layer._nodes else "?"
            rows.append([f"{layer.name} ({type(layer).__name__})", shape, parameters, ""])
        return rows, False
    feeds: dict[int, list[str]] = {}
    shapes: dict[int, Any] = {}
    counts: dict[int, int] = {}
    by_place: dict[int, str] = {i: layer.name for i, layer in enumerate(graph.input_layers)}
    for layer, t in zip(graph.input_layers, graph.inputs, strict=True):
        shapes[id(layer)] = t.shape
    for call in graph.calls:
        feeds.setdefault(id(call.layer), []).extend(by_place[i] for i in structure.leaves(call.inputs))
        for i in structure.leaves(call.outputs):
            by_place[i] = call.layer.name
        shape = structure.transform(lambda t: str(t.shape), call.node.outputs)
        shapes.setdefault(
            id(call.layer), shape if isinstance(shape, str) else ", ".join(structure.leaves(shape))
        )
        counts[id(call.layer)] = counts.get(id(call.layer), 0) + 1
    linear = len(graph.inputs) == 1 and all(n == 1 for n in counts.values()) and all(
        isinstance(call.inputs, int) and call.inputs == i for i, call in enumerate(graph.calls))  # fmt: skip
    for layer in model.layers:
        connected = "" if isinstance(layer, InputLayer) else ", ".join(feeds.get(id(layer), []))
        rows.append([f"{layer.name} ({type(layer).__name__})", str(shapes.get(id(layer), "?")),
                     _count(layer.count_params()), connected])  # fmt: skip
    return rows, not linear


def summarise(model: Layer, print_fn: Callable[[str], Any], line_length: int | None = None) -> Summary:
    """Prints the table line by line and returns it."""
    rows, connected = _rows(model)
    head = ["Layer (type)", "Output Shape", "Param #", "Connected to"]
    columns = 4 if connected else 3
    width = [max([len(head[i]), *(len(row[i]) for row in rows)]) + 3 for i in range(columns)]
    width[0], width[1], width[2] = max(width[0], 28), max(width[1], 24), max(width[2], 12)
    if line_length is not None and line_length > sum(width) + 1:
        width[0] += line_length - sum(width) - 1
    total = sum(width) + 1
    lines = [f'Model: "{model.name}"', "_" * total]
    lines.append(" " + "".join(head[i].ljust(width[i]) for i in range(columns)).rstrip())
    lines.append("=" * total)
    for row in rows:
        lines.append(" " + "".join(row[i].ljust(width[i]) for i in range(columns)).rstrip())
    lines.append("=" * total)
    trained, frozen = model.trainable_weights, model.non_trainable_weights
    built = all(layer.built for layer in model._sublayers) and bool(model._sublayers)
    if built:
        counts = [sum(w.size for w in part) for part in ([*trained, *frozen], trained, frozen)]
        lines.append(f"Total params: {_count(counts[0])} ({_size([*trained, *frozen])})")
        lines.append(f"Trainable params: {_count(counts[1])} ({_size(trained)})")
        lines.append(f"Non-trainable params: {_count(counts[2])} ({_size(frozen)})")
    else:
        lines.append(
            "Not built yet: give the first layer input_shape, or fit the model, to see shapes and parameters"
        )
    lines.append("_" * total)
    for line in lines:
        print_fn(line)
    return Summary("\n".join(lines))
