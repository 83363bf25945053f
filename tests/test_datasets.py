import gzip
import hashlib
import io
import struct
import sys
import zipfile

import numpy as np
import pytest

from pylearn import datasets
from pylearn.datasets import diabetes, digits, idx, mnist, npz, stdlib_docs

ALL = datasets.ALL


def test_every_listed_set_has_load_data():
    for name in ALL:
        assert callable(getattr(datasets, name).load_data)


# ---- digits


def test_digits_shapes_and_range():
    (X_train, y_train), (X_test, y_test) = digits.load_data()
    assert X_train.shape == (1437, 28, 28)
    assert X_test.shape == (360, 28, 28)
    assert X_train.dtype == X_test.dtype == y_train.dtype == y_test.dtype == np.uint8
    assert (X_train.min(), X_train.max()) == (0, 255)
    assert sorted(np.unique(y_test)) == list(range(10))
    assert np.bincount(y_test).min() >= 34  # stratified


def test_digits_native_and_enlarged_agree():
    (small, labels), _ = digits.load_data(size=8)
    assert small.shape == (1437, 8, 8)
    assert small.max() == 16
    (large, large_labels), _ = digits.load_data(size=16)
    np.testing.assert_array_equal(labels, large_labels)
    np.testing.assert_array_equal(large[:, ::2, 1::2], (small.astype(int) * 255 + 8) // 16)
    (grey, _), _ = digits.load_data(size=28)
    np.testing.assert_array_equal(grey[:, 0, 27], (small[:, 0, 7].astype(int) * 255 + 8) // 16)


def test_digits_never_change():
    """The pixels and the split decide every number of the course."""
    (X_train, y_train), (X_test, y_test) = digits.load_data()
    digest = hashlib.sha256(b"".join(a.tobytes() for a in (X_train, y_train, X_test, y_test))).hexdigest()
    assert digest == "b2b2134c3cfa9187dbc911c17d1dff23199adb8c9c7eec7a99bdd1070dca5b1f"


def test_digits_calls_return_fresh_arrays():
    digits.load_data(8)[0][0][:] = 0
    assert digits.load_data(8)[0][0].any()


@pytest.mark.parametrize("size", [7, 0, -28, 28.0, "28", None, True, (28, 28)])
def test_digits_bad_size(size):
    with pytest.raises(ValueError, match="size must be"):
        digits.load_data(size=size)


def test_digits_are_sklearns():
    sklearn_datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    from sklearn.model_selection import train_test_split

    X, y = sklearn_datasets.load_digits(return_X_y=True)
    parts = train_test_split(X.reshape(-1, 8, 8), y, test_size=0.2, random_state=0, stratify=y)
    (X_train, y_train), (X_test, y_test) = digits.load_data(size=8)
    for ours, theirs in zip((X_train, X_test, y_train, y_test), parts):
        np.testing.assert_array_equal(ours, theirs)


# ---- diabetes


def test_diabetes_shapes_and_scaling():
    (X_train, y_train), (X_test, y_test) = diabetes.load_data()
    assert X_train.shape == (353, 10) and X_test.shape == (89, 10)
    assert y_train.shape == (353,) and y_test.shape == (89,)
    X, _ = diabetes.load_all()
    np.testing.assert_allclose((X**2).sum(axis=0), 1)
    raw, _ = diabetes.load_all(scaled=False)
    assert raw[0, 0] == 59  # years
    for bad in (0, 1, -0.1, 0.999):
        with pytest.raises(ValueError, match="test_fraction"):
            diabetes.load_data(test_fraction=bad)


def test_diabetes_is_sklearns():
    sklearn_datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    from sklearn.model_selection import train_test_split

    X, y = sklearn_datasets.load_diabetes(return_X_y=True)
    parts = train_test_split(X, y, test_size=0.2, random_state=0)
    (X_train, y_train), (X_test, y_test) = diabetes.load_data()
    for ours, theirs in zip((X_train, X_test, y_train, y_test), parts):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-15)
    np.testing.assert_array_equal(diabetes.load_all(scaled=False)[1], y)


# ---- npz


def npz_bytes(**arrays):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def test_npz_reads_what_numpy_writes(tmp_path):
    path = tmp_path / "a.npz"
    arrays = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "c": np.array(3, np.uint8),
        "d": np.zeros((0, 2), ">i4"),
    }
    path.write_bytes(npz_bytes(**arrays))
    got = npz.read(path, arrays)
    for key, value in arrays.items():
        assert got[key].dtype == value.dtype
        np.testing.assert_array_equal(got[key], value)
        assert got[key].flags.writeable


def npz_with_header(shape, data=b"", descr="|u1"):
    body = io.BytesIO()
    np.lib.format.write_array_header_1_0(body, {"descr": descr, "fortran_order": False, "shape": shape})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", body.getvalue() + data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK\3\4",
        b"not a zip",
        npz_bytes(b=np.zeros(3)),
        npz_bytes(a=np.array([{}], object))[:-1],
        npz_bytes(a=np.array([{}], object)),
        npz_with_header((1 << 60,)),
        npz_with_header((10,), b"123"),
        npz_with_header((-1, -3), b"123"),
        npz_with_header((3,), b"123", "|O"),
        npz_with_header((1,), b"1234", [("x", "<i4")]),
    ],
)
def test_npz_hostile_files_name_themselves(tmp_path, content):
    path = tmp_path / "hostile.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"hostile\.npz"):
        npz.read(path, ["a"])


def test_npz_altered_bytes_raise_or_read_the_same(tmp_path):
    """Every byte in turn: the checksums of the archive leave no third outcome for the values."""
    original = np.arange(20, dtype=np.uint8)
    good = npz_bytes(a=original)
    path = tmp_path / "a.npz"
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 0x55
        path.write_bytes(bad)
        try:
            np.testing.assert_array_equal(npz.read(path, ["a"])["a"], original)
        except ValueError as error:
            assert "a.npz" in str(error)


def test_npz_truncations_raise(tmp_path):
    good = npz_bytes(a=np.arange(20))
    for length in range(len(good)):
        (tmp_path / "a.npz").write_bytes(good[:length])
        with pytest.raises(ValueError, match=r"a\.npz"):
            npz.read(tmp_path / "a.npz", ["a"])


# ---- idx

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def idx_bytes(array, code=0x08):
    head = struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return head + array.astype(TYPES[code]).tobytes()


@pytest.mark.parametrize("code", TYPES)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_round_trip(tmp_path, code, pack):
    array = np.arange(24).reshape(2, 3, 4)
    path = tmp_path / "a"
    path.write_bytes(pack(idx_bytes(array, code)))
    got = idx.read(path)
    np.testing.assert_array_equal(got, array)
    assert got.dtype == np.dtype(TYPES[code]).newbyteorder("=")
    assert got.flags.writeable


HOSTILE_IDX = [
    b"",
    b"\0",
    b"\0\0\x08",
    b"\1\0\x08\1\0\0\0\0",
    b"\0\0\x08\0",
    b"\0\0\x07\1\0\0\0\1\0",
    b"\0\0\x08\2\0\0\0\1",
    b"\0\0\x08\xff" + b"\xff" * 1020,
    b"\0\0\x0e\4" + b"\xff" * 16,
    b"\0\0\x08\1\0\0\0\2\0",
    b"\0\0\x0e\3" + b"\0\0\xff\xff" * 3 + b"\0" * 100,
]


@pytest.mark.parametrize("content", [*HOSTILE_IDX, idx_bytes(np.arange(4)) + b"\0"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_idx_hostile_files_name_themselves(tmp_path, content, pack):
    path = tmp_path / "hostile-idx"
    path.write_bytes(pack(content))
    with pytest.raises(ValueError, match="hostile-idx"):
        idx.read(path)


def test_idx_damaged_compression(tmp_path):
    good = gzip.compress(idx_bytes(np.arange(50).reshape(5, 10)))
    path = tmp_path / "a.gz"
    for length in range(2, len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(ValueError, match=r"a\.gz"):
            idx.read(path)


def test_idx_huge_claim_allocates_nothing(tmp_path):
    import tracemalloc

    path = tmp_path / "a"
    for content in (b"\0\0\x08\2" + b"\x40\0\0\0" * 2, gzip.compress(b"\0\0\x08\1\x40\0\0\0" + bytes(1000))):
        path.write_bytes(content)
        tracemalloc.start()
        with pytest.raises(ValueError):
            idx.read(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20


# ---- mnist


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder without data, and a network that is down."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.delenv("PYLEARN_DATA", raising=False)

    class Pooch:
        asked = None

        @classmethod
        def retrieve(cls, url, known_hash, fname, path):
            cls.asked = (url, known_hash, fname, path)
            raise OSError("network is unreachable")

    monkeypatch.setitem(sys.modules, "pooch", Pooch)
    return tmp_path


def fake_mnist(first=0):
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (7, 28, 28), np.uint8)
    X[0, 0, 0] = first
    return {
        "x_train": X[:4],
        "y_train": np.array([0, 9, 3, 4], np.uint8),
        "x_test": X[4:],
        "y_test": np.array([1, 2, 5], np.uint8),
    }


def write_npz(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(npz_bytes(**arrays))


def write_idx(folder, arrays, suffix="", dotted=False):
    folder.mkdir(parents=True, exist_ok=True)
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for key, name in (("x", "images-idx3-ubyte"), ("y", "labels-idx1-ubyte")):
            content = idx_bytes(arrays[f"{key}_{part}"])
            name = name.replace("-idx", ".idx") if dotted else name
            (folder / f"{prefix}-{name}{suffix}").write_bytes(gzip.compress(content) if suffix else content)


def assert_is(split, arrays):
    (X_train, y_train), (X_test, y_test) = split
    for got, key in ((X_train, "x_train"), (y_train, "y_train"), (X_test, "x_test"), (y_test, "y_test")):
        np.testing.assert_array_equal(got, arrays[key])
        assert got.dtype == np.uint8


def test_mnist_offline_names_the_stand_in(home):
    with pytest.raises(ConnectionError, match=r"unreachable.*from pylearn\.datasets import digits as mnist"):
        mnist.load_data()
    url, known_hash, name, path = sys.modules["pooch"].asked
    assert url.endswith("mnist.npz")
    assert known_hash.startswith("sha256:731c5ac6")
    assert (name, path) == ("mnist.npz", home / ".pylearn")


def test_mnist_order_of_places(home, monkeypatch):
    for place, first in ((".keras/datasets", 1), (".pylearn", 2), ("data", 3)):
        write_npz(home / place / "mnist.npz", fake_mnist(first))
        if place == "data":
            monkeypatch.setenv("PYLEARN_DATA", str(home / place))
        assert_is(mnist.load_data(), fake_mnist(first))
    write_npz(home / "elsewhere" / "digits.npz", fake_mnist(4))
    assert_is(mnist.load_data(str(home / "elsewhere" / "digits.npz")), fake_mnist(4))


@pytest.mark.parametrize("place", ["", "MNIST/raw", "mnist"])
@pytest.mark.parametrize("options", [{}, {"suffix": ".gz"}, {"dotted": True}])
def test_mnist_from_idx(home, monkeypatch, place, options):
    monkeypatch.setenv("PYLEARN_DATA", str(home / "data"))
    write_idx(home / "data" / place, fake_mnist(), **options)
    assert_is(mnist.load_data(), fake_mnist())


def test_mnist_missing_idx_file_is_named(home):
    write_idx(home / ".pylearn", fake_mnist())
    (home / ".pylearn" / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte .* is missing"):
        mnist.load_data()


@pytest.mark.parametrize(
    "changes",
    [
        {"x_train": np.zeros((4, 27, 28), np.uint8)},
        {"x_train": np.zeros((4, 28, 28))},
        {"y_train": np.zeros(5, np.uint8)},
        {"y_test": np.array([1, 2, 10], np.uint8)},
        {"y_test": np.zeros(3)},
    ],
)
def test_mnist_wrong_shapes_name_the_file(home, changes):
    write_npz(home / ".pylearn" / "mnist.npz", {**fake_mnist(), **changes})
    with pytest.raises(ValueError, match=r"\.pylearn.mnist\.npz"):
        mnist.load_data()


def test_mnist_downloads_into_the_cache(home):
    def retrieve(url, known_hash, fname, path):
        write_npz(path / fname, fake_mnist())
        return str(path / fname)

    sys.modules["pooch"].retrieve = retrieve
    assert_is(mnist.load_data(), fake_mnist())
    sys.modules["pooch"].retrieve = None
    assert_is(mnist.load_data(), fake_mnist())  # from the cache


# ---- stdlib_docs

has_network = bool(stdlib_docs.docstrings("asyncio"))
has_gui = any(stdlib_docs.docstrings(package) for package in stdlib_docs.GUI)
needs_both = pytest.mark.skipif(
    not (has_gui and has_network), reason="this Python has no tkinter and idlelib"
)


@needs_both
def test_stdlib_docs_binary():
    (text_train, y_train), (text_test, y_test) = stdlib_docs.load_data()
    assert all(isinstance(text, str) for text in text_train + text_test)
    assert len(text_train) == len(y_train) and len(text_test) == len(y_test)
    assert not set(text_train) & set(text_test)
    assert 0.19 < len(y_test) / (len(y_train) + len(y_test)) < 0.21
    assert abs(y_train.mean() - y_test.mean()) < 0.01  # stratified
    assert set(y_train) == {0, 1}
    again = stdlib_docs.load_data()
    assert again[0][0] == text_train
    np.testing.assert_array_equal(again[1][1], y_test)
    assert stdlib_docs.load_data(seed=2)[0][0] != text_train


@needs_both
def test_stdlib_docs_words_predict_the_label():
    """The labels mean something: class word counts alone beat the larger class by far."""
    (text_train, y_train), (text_test, y_test) = stdlib_docs.load_data()
    vocabulary = sorted({word for text in text_train for word in text.lower().split()})
    column = {word: i for i, word in enumerate(vocabulary)}
    counts = np.ones((2, len(vocabulary)))
    for text, label in zip(text_train, y_train):
        for word in set(text.lower().split()):
            counts[label, column[word]] += 1
    weight = np.log(counts[1] / counts[1].sum()) - np.log(counts[0] / counts[0].sum())
    score = [sum(weight[column[w]] for w in set(t.lower().split()) if w in column) for t in text_test]
    baseline = max(y_test.mean(), 1 - y_test.mean())
    assert ((np.array(score) > 0) == y_test).mean() > baseline + 0.2


@pytest.mark.filterwarnings("ignore:this Python's standard library")
def test_stdlib_docs_classes():
    (_, y_train), (_, y_test) = stdlib_docs.load_data("all")
    assert len(y_train) + len(y_test) > 1000
    assert y_train.max() == len(stdlib_docs.ALL) - 1
    (texts, y), _ = stdlib_docs.load_data(["json", "http"])
    assert set(y) == {0, 1}
    assert all(len(text.split()) >= 6 for text in texts)


@pytest.mark.parametrize("classes", ["most", ["http"], ["http", "http"], ["../etc", "http"], [1, 2], []])
def test_stdlib_docs_bad_classes(classes):
    with pytest.raises(ValueError, match="classes must"):
        stdlib_docs.load_data(classes)


def test_stdlib_docs_missing_packages(monkeypatch, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no absent_package .*apt install"):
        stdlib_docs.load_data(["http", "absent_package"])
    real = stdlib_docs.docstrings
    monkeypatch.setattr(stdlib_docs, "docstrings", lambda p: () if p in stdlib_docs.GUI else real(p))
    with pytest.raises(FileNotFoundError, match="no tkinter or idlelib"):
        stdlib_docs.load_data()
    with pytest.warns(UserWarning, match="no (tkinter|idlelib) .*left out"):
        (_, y), _ = stdlib_docs.load_data("all")
    assert y.min() == 2  # labels keep their meaning
    monkeypatch.undo()
    stdlib_docs.docstrings.cache_clear()
    monkeypatch.setattr(stdlib_docs, "_library", lambda: tmp_path)
    with pytest.warns(UserWarning), pytest.raises(FileNotFoundError, match="no standard library source"):
        stdlib_docs.load_data("all")
    stdlib_docs.docstrings.cache_clear()
