"""pad_sequences and its neighbours: equal to Keras'."""

import random

import numpy as np
import pytest

from pylearn.preprocessing import sequence


def reference(sequences, maxlen=None, dtype="int32", padding="pre", truncating="pre", value=0.0):
    """keras.utils.pad_sequences, for maxlen above 0."""
    maxlen = max(map(len, sequences)) if maxlen is None else maxlen
    shape = next((np.asarray(s).shape[1:] for s in sequences if len(s)), ())
    x = np.full((len(sequences), maxlen, *shape), value, dtype=dtype)
    for i, s in enumerate(sequences):
        if len(s):
            trunc = np.asarray(s[-maxlen:] if truncating == "pre" else s[:maxlen], dtype=dtype)
            if padding == "post":
                x[i, : len(trunc)] = trunc
            else:
                x[i, -len(trunc) :] = trunc
    return x


def cases():
    rng = np.random.default_rng(0)
    for i in range(60):
        width = [(), (3,), (2, 2)][i % 3]
        sequences = [
            rng.integers(0, 99, (rng.integers(0, 9), *width)).tolist() for _ in range(rng.integers(1, 6))
        ]
        if not any(sequences):
            sequences.append(np.ones((1, *width)).tolist())
        options = {"padding": ["pre", "post"][i % 2], "truncating": ["pre", "post"][i // 2 % 2]}
        if i % 5:
            options["maxlen"] = int(rng.integers(1, 8))
        if i % 4 == 1:
            options |= {"dtype": "float64", "value": -1.5}
        yield sequences, options


def test_pad_sequences_equals_keras():
    for sequences, options in cases():
        got = sequence.pad_sequences(sequences, **options)
        want = reference(sequences, **options)
        assert got.dtype == want.dtype
        np.testing.assert_array_equal(got, want)
    np.testing.assert_array_equal(
        sequence.pad_sequences([[1], [2, 3], [4, 5, 6]]), [[0, 0, 1], [0, 2, 3], [4, 5, 6]]
    )


def test_pad_sequences_beside_keras():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    for sequences, options in cases():
        want = keras.utils.pad_sequences(sequences, **options)
        np.testing.assert_array_equal(sequence.pad_sequences(sequences, **options), want)


def test_pad_sequences_at_the_edges():
    assert sequence.pad_sequences([]).shape == (0, 0)
    assert sequence.pad_sequences([[], []], maxlen=3).tolist() == [[0, 0, 0]] * 2
    assert sequence.pad_sequences([[1, 2]], maxlen=0).shape == (1, 0)
    words = sequence.pad_sequences([["a"], ["b", "c"]], dtype=object, value="-")
    assert words.tolist() == [["-", "a"], ["b", "c"]]
    for arguments, message in (
        (([1, 2],), r"sequences\[0\] is 1"),
        ((5,), "must be a list, got int"),
        (([[1]], 2, "int32", "left"), "padding must be 'pre' or 'post', got 'left'"),
        (([[1]], 2, "int32", "pre", "x"), "truncating must be"),
        (([[1]], -1), "maxlen must not be negative"),
        (([[[1, 2]], [[1]]],), r"sequences\[1\] has rows of shape \(1,\), others \(2,\)"),
        (([[1]], 2, "int32", "pre", "pre", "x"), "dtype=object"),
    ):
        with pytest.raises(ValueError, match=message):
            sequence.pad_sequences(*arguments)


def test_skipgrams():
    words = [1, 2, 0, 3, 1]
    pairs, labels = sequence.skipgrams(words, 4, window_size=2, negative_samples=0, shuffle=False)
    near = [
        [words[i], words[j]]
        for i in range(5)
        for j in range(5)
        if 0 < abs(i - j) <= 2 and words[i] and words[j]
    ]
    assert pairs == near and labels == [1] * len(near)
    pairs, labels = sequence.skipgrams(
        words, 9, window_size=2, negative_samples=2.0, categorical=True, seed=3
    )
    assert labels.count([0, 1]) == len(near) and labels.count([1, 0]) == 2 * len(near)
    assert sorted(p for p, label in zip(pairs, labels) if label == [0, 1]) == sorted(near)
    assert all(1 <= b < 9 for _, b in pairs)
    assert sequence.skipgrams(words, 9, seed=3) == sequence.skipgrams(words, 9, seed=3)
    random.seed(1)
    first = sequence.skipgrams(words, 9)
    random.seed(1)
    assert sequence.skipgrams(words, 9) == first
    assert sequence.skipgrams(words, 9, sampling_table=np.zeros(9)) == ([], [])


def test_sampling_table():
    table = sequence.make_sampling_table(1000)
    rank = 500
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1 / (12 * rank)
    assert table[rank] == pytest.approx(min(1, np.sqrt(1e-5 * inverse)))
    assert table[0] == table[1] and (np.diff(table[1:]) > 0).all() and table.shape == (1000,)
    assert sequence.make_sampling_table(10, 10.0).max() == 1
