"""Models: functional, or subclassed with a ``call``."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from typing import Any

from pylearn import _core, registry, replay, structure
from pylearn._core import Tensor
from pylearn.layers import Layer, SymbolicTensor, symbolic
from pylearn.layers.naming import here
from pylearn.models import saving
from pylearn.models.graph import Graph
from pylearn.models.summary import Summary, summarise
from pylearn.training import Trainer
from pylearn.training.data import Place


class Model(Trainer):
    """Layers with a loss and an optimizer.

    ``Model(inputs=…, outputs=…)`` takes symbolic tensors (or lists or dicts of them) and returns a functional model.
    A subclass makes layers in ``__init__`` and writes ``call(self, x, training=False)``; it is built by its first data.
    It may also write how it is trained: ``train_step`` and ``test_step``. A subclass without a ``call`` is made from
    inputs and outputs, like ``Model`` itself.

    Args:
        inputs: what ``Input`` returned.
        outputs: what calling layers on it gave.
        name: ``model``, ``model_1``, … by default.

    >>> from pylearn.layers import Add, Dense, Input
    >>> x = Input(shape=(4,))
    >>> h = Dense(4, activation="relu")(x)
    >>> model = Model(inputs=x, outputs=Dense(1)(Add()([x, h])))
    >>> model.output_shape, model.count_params()
    ((None, 1), 25)
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        if cls is Model and (args or "inputs" in kwargs or "outputs" in kwargs):
            return super().__new__(Functional, *args, **kwargs)
        return super().__new__(cls, *args, **kwargs)

    def __init__(self, *args: Any, name: str | None = None, **kwargs: Any) -> None:
        if (args or "inputs" in kwargs or "outputs" in kwargs) and not isinstance(self, Functional):
            if type(self).call is not Layer.call:
                raise TypeError(
                    f"{type(self).__name__} is given inputs and outputs, and has a call of its own; leave out one"
                )
            made: Any = self
            made.__class__ = _functional(made.__class__)
            kwargs.update(zip(("inputs", "outputs", "name"), args, strict=False))
            Functional.__init__(made, **{"name": name, **kwargs})
            return
        super().__init__(name=name, **kwargs)
        self._row_shapes: Any = None  # of a subclassed model: shapes of its inputs, in their structure
        self._out_shapes: Any = None
        self._random_state: Any = None

    # -- what the trainer asks --------------------------------------------------------------------

    def input_places(self) -> list[Place] | None:
        if self._row_shapes is None:
            return None
        shapes = symbolic.structure_of_shapes(self._row_shapes)
        names = structure.names_of(self._row_shapes, lambda _: "x") if isinstance(self._row_shapes, dict) else [
            f"input_{i}" for i in range(len(shapes))]  # fmt: skip
        dtype = "int64" if self.accepts_integers else self.dtype
        return [Place(name, shape, dtype) for name, shape in zip(names, shapes, strict=True)]

    def output_names(self) -> list[str]:
        if isinstance(self._out_shapes, dict):
            return list(self._out_shapes)
        count = len(symbolic.structure_of_shapes(self._out_shapes)) if self._out_shapes is not None else 1
        return ["output"] if count == 1 else [f"output_{i}" for i in range(count)]

    def output_shapes(self) -> list[Any]:
        return symbolic.structure_of_shapes(self._out_shapes) if self._out_shapes is not None else [None]

    def pack_outputs(self, flat: list[Any]) -> Any:
        return _pack_shapes(self._out_shapes, flat)

    def pack_inputs(self, flat: list[Any]) -> Any:
        return super().pack_inputs(flat) if self._row_shapes is None else _pack_shapes(self._row_shapes, flat)

    def build_for(self, x: Any, arrays: Sequence[Any]) -> None:
        if self._out_shapes is not None or (type(self).call is Layer.call and self.writes("train")):
            return  # a model without a call only trains, by its own step
        shapes = iter([(None, *a.shape[1:]) for a in arrays])
        if len(arrays) == 1 and not isinstance(x, dict):
            self.build_from_shapes(next(shapes))
        else:
            self.build_from_shapes(structure.transform(lambda _: next(shapes), x))

    def build_from_shapes(self, shapes: Any) -> None:
        """Builds a subclassed model by a trial run on zeros; shapes have None for the batch axis."""
        self.ensure_built(shapes)
        self._row_shapes = shapes
        self._out_shapes = self.compute_output_shape(shapes)
        self._name_weights()

    def forward(self, flat: Sequence[Any], training: bool) -> tuple[list[Tensor], list[Any]]:
        x = _pack_shapes(self._row_shapes, list(flat))
        out = structure.flatten(self.run(x, training=training))
        return out, [None] * len(out)

    # -- layers -----------------------------------------------------------------------------------

    @property
    def layers(self) -> list[Layer]:
        """The layers, inputs included, in order."""
        return list(self._sublayers)

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """A layer by name or place.

        Raises:
            ValueError: there is none; the message names the closest one.
        """
        if (name is None) == (index is None):
            raise ValueError("give a name or an index")
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(f"index {index} is out of range: {self.name} has {len(layers)} layers")
            return layers[index]
        for layer in layers:
            if layer.name == name:
                return layer
        names = [layer.name for layer in layers]
        raise ValueError(
            f"{self.name} has no layer {name!r}{registry.suggest(str(name), names)}; it has {', '.join(names)}"
        )

    def freeze_to(self, layer: str | int) -> None:
        """Freezes the layers before this one; it and those after it train. 0 makes every layer train.

        Frozen weights keep their bits in ``fit``, and what optimizers know of the others is kept.

        Args:
            layer: a name or an index; -1 lets only the last layer train.

        Raises:
            ValueError: there is no such layer; the message names the closest one.
        """
        first = self.get_layer(layer) if isinstance(layer, str) else self.get_layer(index=layer)
        frozen = True
        self._trainable = True
        for each in self.layers:
            frozen = frozen and each is not first
            each.trainable = not frozen

    def _name_weights(self) -> None:
        """Names every weight by its path in this model: ``dense/kernel``, ``inner/dense/kernel``."""
        seen: set[int] = set()
        for layer in self.layers:
            for path, weight in layer.weight_items():
                if id(weight) not in seen:
                    seen.add(id(weight))
                    weight.name = path

    def weight_items(self, prefix: str = "") -> list[tuple[str, Tensor]]:
        items = [(f"{prefix}{self.name}/{self._weight_names[id(w)]}", w)
                 for w in [*self._own_trainable, *self._own_frozen]]  # fmt: skip
        for layer in self._sublayers:
            items += layer.weight_items(f"{prefix}{self.name}/")
        return items

    def __call__(
        self, x: Any, *args: Any, training: bool | None = None, mask: Any = None, **kwargs: Any
    ) -> Any:
        """The outputs: Tensors for arrays or Tensors, symbolic tensors for symbolic ones."""
        if here.penalties is not None or symbolic.any_symbolic(x):
            return super().__call__(x, *args, training=training, mask=mask, **kwargs)
        here.penalties = []
        try:
            out = super().__call__(x, *args, training=training, mask=mask, **kwargs)
            self._losses = here.penalties
            if self._losses and _core.is_recording():
                replay.hold(self)
            return out
        finally:
            here.penalties = None

    def release(self) -> None:
        """Forgets the penalties and masks of the last call."""
        self._losses, self._masks = [], None

    # -- looking at it ----------------------------------------------------------------------------

    def summary(
        self, print_fn: Callable[[str], Any] | None = None, line_length: int | None = None,
        expand_nested: bool = False, show_trainable: bool = False, **kwargs: Any,
    ) -> Summary:  # fmt: skip
        """Prints the layers with their output shapes and numbers of parameters; returns the text.

        Args:
            print_fn: called with each line instead of printing.
            line_length: width in characters.
            expand_nested: also the layers of models inside this one.
            show_trainable: a column that says which layers train.
        """
        kwargs = {k: v for k, v in kwargs.items() if v is not None and v is not False}
        if kwargs:
            registry.reject_names("summary()", kwargs, inspect.signature(Model.summary).parameters)
        return summarise(self, print_fn or print, line_length, expand_nested, show_trainable)

    def _repr_html_(self) -> str:
        """How a notebook shows the model: its summary, as a table."""
        return summarise(self, None).table

    # -- files ------------------------------------------------------------------------------------

    def save(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True
    ) -> None:
        """Writes the whole model to one file: structure, weights, and what training needs to go on.

        The path always holds the old or the new file, whole, whenever the process is killed.

        Raises:
            FileExistsError: the file is there and ``overwrite`` is False.
            ValueError: something in the model cannot be saved, such as a lambda.
        """
        saving.save_model(self, filepath, overwrite, include_optimizer)

    def save_weights(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Writes the weights, by path name, to one file."""
        saving.save_weights(self, filepath, overwrite)

    def load_weights(
        self, filepath: str | os.PathLike[str], by_name: bool = False, skip_mismatch: bool = False
    ) -> None:
        """Reads weights from a file of ``save_weights`` or ``save``, of Keras, or of PyTorch.

        All weights are checked before the first is changed.

        Args:
            filepath: the file. Besides our own: Keras' ``.weights.h5``, ``.keras`` and older ``.h5`` (with
                ``pip install 'pylearn[keras]'``); ``.npz`` of ``np.savez(path, *model.get_weights())``; a torch
                state_dict as ``.safetensors``, whose mapping ``pylearn.models.torch_weights`` describes.
            by_name: only layers that are called as in the file get weights; the others are left as they are.
            skip_mismatch: layers that do not fit are left as they are, with a warning, instead of an error.

        Raises:
            ValueError: damaged file, or weights of other names or shapes.
        """
        saving.load_weights(self, filepath, by_name, skip_mismatch)

    def restore(self, path: str | os.PathLike[str]) -> None:
        """Goes back to where training was when ``save`` wrote this file of the same model: weights, optimizer, and
        pylearn's random numbers.

        Raises:
            ValueError: damaged file, or weights of other names or shapes.
        """
        saving.restore(self, path)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("trainable", None)
        if type(self).get_config is Model.get_config:
            config.update(self.constructor_config())
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return saving.graph_from_config(config, cls) if "calls" in config else super().from_config(config)


def _pack_shapes(shapes: Any, flat: list[Any]) -> Any:
    items = iter(flat)
    return (
        next(items)
        if shapes is None or symbolic.is_shape(shapes)
        else symbolic.map_shapes(lambda _: next(items), shapes)
    )


class Functional(Model):
    """A graph of layers from symbolic inputs to symbolic outputs. Made by ``Model(inputs=…, outputs=…)``."""

    supports_masking = True

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(name=name, **kwargs)
        if inputs is None or outputs is None:
            raise TypeError("Model takes both inputs= and outputs=")
        for what, nest in (("inputs", inputs), ("outputs", outputs)):
            for leaf in structure.leaves(nest):
                if not isinstance(leaf, SymbolicTensor):
                    raise TypeError(f"Model: {what} must be symbolic tensors, from Input and layers, got "
                                    f"{type(leaf).__name__}")  # fmt: skip
        self._set_graph(inputs, outputs)

    def _set_graph(self, inputs: Any, outputs: Any) -> None:
        self._inputs, self._outputs = inputs, outputs
        self._graph = Graph(inputs, outputs)
        self._sublayers = list(self._graph.layers)
        for layer in self._sublayers:
            self._hand_policy_to(layer)
        object.__setattr__(self, "built", True)
        self._row_shapes = structure.transform(lambda t: t.shape, inputs)
        self._out_shapes = structure.transform(lambda t: t.shape, outputs)
        self._forget_steps()
        self._name_weights()

    @property
    def inputs(self) -> list[SymbolicTensor]:
        return list(self._graph.inputs)

    @property
    def outputs(self) -> list[SymbolicTensor]:
        return list(self._graph.outputs)

    @property
    def input(self) -> Any:
        return self._inputs

    @property
    def output(self) -> Any:
        return self._outputs

    @property
    def input_shape(self) -> Any:
        return self._row_shapes

    @property
    def output_shape(self) -> Any:
        return self._out_shapes

    def input_places(self) -> list[Place] | None:
        names = structure.names_of(self._inputs, lambda t: t.name or "input")
        layers = self._graph.input_layers
        return [
            Place(names[i] if isinstance(self._inputs, dict) else layers[i].name, t.shape, t.dtype, self._graph.ids[i])
            for i, t in enumerate(self._graph.inputs)
        ]  # fmt: skip

    def output_names(self) -> list[str]:
        if isinstance(self._outputs, dict):
            return list(self._outputs)
        names: list[str] = []
        for t in self._graph.outputs:
            name = t.node.layer.name if t.node is not None else "output"
            names.append(name if name not in names else f"{name}_{sum(n.startswith(name) for n in names)}")
        return names

    def pack_outputs(self, flat: list[Any]) -> Any:
        return structure.pack(self._outputs, flat)

    def build_for(self, x: Any, arrays: Sequence[Any]) -> None:
        return

    def forward(self, flat: Sequence[Any], training: bool) -> tuple[list[Tensor], list[Any]]:
        return self._graph.run(flat, training)

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        flat = structure.flatten(self._in_order(x))
        masks = structure.flatten(mask) if mask is not None else None
        out, masks = self._graph.run(flat, training, masks)
        self._masks = masks if any(m is not None for m in masks) else None
        if self._masks is not None and _core.is_recording():
            replay.hold(self)
        return structure.pack(self._outputs, out)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        if mask is None:
            return None
        masks = self._graph.run(structure.flatten(self._in_order(x)), False, structure.flatten(mask))[1]
        return structure.pack(self._outputs, masks)

    def _in_order(self, x: Any) -> Any:
        if isinstance(self._inputs, dict) and isinstance(x, dict):
            missing = [name for name in self._inputs if name not in x]
            if missing:
                raise ValueError(f"{self.name}: the input {missing[0]!r} is missing; got {', '.join(x)}")
            return [x[name] for name in self._inputs]
        if len(self._graph.inputs) != len(structure.flatten(x)):
            raise ValueError(
                f"{self.name} takes {len(self._graph.inputs)} inputs, got {len(structure.flatten(x))}"
            )
        return x

    def compute_output_shape(self, input_shape: Any) -> Any:
        return self._out_shapes

    def get_config(self) -> dict[str, Any]:
        own = {"name": self.name, **self._dtype_config()}
        if type(self).__init__ is not Functional.__init__:  # a subclass that makes its graph itself
            return {**own, **self.constructor_config()}
        return {**own, **saving.graph_config(self)}


@functools.cache
def _functional(cls: Any) -> Any:
    """The class with a graph: of models made from inputs and outputs of a subclass of ``Model``."""
    return type(cls.__name__, (cls, Functional), {"__module__": cls.__module__, "__doc__": cls.__doc__})
