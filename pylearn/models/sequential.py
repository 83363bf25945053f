"""Layers in a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pylearn import registry
from pylearn.layers import InputLayer, Layer, SymbolicTensor, symbolic
from pylearn.layers.inputs import Input
from pylearn.models import saving
from pylearn.models.base import Functional, Model
from pylearn.training.data import Place


class Sequential(Functional):
    """Layers in a row.

    Built as soon as the shape of a row is known: from the first layer's ``input_shape``, from an ``Input``, or from the
    first data.

    Args:
        layers: the first layers; ``add`` appends more.
        name: ``sequential``, ``sequential_1``, … by default.

    >>> import numpy as np
    >>> from pylearn.layers import Dense
    >>> model = Sequential([Dense(8, activation="relu", input_shape=(4,)), Dense(3, activation="softmax")])
    >>> model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    >>> X, y = np.random.rand(90, 4), np.arange(90) % 3
    >>> history = model.fit(X, y, epochs=2, verbose=0, validation_split=0.1)
    >>> list(history.history)
    ['loss', 'accuracy', 'val_loss', 'val_accuracy']
    >>> model.predict(X).shape
    (90, 3)
    """

    def __init__(self, layers: Sequence[Any] | None = None, name: str | None = None, **kwargs: Any) -> None:
        Model.__init__(self, name=name, **kwargs)
        self._input: Any = None
        self._graph: Any = None
        if layers is not None:
            if isinstance(layers, (Layer, SymbolicTensor)):
                layers = [layers]
            for layer in layers:
                self.add(layer)

    def add(self, layer: Any) -> None:
        """Appends a layer.

        Raises:
            TypeError: not a layer.
            ValueError: a layer of this name is there; an ``Input`` that is not first.
        """
        if isinstance(layer, SymbolicTensor) and layer.node is not None:
            layer = layer.node.layer
        if isinstance(layer, type) and issubclass(layer, Layer):
            raise TypeError(f"add() takes a layer, got the class {layer.__name__}: write {layer.__name__}(…)")
        if not isinstance(layer, Layer):
            raise TypeError(f"add() takes a layer, got {type(layer).__name__}")
        if isinstance(layer, InputLayer):
            if self._sublayers or self._input is not None:
                raise ValueError("an Input can only come first")
            self._input = layer.output
            return
        if any(layer.name == other.name for other in self._sublayers):
            raise ValueError(
                f"two layers are called {layer.name!r}; give one another name (and add each layer object once)"
            )
        if not self._sublayers and self._input is None and layer._first_shape is not None:
            dtype = "int64" if layer.accepts_integers and _wants_ids(layer) else layer.dtype
            self._input = Input(layer._first_shape, dtype=dtype)
        self._hand_policy_to(layer)
        x = self._outputs if self._graph is not None else self._input
        self._sublayers.append(layer)
        if x is not None:
            try:
                y = layer(x)
            except Exception:
                self._sublayers.pop()
                raise
            self._rebuild(y)

    def pop(self) -> Layer:
        """Takes the last layer off and returns it.

        Raises:
            ValueError: there is none.
        """
        if not self._sublayers:
            raise ValueError(f"{self.name} has no layers")
        layer = self._sublayers.pop()
        if self._graph is not None:
            if self._sublayers:
                self._rebuild(self._graph.calls[-1].node.inputs)
            else:
                self._graph = None
                object.__setattr__(self, "built", False)
                self._forget_steps()
        return layer

    def _rebuild(self, y: Any) -> None:
        layers = list(self._sublayers)
        self._set_graph(self._input, y)
        self._sublayers = layers

    def build(self, input_shape: Any) -> None:
        """Builds the layers for rows of this shape; None stands for the batch axis."""
        if self._graph is not None:
            return
        if not self._sublayers:
            raise ValueError(f"{self.name} has no layers; add some first")
        if not symbolic.is_shape(input_shape):
            raise ValueError(f"{self.name} takes one input, got shapes {input_shape}")
        if self._input is None:
            dtype = "int64" if _wants_ids(self._sublayers[0]) else self._sublayers[0].dtype
            self._input = Input(tuple(input_shape)[1:], dtype=dtype)
        y = self._input
        for layer in self._sublayers:
            y = layer(y)
        self._rebuild(y)

    def build_for(self, x: Any, arrays: Sequence[Any]) -> None:
        if self._graph is None:
            if len(arrays) != 1:
                raise ValueError(f"{self.name} takes one input, got {len(arrays)} arrays")
            self.build((None, *arrays[0].shape[1:]))

    @property
    def layers(self) -> list[Layer]:
        """The layers, without the input."""
        return list(self._sublayers)

    def input_places(self) -> list[Place] | None:
        return super().input_places() if self._graph is not None else None

    def output_names(self) -> list[str]:
        return super().output_names() if self._graph is not None else ["output"]

    def call(self, x: Any, training: bool = False, mask: Any = None) -> Any:
        if self._graph is None:
            self.build((None, *x.shape[1:]))
        return super().call(x, training=training, mask=mask)

    def compute_output_shape(self, input_shape: Any) -> Any:
        for layer in self._sublayers:
            layer.ensure_built(input_shape)
            input_shape = layer.compute_output_shape(input_shape)
        return input_shape

    @property
    def inputs(self) -> list[SymbolicTensor]:
        self._need_shape()
        return super().inputs

    @property
    def outputs(self) -> list[SymbolicTensor]:
        self._need_shape()
        return super().outputs

    @property
    def input(self) -> Any:
        self._need_shape()
        return self._inputs

    @property
    def output(self) -> Any:
        self._need_shape()
        return self._outputs

    def _need_shape(self) -> None:
        if self._graph is None:
            raise ValueError(
                f"{self.name} is not built yet: give its first layer input_shape, or fit it first"
            )

    def get_config(self) -> dict[str, Any]:
        config: dict[str, Any] = {
            "name": self.name,
            **self._dtype_config(),
            "layers": [registry.serialize(layer) for layer in self._sublayers],
        }
        if self._input is not None:
            config["input"] = {"shape": list(self._input.shape[1:]), "dtype": self._input.dtype}
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        model = cls(name=config.get("name"), dtype=config.get("dtype", "float32"))
        if config.get("input") is not None:
            model.add(Input(tuple(config["input"]["shape"]), dtype=config["input"]["dtype"]))
        for layer in config["layers"]:
            model.add(saving.layer_from_config(layer))
        return model


def _wants_ids(layer: Layer) -> bool:
    """Does the layer take ids (as an embedding does), rather than merely pass whole numbers on?"""
    return getattr(layer, "takes_ids", False)
