"""From next-token probabilities to sequences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np


def beam_search(
    step: Callable[[np.ndarray], Any], start: int, end: int, width: int = 4, max_length: int = 20,
    length_penalty: float = 0.0,
) -> list[tuple[list[int], float]]:  # fmt: skip
    """Likely sequences, by keeping the ``width`` likeliest beginnings at each step.

    Args:
        step: a function from beginnings (n, t) int64, each starting with ``start``, to the log-probabilities (n, V) of
            their next token.
        start: token that begins every sequence.
        end: token that ends one.
        width: beginnings kept; 1 is greedy search.
        max_length: tokens at most, ``end`` counted; a sequence that has not ended by then is taken as it is.
        length_penalty: sequences are ranked by log-probability / length ** length_penalty; 0 prefers short ones.

    Returns:
        up to ``width`` pairs (tokens between start and end, log-probability), the best first.

    Raises:
        ValueError: sizes below 1, or ``step`` gives another shape or NaN.

    Source: A. Graves (2012), "Sequence transduction with recurrent neural networks"; the penalty, Y. Wu et al. (2016),
    "Google's neural machine translation system".

    >>> table = np.log([[0.1, 0.5, 0.4], [0.3, 0.3, 0.4], [0.05, 0.05, 0.9]])  # of the next token, by the last
    >>> [tokens for tokens, _ in beam_search(lambda prefixes: table[prefixes[:, -1]], start=0, end=2, width=2)]
    [[], [1]]
    """
    if width < 1 or max_length < 1:
        raise ValueError(
            f"beam_search: width and max_length must be at least 1, got {width} and {max_length}"
        )
    prefixes, scores = np.array([[start]], np.int64), np.zeros(1)
    found: list[tuple[list[int], float]] = []
    ranks: list[float] = []

    def finish(tokens: np.ndarray, score: float, length: int) -> None:
        found.append((tokens.tolist(), float(score)))
        ranks.append(float(score) / length**length_penalty)

    for length in range(1, max_length + 1):
        steps = np.asarray(step(prefixes), np.float64)
        if steps.ndim != 2 or len(steps) != len(prefixes) or not 0 <= end < steps.shape[1]:
            raise ValueError(
                f"beam_search: step must give log-probabilities of shape ({len(prefixes)}, tokens), end={end} among "
                f"them, it gave {steps.shape}"
            )
        if np.isnan(steps).any():
            raise ValueError(f"beam_search: step gave NaN for the beginnings of length {length}")
        total = (scores[:, None] + steps).ravel()
        best = np.argsort(-total, kind="stable")[:width]
        best = best[total[best] > -np.inf]
        rows, tokens = np.divmod(best, steps.shape[1])
        ended = tokens == end
        for row, place in zip(rows[ended], best[ended]):
            finish(prefixes[row, 1:], total[place], length)
        prefixes = np.concatenate([prefixes[rows[~ended]], tokens[~ended, None]], axis=1)
        scores = total[best[~ended]]
        settled = (
            length_penalty == 0
            and len(found) >= width
            and scores.max(initial=-np.inf) <= sorted(ranks)[-width]
        )
        if not len(prefixes) or settled:
            break
    else:
        for prefix, score in zip(prefixes, scores):
            finish(prefix[1:], score, max_length)
    order = np.argsort([-rank for rank in ranks], kind="stable")[:width]
    return [found[i] for i in order]
