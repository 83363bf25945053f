"""Sequences of different lengths as one array, and pairs of neighbouring words."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["make_sampling_table", "pad_sequences", "skipgrams"]


def pad_sequences(
    sequences: Sequence[Any], maxlen: int | None = None, dtype: npt.DTypeLike = "int32", padding: str = "pre",
    truncating: str = "pre", value: Any = 0.0,
) -> np.ndarray:  # fmt: skip
    """Rows of equal length: shorter sequences are filled up, longer ones cut, both at the front by default.

    Args:
        sequences: lists of numbers, or of rows of one shape.
        maxlen: the length; that of the longest sequence by default.
        dtype: of the result.
        padding: fill up at the front, ``"pre"``, or at the end, ``"post"``.
        truncating: cut at the front, ``"pre"``, or at the end, ``"post"``.
        value: what to fill up with.

    Returns:
        (sequences, maxlen, …) of ``dtype``.

    Raises:
        ValueError: something that is not a sequence, rows of different shapes, an unknown ``padding`` or
            ``truncating``, a negative ``maxlen``, a text to fill up an array of numbers with.

    >>> pad_sequences([[1], [2, 3], [4, 5, 6]], maxlen=2)
    array([[0, 1],
           [2, 3],
           [5, 6]], dtype=int32)
    """
    for name, side in (("padding", padding), ("truncating", truncating)):
        if side not in ("pre", "post"):
            raise ValueError(f"pad_sequences: {name} must be 'pre' or 'post', got {side!r}")
    if not hasattr(sequences, "__len__"):
        raise ValueError(f"pad_sequences: sequences must be a list, got {type(sequences).__name__}")
    row: tuple[int, ...] | None = None
    longest = 0
    for i, sequence in enumerate(sequences):
        if not hasattr(sequence, "__len__"):
            raise ValueError(
                f"pad_sequences: sequences must be a list of sequences, but sequences[{i}] is {sequence!r}"
            )
        longest = max(longest, len(sequence))
        if row is None and len(sequence):
            row = np.asarray(sequence).shape[1:]
    row = row or ()
    length = longest if maxlen is None else int(maxlen)
    if length < 0:
        raise ValueError(f"pad_sequences: maxlen must not be negative, got {maxlen}")
    if isinstance(value, str) and np.dtype(dtype).kind not in "OUS":
        raise ValueError(
            f"pad_sequences: value={value!r} is a text, but dtype is {np.dtype(dtype)}; use dtype=object for texts"
        )
    out = np.full((len(sequences), length, *row), value, dtype=dtype)
    for i, sequence in enumerate(sequences):
        kept = sequence[max(0, len(sequence) - length) :] if truncating == "pre" else sequence[:length]
        if not len(kept):
            continue
        try:
            kept = np.asarray(kept, dtype=dtype)
        except (TypeError, ValueError):
            raise ValueError(
                f"pad_sequences: sequences[{i}] cannot be {np.dtype(dtype)}: {str(sequence)[:40]!r}; a Tokenizer's "
                "texts_to_sequences makes numbers of texts"
            ) from None
        if kept.shape[1:] != row:
            raise ValueError(
                f"pad_sequences: sequences[{i}] has rows of shape {kept.shape[1:]}, others {row}"
            )
        if padding == "pre":
            out[i, length - len(kept) :] = kept
        else:
            out[i, : len(kept)] = kept
    return out


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """Probability of keeping the word of each rank, for :func:`skipgrams`: min(1, √(t · rank · (ln rank + γ) + …)),
    by Zipf's law for the frequency of a rank.

    Args:
        size: number of ranks; rank 0 is that of padding.
        sampling_factor: t.

    Source: T. Mikolov et al. (2013), "Distributed representations of words and phrases", section 2.3.
    """
    rank = np.maximum(np.arange(size), 1).astype(np.float64)
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    scaled = sampling_factor * inverse
    return np.minimum(1.0, scaled / np.sqrt(scaled))


def skipgrams(
    sequence: Sequence[int], vocabulary_size: int, window_size: int = 4, negative_samples: float = 1.0,
    shuffle: bool = True, categorical: bool = False, sampling_table: Any = None, seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:  # fmt: skip
    """Pairs of words for word2vec: neighbours, label 1, and random pairs, label 0.

    Args:
        sequence: numbers of words; 0 is left out.
        vocabulary_size: random words are drawn from 1 to ``vocabulary_size - 1``.
        window_size: neighbours are at most so far apart.
        negative_samples: random pairs per pair of neighbours.
        shuffle: mix the pairs.
        categorical: labels [0, 1] and [1, 0] instead of 1 and 0.
        sampling_table: probability of keeping each number; see :func:`make_sampling_table`.
        seed: of the draws; Python's ``random`` by default.

    Returns:
        pairs [word, neighbour], and their labels.

    >>> skipgrams([1, 2, 3], 4, window_size=1, negative_samples=0, shuffle=False)
    ([[1, 2], [2, 1], [2, 3], [3, 2]], [1, 1, 1, 1])
    """
    draws: Any = random if seed is None else random.Random(seed)
    true, false = ([0, 1], [1, 0]) if categorical else (1, 0)
    pairs: list[list[int]] = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < draws.random()):
            continue
        around = range(max(0, i - window_size), min(len(sequence), i + window_size + 1))
        pairs += [[word, sequence[j]] for j in around if j != i and sequence[j]]
    words = [pair[0] for pair in pairs]
    count = int(len(pairs) * negative_samples)
    labels = [true] * len(pairs) + [false] * count
    draws.shuffle(words)
    pairs += [[words[i % len(words)], draws.randint(1, vocabulary_size - 1)] for i in range(count)]
    if shuffle:
        order = list(range(len(pairs)))
        draws.shuffle(order)
        pairs, labels = [pairs[i] for i in order], [labels[i] for i in order]
    return pairs, labels
