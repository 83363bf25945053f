"""Random numbers: the published generator, its moments, its state, and that sizes never shift what follows."""

import numpy as np
import pytest

import pylearn
from pylearn import ops, random, reference
from pylearn.reference.random import philox4x32

DRAWS = ("uniform", "normal", "truncated_normal")


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [  # of Salmon et al.'s reference implementation
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_published_vectors(counter, key, words) -> None:
    assert tuple(int(w) for w in philox4x32(counter, key)) == words


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**62 + 12345, -1, -(2**63)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_is_the_reference(seed: int, dtype: str) -> None:
    g = random.Generator(seed)
    for draw in range(3):
        got = g.uniform((1031,), dtype=dtype).numpy()
        want = reference.uniform(1031, seed % 2**64, draw, dtype)
        assert got.dtype == dtype and np.array_equal(got, want)


def test_dropout_draws_the_same_words() -> None:
    for dtype in ("float32", "float64"):
        random.seed(9)
        got = ops.dropout(np.ones(5000, dtype), 0.3)
        assert np.array_equal(got != 0, reference.philox(5000, 9, 0) * 2.0**-32 >= 0.3)
        assert abs(np.mean(got == 0) - 0.3) < 0.03


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_prefix_does_not_depend_on_the_size(name: str, dtype: str) -> None:
    whole = getattr(random.Generator(3), name)((5000,), dtype=dtype).numpy()
    for n in (1, 2, 3, 63, 64, 65, 511, 512, 513, 4999):
        assert np.array_equal(getattr(random.Generator(3), name)((n,), dtype=dtype).numpy(), whole[:n])
    shaped = getattr(random.Generator(3), name)((50, 100), dtype=dtype).numpy()
    assert np.array_equal(shaped.ravel(), whole)


def test_integers_have_the_same_prefix() -> None:
    whole = random.Generator(3).integers(0, 1000, (5000,)).numpy()
    for n in (1, 5, 513):
        assert np.array_equal(random.Generator(3).integers(0, 1000, (n,)).numpy(), whole[:n])


@pytest.mark.parametrize("name", DRAWS)
def test_sizes_never_shift_later_draws(name: str) -> None:
    later = []
    for n in (1, 7, 1000):
        g = random.Generator(11)
        getattr(g, name)((n,))
        later.append(g.uniform((20,)).numpy())
    assert np.array_equal(later[0], later[1]) and np.array_equal(later[0], later[2])


@pytest.mark.parametrize("name", [*DRAWS, "integers"])
def test_threads_do_not_matter(name: str) -> None:
    before = pylearn.num_threads()
    try:
        results = []
        for threads in (1, 2, 3):
            pylearn.set_num_threads(threads)
            g = random.Generator(1)
            x = g.integers(0, 10**12, (200_003,)) if name == "integers" else getattr(g, name)((200_003,))
            results.append(x.numpy().tobytes())
        assert results[0] == results[1] == results[2]
    finally:
        pylearn.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments(dtype: str) -> None:
    n = 400_000
    g = random.Generator(2)
    u = g.uniform((n,), dtype=dtype).numpy().astype(float)
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < 0.002 and abs(u.var() - 1 / 12) < 0.001
    counts = np.bincount((u * 100).astype(int), minlength=100)
    assert ((counts - n / 100) ** 2 / (n / 100)).sum() < 160  # chi-squared with 99 degrees, p < 1e-4
    v = g.uniform((n,), -3.0, 5.0, dtype=dtype).numpy()
    assert v.min() >= -3 and v.max() <= 5 and abs(v.mean() - 1) < 0.02
    z = g.normal((n,), dtype=dtype).numpy().astype(float)
    assert np.isfinite(z).all()
    assert abs(z.mean()) < 0.006 and abs(z.var() - 1) < 0.01
    assert abs((z**3).mean()) < 0.02 and abs((z**4).mean() - 3) < 0.06
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.006
    w = g.normal((n,), 4.0, 0.5, dtype=dtype).numpy()
    assert abs(w.mean() - 4) < 0.005 and abs(w.std() - 0.5) < 0.005
    t = g.truncated_normal((n,), 1.0, 2.0, dtype=dtype).numpy()
    assert t.min() >= -3 and t.max() <= 5
    assert abs(t.mean() - 1) < 0.01 and abs(t.std() - 2 * 0.8796256610342398) < 0.01


def test_integers() -> None:
    g = random.Generator(4)
    x = g.integers(-3, 4, (70_000,)).numpy()
    assert x.dtype == np.int64 and set(np.unique(x)) == set(range(-3, 4))
    assert np.abs(np.bincount(x + 3) - 10_000).max() < 500
    assert g.integers(5, 6, (10,)).tolist() == [5] * 10
    wide = g.integers(-(2**63), 2**63 - 1, (1000,)).numpy()
    assert wide.min() < -(2**62) and wide.max() > 2**62
    assert g.integers(0, 10).shape == ()


def test_permutation() -> None:
    p = random.Generator(5).permutation(1000).numpy()
    assert (
        p.dtype == np.int64
        and np.array_equal(np.sort(p), np.arange(1000))
        and not np.array_equal(p, np.arange(1000))
    )
    assert np.array_equal(p, random.Generator(5).permutation(1000).numpy())
    assert random.Generator(5).permutation(0).shape == (0,) and random.Generator(5).permutation(
        1
    ).tolist() == [0]
    first = [random.Generator(s).permutation(3).tolist()[0] for s in range(600)]
    assert np.abs(np.bincount(first) - 200).max() < 60


def test_state_can_be_saved() -> None:
    g = random.Generator(6)
    g.normal((10,))
    g.uniform((3, 3))
    state = g.state()
    assert state == (6, 2)
    want = g.uniform((20,)).numpy().copy()
    other = random.Generator(0)
    other.set_state(state)
    assert np.array_equal(other.uniform((20,)).numpy(), want)
    assert "6" in repr(g)


def test_the_default_generator() -> None:
    random.seed(7)
    a = [random.uniform((3,)).tolist(), random.normal((3,)).tolist(), random.permutation(5).tolist()]
    assert random.default_generator().state() == (7, 3)
    random.seed(7)
    assert a == [random.uniform((3,)).tolist(), random.normal((3,)).tolist(), random.permutation(5).tolist()]
    random.seed(8)
    assert random.uniform((3,)).tolist() != a[0]


@pytest.mark.parametrize(
    ("call", "names"),
    [
        (lambda g: g.uniform((-1,)), "shape|negative"),
        (lambda g: g.uniform((2**62, 2**62)), "large|allocate"),
        (lambda g: g.uniform("3"), "shape"),
        (lambda g: g.uniform((3,), dtype="int32"), "dtype"),
        (lambda g: g.uniform((3,), low="0"), "low"),
        (lambda g: g.normal((3,), std=None), "high|std"),
        (lambda g: g.integers(3, 3, (2,)), "high"),
        (lambda g: g.integers(0.5, 3, (2,)), "low"),
        (lambda g: g.integers(0, 2**70, (2,)), "high"),
        (lambda g: g.permutation(-1), "negative|n"),
        (lambda g: random.Generator("1"), "seed"),
        (lambda g: random.seed(None), "seed"),
        (lambda g: random.seed(2**80), "seed"),
    ],
)
def test_errors(call, names: str) -> None:
    with pytest.raises((ValueError, TypeError, MemoryError), match=names):
        call(random.Generator(0))


def test_draws_are_part_of_a_recorded_step():
    """Each replay draws anew, as each eager call does."""
    f = lambda x: x + pylearn.random.normal((3,)) * pylearn.random.uniform((3,))
    x = pylearn.asarray(np.ones(3, "float32"))
    pylearn.random.seed(7)
    want = [f(x).numpy().copy() for _ in range(6)]
    captured = pylearn.capture(f)
    pylearn.random.seed(7)
    got = [captured(x).numpy().copy() for _ in range(6)]
    assert captured.stats["replayed"] >= 4
    assert all(np.array_equal(a, b) for a, b in zip(got, want, strict=True))
