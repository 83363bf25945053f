import random
import types

import numpy as np
import pytest

from pylearn.utils import np_utils, seeding, set_random_seed, to_categorical


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.int8, np.uint64, np.float32, bool, object])
def test_to_categorical_values(dtype):
    y = np.array([1, 0, 1], dtype)
    got = to_categorical(y)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, [[0, 1], [1, 0], [0, 1]])


def test_to_categorical_shapes_follow_keras():
    assert to_categorical([[0], [2], [1]]).shape == (3, 3)  # a column vector is N labels
    assert to_categorical([[0, 1], [2, 1]]).shape == (2, 2, 3)
    assert to_categorical([[[0], [1]]]).shape == (1, 2, 2)
    assert to_categorical([0]).shape == (1, 1)
    assert to_categorical([[1]], 3).shape == (1, 3)
    assert to_categorical(2).tolist() == [0, 0, 1]
    assert to_categorical([], 4).shape == (0, 4)
    assert to_categorical([0, 1], num_classes=5, dtype="int32").tolist() == [[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]
    assert np_utils.to_categorical is to_categorical


def test_to_categorical_equals_keras():
    keras_utils = pytest.importorskip("keras.utils", reason="Keras is not installed")
    rng = np.random.default_rng(0)
    for shape in ((7,), (7, 1), (3, 4), (3, 4, 1), ()):
        y = rng.integers(0, 5, shape)
        np.testing.assert_array_equal(to_categorical(y, 5), keras_utils.to_categorical(y, 5))


@pytest.mark.parametrize(
    ("y", "num_classes", "error", "message"),
    [
        ([0, 1, -1], None, ValueError, "label -1 at position 2 is negative"),
        ([[0, 1], [7, 1]], 3, ValueError, "label 7 at position 1, 0 is not below num_classes=3"),
        ([1, 2, 3], 3, ValueError, "label 3 at position 2 .*labels that start at 1 need y - 1"),
        ([0.0, 1.5], None, ValueError, "label 1.5 at position 1 is not a whole number"),
        ([0.0, np.nan], None, ValueError, "label nan at position 1"),
        ([0.0, np.inf], None, ValueError, "label inf at position 1"),
        ([1e300], None, ValueError, "not a whole number"),
        (np.array([2**63], np.uint64), None, ValueError, "too large"),
        ([], None, ValueError, "needs num_classes"),
        ([0], 0, ValueError, "num_classes must be at least 1, got 0"),
        ([0], 2.0, TypeError, "num_classes must be an integer"),
        (["cat", "dog"], None, TypeError, "'cat'; number them first: classes, y = numpy.unique"),
        (np.array(["cat"], object), None, TypeError, "'cat'"),
        ([1j], None, TypeError, "integer labels"),
    ],
)
def test_to_categorical_errors(y, num_classes, error, message):
    with pytest.raises(error, match=message):
        to_categorical(y, num_classes)


@pytest.fixture
def seeds(monkeypatch):
    """The seeds given to the core, which is replaced."""
    given = []
    monkeypatch.setattr(seeding, "_core", types.SimpleNamespace(random_seed=given.append))
    return given


def test_set_random_seed_seeds_all_three(seeds):
    states = random.getstate(), np.random.get_state()
    try:
        draws = []
        for _ in range(2):
            set_random_seed(np.int64(7))
            draws.append((random.random(), np.random.rand()))
        assert draws[0] == draws[1]
        assert seeds == [7, 7]
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "1", None])
def test_set_random_seed_refuses(seeds, seed):
    with pytest.raises(ValueError, match="seed must be an integer from 0"):
        set_random_seed(seed)
    assert not seeds
