"""Images, and what networks see in them."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from pylearn import structure
from pylearn.plots import canvas

Path = str | os.PathLike[str] | None


def images(
    x: Any, labels: Any = None, predicted: Any = None, n: int = 32, columns: int = 8, shape: Any = None,
    path: Path = None,
) -> Any:  # fmt: skip
    """A sheet of images with their labels; wrong predictions are red and say both.

    Args:
        x: (N, H, W), (N, H, W, 1), (N, H, W, 3), or rows with ``shape``.
        labels: (N,), or (N, K) one-hot.
        predicted: likewise, or (N, K) scores.
        n: how many, at most.
        columns: images side by side.
        shape: of an image, where x has rows of numbers.
        path: file to write.

    Returns:
        the Figure.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: rows that are no images.
    """
    x = _images(x, shape)[:n]
    if not len(x):
        raise ValueError("there are no images")
    shown = [None if y is None else _names(y)[: len(x)] for y in (labels, predicted)]
    figure, places = canvas.grid(len(x), columns, 1.1, titled=any(y is not None for y in shown))
    true, said = shown
    for i, (place, image) in enumerate(zip(places, x, strict=True)):
        place.imshow(canvas.picture(image), cmap="gray_r")
        if said is not None:
            wrong = true is not None and true[i] != said[i]
            text = f"{said[i]} (is {true[i]})" if wrong and true is not None else said[i]
            place.set_title(text, fontsize=8, color="#dc2626" if wrong else "black")
        elif true is not None:
            place.set_title(true[i], fontsize=8)
    return canvas.finish(figure, path)


def filters(layer: Any, columns: int = 8, n: int = 64, shape: Any = None, path: Path = None) -> Any:
    """What a layer's filters look for: red where a bright pixel speaks for it, blue where it speaks against.

    Args:
        layer: a built Conv2D (each filter summed over its input channels, or in colour where there are three), a Dense
            on images with ``shape``, or a kernel (H, W, C, filters).
        columns: filters side by side.
        n: how many, at most.
        shape: of an image, for a Dense layer.
        path: file to write.

    Returns:
        the Figure.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: weights that are no images.
    """
    kernel = getattr(layer, "kernel", layer)
    kernel = np.asarray(kernel.numpy() if hasattr(kernel, "numpy") else kernel)
    if kernel.ndim == 2 and shape is not None:
        kernel = kernel.reshape(*shape, -1) if len(shape) == 3 else kernel.reshape(*shape, 1, -1)
    if kernel.ndim != 4:
        raise ValueError(
            f"filters of shape {kernel.shape} are no images; for a Dense layer give shape=(H, W)"
        )
    figure, places = canvas.grid(min(n, kernel.shape[-1]), columns, 0.9)
    largest = float(np.abs(kernel).max()) or 1.0
    for i, place in enumerate(places):
        one = kernel[..., i]
        if one.shape[-1] == 3:
            place.imshow(0.5 + 0.5 * one / largest)
        else:
            values = one.sum(axis=-1)
            limit = float(np.abs(values).max()) or 1.0
            place.imshow(values, cmap="RdBu_r", vmin=-limit, vmax=limit)
    return canvas.finish(figure, path)


def activations(
    model: Any, x: Any, layers: Sequence[str] | None = None, n: int = 12, path: Path = None
) -> Any:
    """What the layers of a network make of one image: a row per layer, a picture per channel.

    Args:
        model: a built ``Sequential`` or functional model with one input.
        x: one image, with or without the batch axis.
        layers: names; by default all whose output is (H, W, C).
        n: channels per layer, at most.
        path: file to write.

    Returns:
        the Figure.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: a model without a graph, or no such layers.
    """
    graph = getattr(model, "_graph", None)
    if graph is None or len(graph.inputs) != 1:
        raise ValueError("need a built Sequential or functional model with one input")
    x = np.asarray(x)
    rank = len(graph.inputs[0].shape)
    values: list[Any] = [None] * graph.size
    values[0] = x[None] if x.ndim == rank - 1 else x[:1]
    found: dict[str, np.ndarray] = {}
    for call in graph.calls:
        out = call.layer(structure.transform(values.__getitem__, call.inputs), *call.args, **call.kwargs)
        for place, value in zip(structure.leaves(call.outputs), structure.leaves(out), strict=True):
            values[place] = value
            if len(value.shape) == 4:
                found[call.layer.name] = value.numpy()[0]
    wanted = list(found) if layers is None else list(layers)
    missing = [name for name in wanted if name not in found]
    if missing or not wanted:
        raise ValueError(
            f"no layer {missing[0]!r} with images" if missing else "no layer gives images (H, W, C)"
        )
    columns = min(n, max(found[name].shape[-1] for name in wanted))
    figure = canvas.figure(0.9 * columns + 0.3, 1.15 * len(wanted))
    rows = figure.subfigures(len(wanted), 1, squeeze=False)[:, 0]
    for row, name in zip(rows, wanted, strict=True):
        row.suptitle(f"{name} {found[name].shape}", fontsize=8, x=0.01, ha="left")
        for i in range(min(n, found[name].shape[-1])):
            place = row.add_subplot(1, columns, i + 1)
            place.imshow(found[name][..., i], cmap="viridis")
            place.set_axis_off()
    return canvas.finish(figure, path)


def latent_walk(
    decoder: Any, start: Any = None, end: Any = None, steps: int = 10, latent: int = 2, dims: tuple[int, int] = (0, 1),
    span: float = 2.0, shape: Any = None, path: Path = None,
) -> Any:  # fmt: skip
    """What a decoder makes of points in its latent space: on the line between two, or on a grid.

    Args:
        decoder: a model, or a function of (N, latent) that gives images.
        start, end: two points (latent,): ``steps`` images between them. Without them, a grid of ``steps`` × ``steps``.
        steps: images along a side.
        latent: size of the latent space, for the grid.
        dims: the two directions of the grid; the other ones are 0.
        span: the grid goes from -span to span.
        shape: of an image, where the decoder gives rows.
        path: file to write.

    Returns:
        the Figure.

    Raises:
        ImportError: matplotlib is absent.
        ValueError: one point only.
    """
    if (start is None) != (end is None):
        raise ValueError("give both start and end, or neither for a grid")
    if start is not None:
        share = np.linspace(0, 1, steps)[:, None]
        points = (1 - share) * np.asarray(start, float) + share * np.asarray(end, float)
    else:
        side = np.linspace(-span, span, steps)
        points = np.zeros((steps * steps, latent))
        points[:, dims[0]], points[:, dims[1]] = np.tile(side, steps), np.repeat(side[::-1], steps)
    decode = getattr(decoder, "predict", decoder)
    made = decode(points.astype("float32"))
    made = _images(made.numpy() if hasattr(made, "numpy") else made, shape)
    rows = len(made) // steps
    pictures = [canvas.picture(image) for image in made]
    sheet = np.concatenate(
        [np.concatenate(pictures[r * steps : (r + 1) * steps], axis=1) for r in range(rows)]
    )
    figure = canvas.figure(0.7 * steps, 0.7 * rows * pictures[0].shape[0] / pictures[0].shape[1])
    axes = figure.add_subplot()
    axes.imshow(sheet, cmap="gray_r")
    axes.set_axis_off()
    return canvas.finish(figure, path)


def _images(x: Any, shape: Any) -> np.ndarray:
    x = np.asarray(x)
    if shape is not None:
        return x.reshape(len(x), *shape)
    if x.ndim == 2:
        side = math.isqrt(x.shape[1])
        if side * side != x.shape[1]:
            raise ValueError(f"rows of {x.shape[1]} numbers are no square images; give shape=(H, W)")
        return x.reshape(-1, side, side)
    return x


def _names(y: Any) -> list[str]:
    y = np.asarray(y)
    y = y.argmax(axis=1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(-1)
    return [str(value) for value in y]
