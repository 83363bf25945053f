"""A model as a drawing: boxes in layers from the inputs down, in SVG, by nothing but this file.

The method is Sugiyama's (Sugiyama, Tagawa and Toda 1981): a box stands below everything it reads; an edge that passes
over ranks gets a place in each of them, so that it never runs through a box; boxes of a rank are ordered by the means
of their neighbours; then moved towards these as far as the boxes beside them let.
"""

from __future__ import annotations

import html
import itertools
import os
import re
from dataclasses import dataclass, field
from typing import Any

from pylearn import files, structure
from pylearn.layers import InputLayer, Layer

# Fill of the header by kind of layer: the first pattern that the class's name matches.
_COLOURS = (
    (r"Input", "#64748b"), (r"Dense|Linear", "#2563eb"), (r"Conv", "#c2410c"), (r"Pool|UpSampling", "#a16207"),
    (r"LSTM|GRU|RNN|Bidirectional", "#7c3aed"), (r"Normalization", "#0f766e"), (r"Attention", "#be185d"),
    (r"Embedding", "#4d7c0f"), (r"Dropout|Noise|Activation|Regulariz", "#78716c"),
    (r"Add|Subtract|Multiply|Average|Maximum|Minimum|Concatenate|Dot", "#0369a1"),
    (r"Sequential|Functional|Model", "#1f2937"),
)  # fmt: skip
_OTHER = "#475569"
_LINE, _HEADER, _GAP_X, _GAP_Y, _MARGIN = 16.0, 22.0, 28.0, 34.0, 16.0
_SMALLEST, _CHARACTER, _BOLD = 120.0, 6.3, 7.0  # widths: of a box, of a character at 11 and at 12 pixels
_SWEEPS = 12
_STRAIGHT = 6.0  # how much more a neighbour of the same kind counts


@dataclass
class Box:
    """A layer's call, or (``layer`` None) the place of a long edge in a rank."""

    title: str
    kind: str = ""
    lines: list[str] = field(default_factory=list)
    rank: int = 0
    x: float = 0.0  # of the middle
    y: float = 0.0  # of the top
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)

    @property
    def bend(self) -> bool:
        return not self.kind

    @property
    def width(self) -> float:
        if self.bend:
            return 10.0
        longest = max([len(line) for line in self.lines], default=0) * _CHARACTER
        return max(_SMALLEST, (len(self.title) + len(self.kind) + 3) * _BOLD + 18, longest + 20)

    @property
    def height(self) -> float:
        return 0.0 if self.bend else _HEADER + _LINE * len(self.lines) + 8


class Diagram:
    """A drawing: ``.svg`` is its text; notebooks show it; ``save(path)`` writes it."""

    def __init__(self, svg: str, boxes: list[Box]) -> None:
        self.svg, self.boxes = svg, boxes

    def _repr_html_(self) -> str:
        return self.svg

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the SVG file.

        Raises:
            ValueError: a path that does not end in .svg.
        """
        if not os.fspath(path).endswith(".svg"):
            raise ValueError(f"a diagram is written as .svg, got {os.fspath(path)}")
        files.write_text(path, self.svg)

    def __repr__(self) -> str:
        return f"<Diagram of {sum(not box.bend for box in self.boxes)} layers>"


def model_diagram(model: Any, expand_nested: bool = False) -> Diagram:
    """The layers of a model and what flows between them, as a drawing.

    Args:
        model: a ``Sequential`` or functional model whose shapes are known.
        expand_nested: also the layers of models inside this one.

    Returns:
        an object with ``.svg`` (text), ``.save(path)``, and a picture of itself in notebooks. Needs no other library.

    Raises:
        ValueError: the model has no graph: it is not built, or a class with a ``call`` of its own.

    >>> from pylearn.layers import Dense, Input
    >>> from pylearn.models import Sequential
    >>> model_diagram(Sequential([Input((4,)), Dense(3)])).svg[:4]
    '<svg'
    """
    if getattr(model, "_graph", None) is None:
        raise ValueError(
            f"{getattr(model, 'name', type(model).__name__)} has no graph to draw: give its first layer input_shape, "
            "or make it of Input and layers"
        )
    boxes: list[Box] = []
    _collect(boxes, model._graph, None, expand_nested, "")
    ranks = _ranked(boxes)
    _order(boxes, ranks)
    _place(boxes, ranks)
    return Diagram(_draw(boxes, str(model.name)), boxes)


# -- what to draw -----------------------------------------------------------------------------------


def _collect(boxes: list[Box], graph: Any, given: list[int] | None, expand: bool, prefix: str) -> list[int]:
    """Adds the graph's boxes; returns those of its outputs. ``given``: boxes that feed the graph's inputs."""
    at: dict[int, int] = {}
    for i, (layer, t) in enumerate(zip(graph.input_layers, graph.inputs, strict=True)):
        if given is not None:
            at[i] = given[i]
        else:
            boxes.append(_box(layer, [t.shape], prefix))
            at[i] = len(boxes) - 1
    for call in graph.calls:
        sources = [at[i] for i in structure.leaves(call.inputs)]
        places = list(structure.leaves(call.outputs))
        inner = getattr(call.layer, "_graph", None)
        if expand and inner is not None:
            made = _collect(boxes, inner, sources, expand, f"{prefix}{call.layer.name}/")
            at.update(zip(places, made, strict=True))
            continue
        boxes.append(_box(call.layer, [t.shape for t in structure.leaves(call.node.outputs)], prefix))
        index = len(boxes) - 1
        for source in dict.fromkeys(sources):
            boxes[source].below.append(index)
            boxes[index].above.append(source)
        at.update((place, index) for place in places)
    return [at[i] for i in graph.output_places]


def _box(layer: Layer, shapes: list[Any], prefix: str) -> Box:
    shape = ", ".join(str(tuple(s)).replace("None", "–") for s in shapes)
    lines = [shape]
    count, trained = layer.count_params(), sum(w.size for w in layer.trainable_weights)
    if count:
        frozen = "" if trained == count else f" ({count - trained:,} frozen)"
        lines.append(f"{count:,} parameter{'s' * (count != 1)}{frozen}")
    kind = "Input" if isinstance(layer, InputLayer) else type(layer).__name__
    activation = getattr(getattr(layer, "activation", None), "__name__", None) or getattr(
        layer, "activation", None
    )
    if isinstance(activation, str) and activation != "linear":
        lines.insert(1, activation)
    return Box(prefix + layer.name, kind, lines)


# -- where to draw it -------------------------------------------------------------------------------


def _ranked(boxes: list[Box]) -> list[list[int]]:
    """Ranks of boxes, each below all it reads; long edges are cut into pieces of one rank."""
    for box in boxes:  # they are listed in an order in which they can run
        box.rank = max((boxes[i].rank + 1 for i in box.above), default=0)
    for box in boxes:  # an input stands right above its first reader
        if not box.above and box.below:
            box.rank = min(boxes[i].rank for i in box.below) - 1
    for index in range(len(boxes)):
        for target in list(boxes[index].below):
            source = index
            for rank in range(boxes[index].rank + 1, boxes[target].rank):
                boxes.append(Box("", rank=rank))
                bend = len(boxes) - 1
                _swap(boxes[source].below, target, bend)
                boxes[bend].above, boxes[bend].below = [source], [target]
                _swap(boxes[target].above, source, bend)
                source = bend
    ranks: list[list[int]] = [[] for _ in range(max(box.rank for box in boxes) + 1)]
    for index, box in enumerate(boxes):
        ranks[box.rank].append(index)
    return ranks


def _swap(items: list[int], old: int, new: int) -> None:
    items[items.index(old)] = new


def _crossings(boxes: list[Box], upper: list[int], lower: list[int]) -> int:
    place = {index: i for i, index in enumerate(lower)}
    ends = [(i, place[t]) for i, index in enumerate(upper) for t in boxes[index].below]
    return sum((a[0] - b[0]) * (a[1] - b[1]) < 0 for i, a in enumerate(ends) for b in ends[:i])


def _order(boxes: list[Box], ranks: list[list[int]]) -> None:
    """Orders each rank by the means of the neighbours' places, down and up in turns; keeps the best seen."""

    def total() -> int:
        return sum(_crossings(boxes, a, b) for a, b in itertools.pairwise(ranks))

    best, fewest = [list(rank) for rank in ranks], total()
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        for rank in range(1, len(ranks)) if down else range(len(ranks) - 2, -1, -1):
            beside = ranks[rank - 1 if down else rank + 1]
            place = {index: i for i, index in enumerate(beside)}

            def mean(index: int, place: dict[int, int] = place, down: bool = down) -> float:
                near = [place[i] for i in (boxes[index].above if down else boxes[index].below) if i in place]
                return sum(near) / len(near) if near else float("inf")

            ranks[rank].sort(key=mean)
        if (now := total()) < fewest:
            best, fewest = [list(rank) for rank in ranks], now
    ranks[:] = best


def _place(boxes: list[Box], ranks: list[list[int]]) -> None:
    """Coordinates: ranks one below the other, boxes near the means of their neighbours and never over each other."""
    for rank in ranks:
        left = 0.0
        for index in rank:
            boxes[index].x = left + boxes[index].width / 2
            left += boxes[index].width + _GAP_X
        for index in rank:
            boxes[index].x -= (left - _GAP_X) / 2
    for sweep in range(4 * _SWEEPS):
        down = sweep % 2 == 0
        for rank in ranks if down else reversed(ranks):
            _shift(boxes, rank, [_wanted(boxes, index, down) for index in rank])
    top = 0.0
    for rank in ranks:
        tallest = max(boxes[index].height for index in rank)
        for index in rank:
            boxes[index].y = top + (tallest - boxes[index].height) / 2
        top += tallest + _GAP_Y


def _wanted(boxes: list[Box], index: int, down: bool) -> float:
    """Mean place of the neighbours; a chain of layers, and a long edge within itself, pull most to be straight."""
    box = boxes[index]
    near = (box.above if down else box.below) or (box.below if down else box.above)
    weights = [_STRAIGHT if boxes[i].bend == box.bend else 1.0 for i in near]
    return sum(w * boxes[i].x for w, i in zip(weights, near)) / sum(weights) if near else box.x


def _shift(boxes: list[Box], rank: list[int], wanted: list[float]) -> None:
    """Least squares towards the wanted places, keeping distances: neighbours that collide move as one block."""
    offsets, total = [], 0.0
    for i, index in enumerate(rank):
        if i:
            total += (boxes[rank[i - 1]].width + boxes[index].width) / 2 + _GAP_X
        offsets.append(total)
    blocks: list[
        tuple[float, float, int]
    ] = []  # sum of weight · (wanted - offset), of weights, number of boxes
    for i, index in enumerate(rank):
        weight = 0.2 if boxes[index].bend else 1.0
        block = (weight * (wanted[i] - offsets[i]), weight, 1)
        while blocks and blocks[-1][0] / blocks[-1][1] > block[0] / block[1]:
            before = blocks.pop()
            block = (before[0] + block[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    moved = [value / weight for value, weight, count in blocks for _ in range(count)]
    for index, x, offset in zip(rank, moved, offsets, strict=True):
        boxes[index].x = x + offset


# -- the drawing ------------------------------------------------------------------------------------


def _draw(boxes: list[Box], name: str) -> str:
    left = min(box.x - box.width / 2 for box in boxes) - _MARGIN
    width = max(box.x + box.width / 2 for box in boxes) + _MARGIN - left
    height = max(box.y + box.height for box in boxes) + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{left:.1f} {-_MARGIN:.1f} {width:.1f} {height:.1f}" role="img" '
        f'font-family="DejaVu Sans, Verdana, sans-serif">',
        f"<title>{html.escape(name)}</title>",
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0,0.8 L7.2,4 L0,7.2 Z" fill="#64748b"/></marker></defs>',
        f'<rect x="{left:.1f}" y="{-_MARGIN:.1f}" width="{width:.1f}" height="{height:.1f}" fill="#ffffff"/>',
    ]
    parts += [_edge(boxes, i, j) for i, box in enumerate(boxes) if not box.bend for j in box.below]
    parts += [_drawn(box) for box in boxes if not box.bend]
    return "\n".join([*parts, "</svg>"])


def _edge(boxes: list[Box], source: int, target: int) -> str:
    """From the bottom of a box through the places of the edge to the top of the next box."""
    start = boxes[source]
    points = [(_port(boxes, source, target, below=True), start.y + start.height)]
    last = source
    while boxes[target].bend:
        points.append((boxes[target].x, boxes[target].y - _GAP_Y / 2))
        points.append((boxes[target].x, boxes[target].y + _GAP_Y / 2))
        last, target = target, boxes[target].below[0]
    points.append((_port(boxes, target, last, below=False), boxes[target].y))
    path = f"M{points[0][0]:.1f},{points[0][1]:.1f}"
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if abs(x0 - x1) < 0.05:
            path += f" L{x1:.1f},{y1:.1f}"
        else:
            path += f" C{x0:.1f},{(y0 + y1) / 2:.1f} {x1:.1f},{(y0 + y1) / 2:.1f} {x1:.1f},{y1:.1f}"
    return f'<path d="{path}" fill="none" stroke="#64748b" stroke-width="1.4" marker-end="url(#arrow)"/>'


def _port(boxes: list[Box], index: int, other: int, below: bool) -> float:
    """Where an edge meets a box: several edges stand apart, in the order of their other ends."""
    box = boxes[index]
    ends = sorted(box.below if below else box.above, key=lambda i: boxes[i].x)
    apart = min(26.0, (box.width - 30) / max(1, len(ends) - 1))
    return box.x + (ends.index(other) - (len(ends) - 1) / 2) * apart


def _drawn(box: Box) -> str:
    x, y, w, h = box.x - box.width / 2, box.y, box.width, box.height
    colour = next((fill for pattern, fill in _COLOURS if re.search(pattern, box.kind)), _OTHER)
    parts = [
        f'<g><rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" rx="6" fill="#f8fafc" '
        f'stroke="{colour}" stroke-width="1.2"/>',
        f'<path d="M{x:.1f},{y + _HEADER:.1f} v{6 - _HEADER:.1f} a6,6 0 0 1 6,-6 h{w - 12:.1f} a6,6 0 0 1 6,6 '
        f'v{_HEADER - 6:.1f} z" fill="{colour}"/>',
        f'<text x="{x + 9:.1f}" y="{y + 15:.1f}" font-size="12" font-weight="bold" fill="#fff">'
        f"{html.escape(box.title)}</text>",
        f'<text x="{x + w - 9:.1f}" y="{y + 15:.1f}" font-size="11" fill="#fff" fill-opacity="0.85" '
        f'text-anchor="end">{html.escape(box.kind)}</text>',
    ]
    for i, line in enumerate(box.lines):
        parts.append(f'<text x="{x + 9:.1f}" y="{y + _HEADER + 15 + _LINE * i:.1f}" font-size="11" fill="#1e293b">'
                     f"{html.escape(line)}</text>")  # fmt: skip
    return "".join([*parts, "</g>"])
