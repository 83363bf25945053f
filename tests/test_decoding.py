"""beam_search against trying everything."""

import itertools

import numpy as np
import pytest

from pylearn.text import beam_search


def chain(seed, tokens=4):
    """Log-probabilities that depend on the whole beginning."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(9, tokens))

    def step(prefixes):
        out = sum(mixing[(i + prefixes[:, i]) % 9] * (i + 1) for i in range(prefixes.shape[1]))
        return out - np.log(np.exp(out).sum(axis=1, keepdims=True))

    return step


def everything(step, start, end, length, tokens=4):
    others = [t for t in range(tokens) if t != end]
    for n in range(length + 1):
        for body in itertools.product(others, repeat=n):
            whole = [*body, end] if n < length else list(body)
            score = sum(step(np.array([[start, *whole[:i]]]))[0, t] for i, t in enumerate(whole))
            yield list(body), score, len(whole)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_wide_beams_find_the_best(seed, penalty):
    step = chain(seed)
    ranked = sorted(everything(step, 0, 3, 4), key=lambda item: -item[1] / item[2] ** penalty)
    for (tokens, score), want in zip(beam_search(step, 0, 3, 200, 4, penalty), ranked[:10]):
        assert tokens == want[0] and score == pytest.approx(want[1])


def test_greedy_takes_the_likeliest():
    step, prefix = chain(1), [0]
    while len(prefix) < 6 and (token := int(step(np.array([prefix]))[0].argmax())) != 3:
        prefix.append(token)
    ((tokens, _),) = beam_search(step, 0, 3, width=1, max_length=5)
    assert tokens == prefix[1:]


def test_impossible_tokens_are_left_out():
    with np.errstate(divide="ignore"):
        table = np.log([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert beam_search(lambda p: table[p[:, -1]], 0, 2, width=3) == [([1], 0.0)]
    for bad, message in (
        (lambda p: np.zeros(3), "step must give"),
        (lambda p: np.zeros((len(p), 2)), "end=2 among"),
        (lambda p: np.full((len(p), 3), np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            beam_search(bad, 0, 2)
    with pytest.raises(ValueError, match="width"):
        beam_search(lambda p: table, 0, 2, width=0)
