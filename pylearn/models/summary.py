"""The table of ``summary``: plain text, the same everywhere, and HTML for notebooks."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pylearn import structure
from pylearn.layers import InputLayer, Layer

_STYLE = "border-collapse:collapse;font:13px/1.5 system-ui,sans-serif;margin:.4em 0"
_CELL = "padding:.15em .9em .15em .2em;text-align:{};border-bottom:1px solid rgba(128,128,128,.25)"


class Summary(str):
    """The text of a summary. In a notebook it shows as a table; elsewhere as nothing, being printed already."""

    table: str = ""

    def __repr__(self) -> str:
        return ""

    def _repr_html_(self) -> str:
        return self.table


@dataclass
class Row:
    """One layer of the table; ``depth`` counts the models around it."""

    depth: int
    name: str
    kind: str
    shape: str
    parameters: str
    feeds: str
    trainable: str

    @property
    def title(self) -> str:
        return f"{'  ' * self.depth}{self.name} ({self.kind})"


def _count(n: int) -> str:
    return f"{n:,}"


def _size(tensors: Any) -> str:
    value = float(sum(t.nbytes for t in tensors))
    for unit in ("B", "KB", "MB"):
        if value < 1024:
            return f"{value:.2f} {unit}"
        value /= 1024
    return f"{value:.2f} GB"


def _trainable(layer: Layer) -> str:
    """Y, N, or nothing for a layer without weights."""
    return "" if not layer.weights else "Y" if layer.trainable_weights else "N"


def _rows(model: Any, expand: bool, depth: int = 0) -> tuple[list[Row], bool]:
    """The layers, and whether the connections say more than their order."""
    graph = getattr(model, "_graph", None)
    rows: list[Row] = []
    if graph is None:
        for layer in model.layers:
            parameters = _count(layer.count_params()) if layer.built else "?"
            shape = str(layer._nodes[0].outputs.shape) if layer._nodes else "?"
            kind = type(layer).__name__
            rows.append(Row(depth, layer.name, kind, shape, parameters, "", _trainable(layer)))
            if expand and hasattr(layer, "_graph"):
                rows += _rows(layer, expand, depth + 1)[0]
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
        rows.append(Row(depth, layer.name, type(layer).__name__, str(shapes.get(id(layer), "?")),
                        _count(layer.count_params()), connected, _trainable(layer)))  # fmt: skip
        if expand and hasattr(layer, "_graph"):
            inner, branched = _rows(layer, expand, depth + 1)
            rows += inner
            linear = linear and not branched
    return rows, not linear


def _totals(model: Layer) -> list[str]:
    if not (all(layer.built for layer in model._sublayers) and model._sublayers):
        return [
            "Not built yet: give the first layer input_shape, or fit the model, to see shapes and parameters"
        ]
    trained, frozen = model.trainable_weights, model.non_trainable_weights
    parts = {"Total": [*trained, *frozen], "Trainable": trained, "Non-trainable": frozen}
    return [f"{what} params: {_count(sum(w.size for w in p))} ({_size(p)})" for what, p in parts.items()]


def _columns(rows: list[Row], connected: bool, trainable: bool) -> tuple[list[str], list[list[str]]]:
    columns: dict[str, list[str]] = {
        "Layer (type)": [row.title for row in rows],
        "Output Shape": [row.shape for row in rows],
        "Param #": [row.parameters for row in rows],
    }
    if trainable:
        columns["Trainable"] = [row.trainable for row in rows]
    if connected:
        columns["Connected to"] = [row.feeds for row in rows]
    return list(columns), [list(cells) for cells in zip(*columns.values(), strict=True)]


def summarise(
    model: Layer, print_fn: Callable[[str], Any] | None, line_length: int | None = None,
    expand_nested: bool = False, show_trainable: bool = False,
) -> Summary:  # fmt: skip
    """Prints the table line by line, unless ``print_fn`` is None, and returns it."""
    rows, connected = _rows(model, expand_nested)
    head, cells = _columns(rows, connected, show_trainable)
    width = [max([len(head[i]), *(len(row[i]) for row in cells)]) + 3 for i in range(len(head))]
    width[0], width[1], width[2] = max(width[0], 28), max(width[1], 24), max(width[2], 12)
    if line_length is not None and line_length > sum(width) + 1:
        width[0] += line_length - sum(width) - 1
    total = sum(width) + 1

    def line(values: Iterable[str]) -> str:
        return " " + "".join(value.ljust(w) for value, w in zip(values, width, strict=True)).rstrip()

    totals = _totals(model)
    lines = [f'Model: "{model.name}"', "_" * total, line(head), "=" * total, *(line(row) for row in cells),
             "=" * total, *totals, "_" * total]  # fmt: skip
    for text in lines if print_fn is not None else []:
        assert print_fn is not None
        print_fn(text)
    summary = Summary("\n".join(lines))
    summary.table = _html(model, rows, connected, show_trainable, totals)
    return summary


def _html(model: Layer, rows: list[Row], connected: bool, trainable: bool, totals: list[str]) -> str:
    head, cells = _columns(rows, connected, trainable)
    align = ["right" if name == "Param #" else "left" for name in head]
    text = [f"<div><b>{html.escape(model.name)}</b> ({type(model).__name__})"]
    text.append(f'<table style="{_STYLE}"><thead><tr>')
    text += [f'<th style="{_CELL.format(a)}">{name}</th>' for name, a in zip(head, align, strict=True)]
    text.append("</tr></thead><tbody>")
    for row, values in zip(rows, cells, strict=True):
        name = f'<b>{html.escape(row.name)}</b> <span style="opacity:.65">{html.escape(row.kind)}</span>'
        shown = [f'<span style="padding-left:{1.4 * row.depth:g}em">{name}</span>']
        shown += [html.escape(value) for value in values[1:]]
        text.append("<tr>")
        text += [f'<td style="{_CELL.format(a)}">{value}</td>' for value, a in zip(shown, align, strict=True)]
        text.append("</tr>")
    text.append("</tbody></table>")
    text.append(f'<div style="font:12px system-ui,sans-serif;opacity:.8">{"<br>".join(totals)}</div></div>')
    return "".join(text)
