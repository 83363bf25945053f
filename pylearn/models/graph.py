"""A model as a list of layer calls over numbered places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pylearn import structure
from pylearn.layers import InputLayer, Layer, SymbolicTensor
from pylearn.layers.symbolic import Node

Mask = Any


class Call:
    """One layer call: the places it reads and fills, and those that nobody reads afterwards. ``inputs`` is a place, or
    a nest of them."""

    __slots__ = ("args", "done", "inputs", "kwargs", "layer", "node", "outputs", "simple")

    def __init__(self, node: Node, inputs: Any, outputs: Any) -> None:
        self.node, self.layer, self.inputs, self.outputs = node, node.layer, inputs, outputs
        self.args, self.kwargs = node.args, node.kwargs
        self.simple = isinstance(inputs, int) and isinstance(outputs, int)
        self.done: list[int] = []


class Graph:
    """The calls between ``inputs`` and ``outputs``, in an order in which they can run.

    Raises:
        ValueError: an output that does not follow from the inputs; two layers of one name.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.inputs: list[SymbolicTensor] = structure.flatten(inputs)
        self.outputs: list[SymbolicTensor] = structure.flatten(outputs)
        place: dict[int, int] = {}
        for t in self.inputs:
            place[id(t)] = len(place)
        self.calls: list[Call] = []
        self.input_layers: list[Layer] = [_input_layer(t) for t in self.inputs]
        for node in _order(self.inputs, self.outputs):
            ins = structure.transform(lambda t: place[id(t)], node.inputs)
            for t in structure.leaves(node.outputs):
                place[id(t)] = len(place)
            self.calls.append(Call(node, ins, structure.transform(lambda t: place[id(t)], node.outputs)))
        self.size = len(place)
        self.output_places = [place[id(t)] for t in self.outputs]
        needed = set(self.output_places)
        for call in reversed(self.calls):
            touched = {*structure.leaves(call.inputs), *structure.leaves(call.outputs)}
            call.done = sorted(touched - needed)
            needed |= touched
        self.ids = [_ids_below(place[id(t)], self.calls) for t in self.inputs]
        self.layers: list[Layer] = []
        for layer in [*self.input_layers, *(c.layer for c in self.calls)]:
            if all(layer is not seen for seen in self.layers):
                self.layers.append(layer)
        names = [layer.name for layer in self.layers]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two layers are called {name!r}; give one another name")

    def run(self, flat: Sequence[Any], training: bool, masks: Sequence[Mask] | None = None
            ) -> tuple[list[Any], list[Mask]]:  # fmt: skip
        """Outputs and their masks from inputs (and theirs)."""
        values: list[Any] = [None] * self.size
        values[: len(flat)] = flat
        known: list[Mask] | None = None
        if masks is not None and any(m is not None for m in masks):
            known = [None] * self.size
            known[: len(masks)] = masks
        for call in self.calls:
            layer = call.layer
            x = values[call.inputs] if call.simple else structure.transform(values.__getitem__, call.inputs)
            mask = None
            if known is not None:
                mask = structure.transform(known.__getitem__, call.inputs)
            y = layer.run(x, *call.args, **{"training": training, **call.kwargs}, mask=mask)
            if call.simple:
                values[call.outputs] = y
            else:
                for i, value in zip(structure.leaves(call.outputs), structure.leaves(y), strict=True):
                    values[i] = value
            if known is not None or type(layer).compute_mask is not Layer.compute_mask:
                made = layer.compute_mask(x, mask)
                if made is not None:
                    known = known or [None] * self.size
                    if isinstance(call.outputs, int):
                        known[call.outputs] = made
                    else:
                        # one mask is that of the first output; attention weights, which follow, have none
                        for i, value in zip(structure.leaves(call.outputs), structure.leaves(made)):
                            known[i] = value
            for i in call.done:  # its memory serves what follows, unless the tape holds it
                values[i] = None
        out = [values[i] for i in self.output_places]
        return out, [None] * len(out) if known is None else [known[i] for i in self.output_places]


def _ids_below(place: int, calls: Sequence[Call]) -> int | None:
    """The size of the smallest table that looks the input up."""
    tables = [c.layer for c in calls if c.inputs == place and getattr(c.layer, "takes_ids", False)]
    sizes = [int(vars(layer)["input_dim"]) for layer in tables]
    return min(sizes, default=None)


def _input_layer(t: SymbolicTensor) -> Layer:
    """The InputLayer of a symbolic tensor; one is made for a tensor in the middle of another model."""
    if t.node is not None and isinstance(t.node.layer, InputLayer):
        return t.node.layer
    return InputLayer(t.shape[1:], dtype=t.dtype)


def _order(inputs: Sequence[SymbolicTensor], outputs: Sequence[SymbolicTensor]) -> list[Node]:
    """Nodes with everything they read before them, by depth first search without recursion."""
    given = {id(t) for t in inputs}
    done: set[int] = set()
    order: list[Node] = []
    stack: list[tuple[Node, bool]] = []
    for t in reversed(outputs):
        if id(t) not in given:
            stack.append((_node(t), False))
    while stack:
        node, ready = stack.pop()
        if id(node) in done:
            continue
        if ready:
            done.add(id(node))
            order.append(node)
            continue
        if isinstance(node.layer, InputLayer):
            raise ValueError(
                f"the outputs depend on the input {node.layer.name!r}, which is not among the inputs"
            )
        stack.append((node, True))
        for t in reversed(structure.flatten(node.inputs)):
            if id(t) not in given and id(_node(t)) not in done:
                stack.append((_node(t), False))
    return order


def _node(t: SymbolicTensor) -> Node:
    if t.node is None:
        raise ValueError("an output does not come from a layer")
    return t.node
