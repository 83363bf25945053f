"""Ids to vectors."""

from __future__ import annotations

from typing import Any

from pylearn import _core, ops
from pylearn.layers.base import Layer, Shape
from pylearn.layers.convolutional import sizes_of
from pylearn.validation import check_ids


class Embedding(Layer):
    """A row of a table for each id.

    Args:
        input_dim: number of ids, which are 0 to input_dim - 1.
        output_dim: size of a row.
        embeddings_initializer: ``"uniform"``.
        embeddings_regularizer, activity_regularizer: penalties added to the loss.
        embeddings_constraint: put in force after every update.
        mask_zero: id 0 is padding: later layers that know masks pass over it.
        input_length: steps of a sequence, where it is known and the first layer of a ``Sequential``.
        weights: ``[table]`` to begin with, of shape (input_dim, output_dim).
        **kwargs: ``name``, ``trainable``, ``dtype``, ``input_shape``.

    Shapes:
        ids (N, …) → (N, …, output_dim).

    Raises:
        IndexError: an id out of range; names its row and column, the id and input_dim.
        ValueError: an id that is not a whole number.

    >>> import numpy as np
    >>> Embedding(5, 2, embeddings_initializer="ones")(np.array([[1, 4]])).shape
    (1, 2, 2)
    """

    accepts_integers = True
    takes_ids = True
    none_only = ("lora_rank",)

    def __init__(
        self, input_dim: int, output_dim: int, embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None, activity_regularizer: Any = None, embeddings_constraint: Any = None,
        mask_zero: bool = False, input_length: int | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if input_length is not None and kwargs.get("input_shape") is None:
            kwargs["input_shape"] = (input_length,)
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.input_dim = sizes_of("Embedding", "input_dim", input_dim, 1)[0]
        self.output_dim = sizes_of("Embedding", "output_dim", output_dim, 1)[0]
        self.set_up(
            embeddings_initializer=embeddings_initializer, embeddings_regularizer=embeddings_regularizer,
            embeddings_constraint=embeddings_constraint,
        )  # fmt: skip
        self.mask_zero = bool(mask_zero)
        self.embeddings: Any = None

    def build(self, input_shape: Shape) -> None:
        self.embeddings = self.weight_for("embeddings", (self.input_dim, self.output_dim))

    def call(self, x: Any) -> Any:
        ids = x
        if x.dtype.kind not in "iu":
            if not _core.is_recording():
                check_ids(x.numpy(), self.input_dim, self.name)
            ids = ops.cast(x, "int64")
        try:
            return ops.embedding(ids, self.embeddings)
        except IndexError:
            check_ids(ids.numpy(), self.input_dim, self.name)
            raise

    def compute_mask(self, x: Any, mask: Any = None) -> Any:
        return ops.not_equal(x, 0) if self.mask_zero else None

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape, self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(), "input_dim": self.input_dim, "output_dim": self.output_dim,
            "mask_zero": self.mask_zero,
        }  # fmt: skip
