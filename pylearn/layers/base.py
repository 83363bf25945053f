"""The base class of layers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import (
    _core,
    constraints,
    devices,
    initializers,
    mixed_precision,
    ops,
    registry,
    regularizers,
    structure,
)
from pylearn._core import Tensor, asarray
from pylearn.layers import symbolic
from pylearn.layers.naming import Changes, here, name_the_layer, spend, unique
from pylearn.sparse import CSR

Shape = tuple[int | None, ...]
BASE_ARGUMENTS = (
    "name", "trainable", "dtype", "input_shape", "input_dim", "batch_input_shape", "activity_regularizer",
    "weights",
)  # fmt: skip
# What may be set for a weight: <weight>_initializer and so on.
_SETTINGS: dict[str, Any] = {
    "initializer": initializers.get, "regularizer": regularizers.get, "constraint": constraints.get,
}  # fmt: skip


class Layer:
    """A layer: write ``__init__``, ``build(input_shape)`` making weights with ``add_weight``, and ``call(x)``.

    ``call`` may also take ``training`` (bool) and ``mask``. ``compute_output_shape`` is found by a trial run when it
    is not written.

    >>> import numpy as np
    >>> class Scale(Layer):
    ...     def build(self, input_shape):
    ...         self.factor = self.add_weight("factor", (input_shape[-1],), "ones")
    ...     def call(self, x):
    ...         return x * self.factor
    >>> Scale()(np.array([[1.0, 2.0]])).numpy()
    array([[1., 2.]], dtype=float32)

    Args:
        name: unique within a model; ``dense``, ``dense_1``, … by default.
        trainable: whether ``fit`` changes the weights.
        dtype: policy for weights and computation: ``"float32"``, ``"float64"`` or ``"mixed_bfloat16"``; the global one
            of ``mixed_precision`` by default. Layers in this one that were given none take it over.
        input_shape: shape of one row (no batch axis), for the first layer of a ``Sequential``.
        input_dim: the same for rows of one axis.
        weights: arrays to begin with, in the order of ``get_weights``, instead of the initializers' values.
        activity_regularizer: penalty on the output, per row.
    """

    supports_masking = False
    _call_takes: tuple[bool, bool]  # does call take training, mask?
    accepts_integers = False  # inputs of integers stay integers (ids), rather than becoming floats
    none_only: tuple[
        str, ...
    ] = ()  # Keras' arguments that are accepted as None, their default, and not otherwise

    def __init__(
        self, *, name: str | None = None, trainable: bool = True, dtype: Any = None, activity_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
        self._trainable = bool(trainable)
        self._sublayers: list[Layer] = []
        self._own_trainable: list[Tensor] = []
        self._own_frozen: list[Tensor] = []
        self._regularized: list[tuple[Tensor, Any]] = []
        self._constrained: list[tuple[Tensor, Any]] = []
        self._settings: list[str] = []
        self._losses: list[Tensor] = []
        self._nodes: list[symbolic.Node] = []
        self._weight_names: dict[int, str] = {}
        self._device: str | None = None
        self._first_shape = _input_shape(type(self).__name__, kwargs)
        self._first_weights = kwargs.pop("weights", None)
        kwargs = {k: v for k, v in kwargs.items() if not (v is None and k in self.none_only)}
        registry.reject(self, kwargs, BASE_ARGUMENTS)
        if name is not None and (not isinstance(name, str) or not name or "/" in name):
            raise ValueError(f"a layer's name must be text without '/', got {name!r}")
        self._name = name or unique(type(self).__name__)
        try:
            self._dtype_policy = mixed_precision.get(dtype)
        except ValueError as error:
            raise ValueError(f"{type(self).__name__}: dtype: {error}") from None
        self._dtype_given = dtype is not None
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.built = False

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls)
        object.__setattr__(layer, "_arguments", (args, kwargs))  # for the default get_config
        object.__setattr__(layer, "_call_takes", _call_arguments(cls))
        return layer

    # -- to be written by subclasses --------------------------------------------------------------

    def build(self, input_shape: Any) -> None:
        """Makes the weights; called once, with the first input's shape (None for the batch axis)."""

    def call(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """The forward pass."""
        raise TypeError(f"{type(self).__name__} has no call(x): write one")

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Shape of the output for that of the input; by running ``call`` on zeros unless overridden."""
        return symbolic.shape_by_trial(self, input_shape)

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        """The output's mask from the input's: passed on if ``supports_masking``."""
        return mask if self.supports_masking else None

    # -- weights ----------------------------------------------------------------------------------

    def add_weight(
        self, name: str | None = None, shape: Sequence[int] = (), initializer: Any = "glorot_uniform",
        regularizer: Any = None, trainable: bool = True, dtype: Any = None, constraint: Any = None, **kwargs: Any,
    ) -> Tensor:  # fmt: skip
        """A new weight, found as ``<layer>/<name>``.

        Args:
            name: ``kernel``, ``bias``, …
            shape: of the weight.
            initializer: name, object or number.
            regularizer: penalty added to the loss.
            trainable: False for statistics that training does not change by gradients.
            dtype: the layer's by default.
            constraint: put in force after every update.

        Raises:
            TypeError: a Keras argument that is not supported.
        """
        if kwargs:
            registry.reject_names("add_weight", kwargs, inspect.signature(Layer.add_weight).parameters)
        name = name or f"weight_{len(self._own_trainable) + len(self._own_frozen)}"
        shape = tuple(int(n) for n in shape)
        spend(f"{self.name}/{name}", shape)
        value = initializers.get(initializer)(shape, dtype or self.dtype)
        weight = value if isinstance(value, Tensor) else asarray(np.asarray(value, dtype or self.dtype))
        if tuple(weight.shape) != shape:
            raise ValueError(f"the initializer of {self.name}/{name} gave shape {weight.shape} for {shape}")
        weight.name = f"{self.name}/{name}"
        self._weight_names[id(weight)] = name
        if trainable:
            _core.watch_parameter(weight)
            self._own_trainable.append(weight)
        else:
            self._own_frozen.append(weight)
        penalty = regularizers.get(regularizer)
        if penalty is not None:
            self._regularized.append((weight, penalty))
        limit = constraints.get(constraint)
        if limit is not None:
            self._constrained.append((weight, limit))
        return weight

    def set_up(self, **settings: Any) -> None:
        """Keeps what was given for the weights, such as ``kernel_initializer="zeros"``, as attributes and settings.

        ``weight_for("kernel", shape)`` makes the weight with them; ``get_config`` has them.
        """
        for name, given in settings.items():
            setattr(self, name, _SETTINGS[name.rpartition("_")[2]](given))
            self._settings.append(name)

    def weight_for(
        self, prefix: str, shape: Sequence[int], name: str | None = None, initializer: Any = None
    ) -> Tensor:
        """A trainable weight with the initializer, regularizer and constraint that were ``set_up`` for ``prefix``."""
        return self.add_weight(
            name or prefix, shape, initializer or getattr(self, f"{prefix}_initializer"),
            getattr(self, f"{prefix}_regularizer", None), constraint=getattr(self, f"{prefix}_constraint", None),
        )  # fmt: skip

    def constrained_weights(self) -> list[tuple[Tensor, Any]]:
        """(weight, constraint) of the weights that train."""
        if not self._trainable:
            return []
        return [*self._constrained, *(pair for s in self._sublayers for pair in s.constrained_weights())]

    def add_loss(self, loss: Tensor) -> None:
        """Adds a scalar to the loss of the model that is running."""
        if here.penalties is not None:
            here.penalties.append(loss)
        else:
            self._losses.append(loss)

    @property
    def weights(self) -> list[Tensor]:
        """All weights, each once: the layer's own, then those of its layers."""
        return _once(
            [*self._own_trainable, *self._own_frozen, *(w for s in self._sublayers for w in s.weights)]
        )

    @property
    def trainable_weights(self) -> list[Tensor]:
        if not self._trainable:
            return []
        return _once([*self._own_trainable, *(w for s in self._sublayers for w in s.trainable_weights)])

    @property
    def non_trainable_weights(self) -> list[Tensor]:
        trained = {id(w) for w in self.trainable_weights}
        return [w for w in self.weights if id(w) not in trained]

    @property
    def variables(self) -> list[Tensor]:
        """Keras' name for ``weights``."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Tensor]:
        """Keras' name for ``trainable_weights``."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Tensor]:
        """Keras' name for ``non_trainable_weights``."""
        return self.non_trainable_weights

    @property
    def losses(self) -> list[Tensor]:
        """Penalties: on weights, computed now, and those of the last call."""
        return [*self.weight_losses(), *self._losses, *(p for s in self._sublayers for p in s._losses)]

    def weight_losses(self) -> list[Tensor]:
        """Penalties on trainable weights."""
        own = [penalty(w) for w, penalty in self._regularized] if self._trainable else []
        return [*own, *(p for s in self._sublayers for p in (s.weight_losses() if self._trainable else []))]

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights."""
        return [np.array(w.numpy()) for w in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Overwrites all weights, in the order of ``get_weights``.

        Raises:
            ValueError: not as many, or other shapes; names the weight.
        """
        mine = self.weights
        if not isinstance(weights, (list, tuple)):
            raise TypeError(f"{self.name}: set_weights takes a list of arrays, got {type(weights).__name__}")
        if len(weights) != len(mine):
            hint = "" if self.built else " (it is not built yet: give input_shape, or call it on data first)"
            raise ValueError(f"{self.name} has {len(mine)} weights, got {len(weights)}{hint}")
        values = [np.asarray(value) for value in weights]
        for weight, value in zip(mine, values, strict=True):
            if tuple(weight.shape) != value.shape:
                raise ValueError(f"weight {weight.name} has shape {tuple(weight.shape)}, got {value.shape}")
        for weight, value in zip(mine, values, strict=True):
            ops.assign(weight, np.asarray(value, weight.dtype, order="C"))

    def to(self, device: str) -> Any:
        """Moves the weights to a device: ``"cpu"``, ``"cuda"`` or ``"auto"``. Weights made later are made there.

        Returns:
            the layer itself.

        Raises:
            RuntimeError: there is no such device; the message says why.
        """
        with devices.device(device) as name:
            self._device = name
            for weight in self.weights:
                if weight.device != name:
                    _core.move_to_device(weight, name)
        Changes.count += 1
        return self

    @property
    def device(self) -> str:
        """Where it computes: where it was moved, where its weights are, or where new arrays are made."""
        if self._device is None and self.weights:
            return str(self.weights[0].device)
        return self._device or devices.current_device()

    def count_params(self) -> int:
        """Number of scalars in the weights."""
        return sum(w.size for w in self.weights)

    def weight_items(self, prefix: str = "") -> list[tuple[str, Tensor]]:
        """(path, weight), paths unique within the layer: ``<layer>/<name>``."""
        here = f"{prefix}{self.name}/"
        items = [(here + self._weight_names[id(w)], w) for w in [*self._own_trainable, *self._own_frozen]]
        for sublayer in self._sublayers:
            items += sublayer.weight_items(here)
        return items

    # -- calling ----------------------------------------------------------------------------------

    def __call__(
        self, x: Any, *args: Any, training: bool | None = None, mask: Any = None, **kwargs: Any
    ) -> Any:
        """The layer on Tensors or arrays; on symbolic tensors (``Input``), the next node of a model.

        Raises:
            ValueError: an input the layer cannot take; the message names the layer.
        """
        if type(x) is not Tensor:
            if symbolic.any_symbolic(x):
                return symbolic.call(self, x, args, {"training": training, **kwargs})
            if self.device != devices.current_device():
                with devices.device(self.device):
                    return self(self._tensors(x), *args, training=training, mask=mask, **kwargs)
            x = self._tensors(x)
        if not self.built:
            self.ensure_built(structure.transform(lambda t: (None, *t.shape[1:]), x))
        return self.run(x, *args, training=bool(training), mask=mask, **kwargs)

    def run(self, x: Any, *args: Any, training: bool = False, mask: Any = None, **kwargs: Any) -> Any:
        """``call`` on Tensors of a built layer, without the checks of ``__call__``."""
        takes_training, takes_mask = self._call_takes
        if takes_training:
            kwargs["training"] = training
        if takes_mask and mask is not None:
            kwargs["mask"] = mask
        here.inside += 1
        if here.penalties is None and self._losses:
            self._losses = []
        try:
            y = self.call(x, *args, **kwargs)
        except (ValueError, TypeError, IndexError) as error:
            name_the_layer(self.name, error)
            raise
        finally:
            here.inside -= 1
        if type(y) is not Tensor:
            self._check_outputs(y)
        if self.activity_regularizer is not None:
            for out in structure.leaves(y):
                self.add_loss(self.activity_regularizer(out) / max(1, out.shape[0]))
        return y

    def _check_outputs(self, y: Any) -> None:
        """Raises TypeError where ``call`` returned something else than Tensors: no gradient would pass it."""
        for out in structure.leaves(y):
            if not isinstance(out, (Tensor, CSR)):
                got = "nothing (None)" if out is None else f"a {type(out).__name__}"
                raise TypeError(
                    f"{self.name}: call must return a Tensor made with pylearn.ops, so that gradients pass it, but "
                    f"returned {got}"
                )

    def ensure_built(self, input_shape: Any) -> None:
        """Builds once; ``built`` is True afterwards."""
        if not self.built:
            self.build(input_shape)
            self.built = True
            if self._first_weights is not None:
                self.set_weights(self._first_weights)
                self._first_weights = None

    def _tensors(self, x: Any) -> Any:
        if isinstance(x, (list, tuple)) and all(isinstance(v, (int, float)) for v in structure.leaves(x)):
            return self._to_tensor(x)  # nested numbers are one array, not a nest of inputs
        return structure.transform(self._to_tensor, x)

    def _to_tensor(self, value: Any) -> Any:
        if isinstance(value, (Tensor, CSR)):
            return value
        if hasattr(value, "tocsr"):
            return CSR.from_scipy(value)
        array = np.asarray(value)
        if array.dtype.kind == "f" or (array.dtype.kind in "iub" and not self.accepts_integers):
            array = array.astype(self.dtype, copy=False)
        elif array.dtype.kind not in "iub":
            raise TypeError(f"{self.name}: expected numbers, got an array of {array.dtype}")
        elif array.dtype.name not in ("uint8", "int32", "int64", "bool"):
            array = array.astype("int64")
        return asarray(array)

    def floats(self, x: Any) -> Any:
        """x, cast to the layer's dtype where it holds whole numbers."""
        return x if x.dtype.kind == "f" else ops.cast(x, self.dtype)

    def reset_states(self) -> None:
        """Sets the states of stateful recurrent layers, its own or inside, to zeros."""
        for sublayer in self._sublayers:
            sublayer.reset_states()

    # -- bookkeeping ------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        return self._name

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for sublayer in self._sublayers:
            sublayer.trainable = value

    @property
    def input(self) -> Any:
        """The symbolic input of its first use in a model."""
        return self._node().inputs

    @property
    def output(self) -> Any:
        """The symbolic output of its first use in a model, to build another model on."""
        return self._node().outputs

    def _node(self) -> symbolic.Node:
        if not self._nodes:
            raise ValueError(f"{self.name} is not part of a model yet")
        return self._nodes[0]

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, Layer) or (isinstance(value, (list, tuple, dict)) and name[0] != "_"):
            self._track(value)
        if name[0] != "_" and not here.inside and self.__dict__.get("built"):
            Changes.count += 1
        object.__setattr__(self, name, value)

    @property
    def dtype_policy(self) -> mixed_precision.DTypePolicy:
        """The policy. Another may be set, which holds for all layers in it too; on built layers one that keeps their
        weights in the same dtype."""
        return self._dtype_policy

    @dtype_policy.setter
    def dtype_policy(self, policy: Any) -> None:
        new = mixed_precision.get(policy)
        if new.variable_dtype != self.dtype and self.weights:
            raise ValueError(
                f"{self.name}: the policy {new.name!r} keeps weights in {new.variable_dtype}, and they are built in "
                f"{self.dtype}; give dtype={new.name!r} when the layer is made"
            )
        self._dtype_policy, self._dtype_given = new, True
        for sublayer in self._sublayers:
            sublayer.dtype_policy = new

    @property
    def dtype(self) -> str:
        """What the weights and results are in: ``variable_dtype``, as in Keras."""
        return self._dtype_policy.variable_dtype

    @property
    def variable_dtype(self) -> str:
        """What the weights are in."""
        return self._dtype_policy.variable_dtype

    @property
    def compute_dtype(self) -> str:
        """What the operands of large products are in; ``"bfloat16"`` under ``"mixed_bfloat16"``."""
        return self._dtype_policy.compute_dtype

    def _hand_policy_to(self, layer: Layer) -> None:
        """A policy that this layer was given holds for a layer in it that was given none, if its weights may stay."""
        if self._dtype_given and not layer._dtype_given and self.dtype == layer.dtype:
            layer._dtype_policy, layer._dtype_given = self._dtype_policy, True
            Changes.count += 1
            for sublayer in layer._sublayers:
                layer._hand_policy_to(sublayer)

    def _track(self, value: Any) -> None:
        if "_sublayers" not in self.__dict__:
            if any(isinstance(item, Layer) for item in structure.leaves(value)):
                raise RuntimeError(
                    f"call super().__init__() in {type(self).__name__}.__init__ before adding layers"
                )
            return
        for item in structure.leaves(value):
            if isinstance(item, Layer) and all(item is not s for s in self._sublayers):
                self._sublayers.append(item)
                if not self._trainable:
                    item.trainable = False
                self._hand_policy_to(item)

    def get_config(self) -> dict[str, Any]:
        """What ``from_config`` needs to make the same layer: name, settings; by default the constructor's arguments."""
        config: dict[str, Any] = {"name": self.name, "trainable": self._trainable}
        config.update(self._dtype_config())
        if self._first_shape is not None:
            config["input_shape"] = list(self._first_shape)
        if self.activity_regularizer is not None:
            config["activity_regularizer"] = self.activity_regularizer
        config.update({name: getattr(self, name) for name in self._settings})
        if type(self).get_config is Layer.get_config:
            config.update({**self.constructor_config(), **self._dtype_config()})
        return config

    def _dtype_config(self) -> dict[str, Any]:
        """The policy, where it is not that of a configuration without one."""
        return {} if self._dtype_policy.name == "float32" else {"dtype": self._dtype_policy.name}

    def constructor_config(self) -> dict[str, Any]:
        """The arguments the layer was made with."""
        args, kwargs = self.__dict__["_arguments"]
        signature = inspect.signature(type(self).__init__)
        config: dict[str, Any] = {}
        for key, value in list(signature.bind(None, *args, **kwargs).arguments.items())[1:]:
            rest = signature.parameters[key].kind is inspect.Parameter.VAR_KEYWORD
            config.update(value if rest else {key: value})
        return config

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        own = None if "dtype" in registry.parameters(cls) else config.get("dtype")
        with mixed_precision.policy_scope(own or "float32"):  # also for the layers that the constructor makes
            layer = cls.made_from(dict(config))
        layer._dtype_given = True
        return layer

    @classmethod
    def made_from(cls, config: dict[str, Any]) -> Any:
        """The layer of ``from_config``, by the constructor."""
        takes = registry.parameters(cls)
        if registry.takes_any(cls.__init__):
            return registry.construct(cls, config, BASE_ARGUMENTS)
        base = {key: config.pop(key) for key in BASE_ARGUMENTS if key in config and key not in takes}
        layer = registry.construct(cls, config)
        if "name" in base:
            object.__setattr__(layer, "_name", base["name"])
        layer._trainable = base.get("trainable", layer._trainable)
        return layer

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}, {'built' if self.built else 'not built'}>"


def _once(weights: list[Tensor]) -> list[Tensor]:
    seen: dict[int, Tensor] = {}
    for weight in weights:
        seen.setdefault(id(weight), weight)
    return list(seen.values())


def _input_shape(owner: str, kwargs: dict[str, Any]) -> Shape | None:
    """Takes ``input_shape``, ``input_dim`` or ``batch_input_shape`` out of the arguments."""
    shape = kwargs.pop("input_shape", None)
    dim = kwargs.pop("input_dim", None)
    batch = kwargs.pop("batch_input_shape", None)
    if shape is None and batch is not None:
        shape = tuple(batch)[1:]
    if shape is None and dim is not None:
        shape = (dim,)
    if shape is None:
        return None
    return symbolic.row_shape(shape, owner, "input_shape")


def _call_arguments(cls: type) -> tuple[bool, bool]:
    parameters = inspect.signature(cls.call).parameters  # type: ignore[attr-defined]
    return "training" in parameters, "mask" in parameters
