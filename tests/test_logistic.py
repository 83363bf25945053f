"""LogisticRegression: at its minimum by its own conditions, and equal to scikit-learn's where installed."""

import inspect
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

import pylearn
from pylearn.base import clone
from pylearn.datasets import digits
from pylearn.linear_model import LogisticRegression

TIGHT = {"tol": 1e-10, "max_iter": 10_000}


def problem(n=120, d=5, k=3, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) * rng.uniform(0.3, 3, d) + 1
    y = (X @ rng.normal(size=(d, k)) + rng.gumbel(size=(n, k)) * 2).argmax(axis=1)
    return X, y, rng.uniform(0.1, 2, n)


def sparse(X):
    rows, columns = np.nonzero(X)
    return pylearn.CSR(np.searchsorted(rows, np.arange(len(X) + 1)), columns, X[rows, columns], X.shape)


def gradient(model, X, y, weight, C):
    """Of C Σ wℓ + ½‖W‖², by the formula."""
    codes = np.searchsorted(model.classes_, y)
    p = model.predict_proba(X)
    if len(model.classes_) == 2:
        slope = (p[:, 1] - codes)[:, None]
    else:
        slope = p - np.eye(len(model.classes_))[codes]
    slope = slope * weight[:, None] * C
    return slope.T @ X + model.coef_, slope.sum(axis=0)


@pytest.mark.parametrize("k", [2, 3, 5])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_gradient_vanishes(k, C, intercept):
    X, y, weight = problem(k=k)
    for given in (X, sparse(X)):
        model = LogisticRegression(C=C, fit_intercept=intercept, **TIGHT).fit(given, y, weight)
        by_weight, by_constant = gradient(model, X, y, weight, C)
        scale = C * weight.sum()
        assert np.abs(by_weight).max() < 1e-8 * scale
        assert np.abs(by_constant).max() < 1e-8 * scale or not intercept
        assert intercept or not model.intercept_.any()
        assert model.coef_.shape == ((1 if k == 2 else k), 5)


def test_predictions_agree():
    X, y, _ = problem()
    for labels in (y, np.array(["cat", "dog", "eel"])[y], y == 1, y * 2.0 - 7):
        model = LogisticRegression().fit(X, labels)
        proba = model.predict_proba(X)
        np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
        np.testing.assert_allclose(np.log(proba), model.predict_log_proba(X))
        np.testing.assert_array_equal(model.predict(X), model.classes_[proba.argmax(axis=1)])
        margins = model.decision_function(X)
        assert margins.shape == ((len(X),) if len(model.classes_) == 2 else (len(X), 3))
        np.testing.assert_allclose(model.decision_function(sparse(X)), margins, rtol=1e-12)
        assert model.score(X, labels) == (model.predict(X) == np.asarray(labels)).mean()
    far = LogisticRegression(C=1e6, max_iter=1000).fit([[-1.0], [1.0]], [0, 1]).predict_log_proba([[1e6]])
    assert np.isfinite(far).all() and far[0, 0] < -1e5


def test_digits_reach_the_course_numbers():
    (X, y), (X_test, y_test) = digits.load_data(size=8)
    X, X_test = X.reshape(-1, 64) / 16, X_test.reshape(-1, 64) / 16
    model = LogisticRegression().fit(X, y)
    assert model.score(X_test, y_test) >= 0.9667 - 0.003
    likelihood = model.predict_log_proba(X_test)[np.arange(360), y_test]
    assert -likelihood.mean() == pytest.approx(0.1654, abs=0.002)


def test_weights_are_repetitions():
    X, y, _ = problem()
    counts = np.arange(len(y)) % 3
    weighted = LogisticRegression(**TIGHT).fit(X, y, counts)
    repeated = LogisticRegression(**TIGHT).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
    by_class = LogisticRegression(class_weight={0: 2.0, 2: 0.5}, **TIGHT).fit(X, y)
    by_row = LogisticRegression(**TIGHT).fit(X, y, np.array([2.0, 1.0, 0.5])[y])
    np.testing.assert_allclose(by_class.coef_, by_row.coef_, rtol=1e-6)
    balanced = LogisticRegression(class_weight="balanced", **TIGHT).fit(X, y)
    by_row = LogisticRegression(**TIGHT).fit(X, y, (len(y) / 3 / np.bincount(y))[y])
    np.testing.assert_allclose(balanced.coef_, by_row.coef_, rtol=1e-6)


def test_warm_start_and_limits():
    X, y, _ = problem()
    model = LogisticRegression(warm_start=True, **TIGHT).fit(X, y)
    assert model.fit(X, y).n_iter_[0] <= 1
    with pytest.warns(UserWarning, match="max_iter=2"):
        LogisticRegression(max_iter=2).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LogisticRegression(tol=1e-300, max_iter=10_000).fit(X, y)  # rounding ends it
    free = LogisticRegression(penalty=None, **TIGHT).fit(X, y)
    np.testing.assert_allclose(free.coef_, LogisticRegression(C=np.inf, **TIGHT).fit(X, y).coef_)
    other = pickle.loads(pickle.dumps(free))
    np.testing.assert_array_equal(other.predict_proba(X), free.predict_proba(X))
    np.testing.assert_array_equal(free.fit(X, y).coef_, other.coef_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"C": 0}, "C must be a number above 0"),
        ({"C": "big"}, "C must be"),
        ({"tol": -1}, "tol must be"),
        ({"penalty": "l1"}, "penalty='l1' is not supported yet"),
        ({"l1_ratio": 0.5}, "l1_ratio=0.5 is not supported yet"),
        ({"solver": "liblinear"}, "solver must be one of lbfgs"),
        ({"dual": True}, "dual=True"),
        ({"class_weight": "even"}, "class_weight must be None, 'balanced' or a dict"),
        ({"class_weight": {0: 1.0, 9: 2.0}}, "has the label 9, which y does not have, and none for 1"),
        ({"class_weight": {0: -1.0}}, "must not be negative"),
    ],
)
def test_bad_settings(options, message):
    X, y, _ = problem()
    with pytest.raises(ValueError, match=message):
        LogisticRegression(**options).fit(X, y)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        ([[1.0], [2.0]], [1, 1], "at least 2 classes, but y has only one class: 1"),
        ([[1.0], [2.0]], [0.5, 1.2], r"Unknown label type: continuous \(y\[0\] is 0.5\)"),
        ([[1.0], [2.0]], [0, np.nan], "y contains NaN"),
        ([[1.0], [2.0]], [0, 1, 1], "X has 2 rows, y has 3"),
        ([[1.0], [2.0]], [[0, 1], [1, 0]], "1d array"),
        ([[1.0], [2.0]], None, "requires y"),
        ([[1.0], [2.0]], ["a", 1], "cannot be ordered|strings"),
        ([[1.0], [np.inf]], [0, 1], "X contains infinity"),
        (
            pylearn.CSR([0, 1, 2], [0, 1], [1.0, np.nan], (2, 2)),
            [0, 1],
            "X contains NaN, first at row 1, column 1",
        ),
        (pylearn.CSR([0], [], [], (0, 2)), [], r"0 sample\(s\)"),
    ],
)
def test_bad_data(X, y, message):
    y = np.array(y, object) if y == ["a", 1] else y
    with pytest.raises(ValueError, match=message):
        LogisticRegression().fit(X, y)


def test_scikit_learn_is_not_imported(tmp_path):
    script = (
        "import sys; from pylearn.linear_model import LogisticRegression; import pylearn.wrappers, pylearn.ensemble\n"
        "LogisticRegression().fit([[1.], [2.]], [0, 1]).predict_proba([[1.]])\n"
        "from pylearn.wrappers import NetClassifier\n"
        "NetClassifier(epochs=1).fit([[1.], [2.]], ['a', 'b']).predict([[1.]])\n"
        "loaded = {n.partition('.')[0] for n in sys.modules}\n"
        "assert not loaded & {'sklearn', 'scipy', 'pandas'}, loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


# ---- beside scikit-learn


@pytest.fixture(scope="module")
def sk():
    return pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("options", [{}, {"class_weight": "balanced"}])
def test_check_estimator(sk, options):
    from sklearn.utils.estimator_checks import check_estimator

    check_estimator(LogisticRegression(**options))


@pytest.mark.parametrize("k", [2, 4])
def test_equals_scikit_learn(sk, k):
    X, y, weight = problem(k=k)
    for options in ({}, {"C": 30.0}, {"fit_intercept": False}, {"class_weight": "balanced"}):
        # before 1.7 scikit-learn balanced the classes without the weights of the rows
        rows = None if "class_weight" in options else weight
        theirs = sk.LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=500, **options)
        theirs.fit(X, y, rows)
        for given in (X, __import__("scipy.sparse").sparse.csr_matrix(X)):
            ours = LogisticRegression(**options, **TIGHT).fit(given, y, rows)
            np.testing.assert_allclose(
                ours.coef_, theirs.coef_, rtol=1e-5, atol=1e-5 * np.abs(theirs.coef_).max()
            )
            np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=1e-5)


def test_signature_is_scikit_learns(sk):
    theirs = inspect.signature(sk.LogisticRegression).parameters
    if theirs["penalty"].default != "deprecated":
        pytest.skip("scikit-learn before 1.8")
    ours = inspect.signature(LogisticRegression).parameters
    assert {n: p.default for n, p in ours.items()} == {n: p.default for n, p in theirs.items()}
    assert clone(LogisticRegression(C=3)).C == 3
