"""LinearRegression: against NumPy's least squares everywhere, against scikit-learn where installed."""

import copy
import pickle
import subprocess
import sys

import numpy as np
import pytest

from pylearn import base
from pylearn.base import NotFittedError, clone, r2_score
from pylearn.datasets import diabetes
from pylearn.linear_model import LinearRegression
from pylearn.linear_model.least_squares import least_squares
from pylearn.linear_model.nnls import nnls


def problem(n=60, d=4, k=None, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3
    W = rng.normal(size=(d,) if k is None else (d, k))
    return X, X @ W + 1 + 0.1 * rng.normal(size=(n,) if k is None else (n, k)), rng.uniform(0.1, 2, n)


def oracle(X, y, intercept=True, weight=None):
    """Least squares with a column of ones, rows scaled by √w."""
    A = np.column_stack([X, np.ones(len(X))]) if intercept else X
    root = np.ones(len(X)) if weight is None else np.sqrt(weight)
    solution = np.linalg.lstsq(A * root[:, None], (y.T * root).T, rcond=None)[0]
    return (solution[:-1].T, solution[-1]) if intercept else (solution.T, 0.0)


@pytest.mark.parametrize("n", [8, 60, 500])  # SVD and normal equations
@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_equals_numpy(n, k, intercept, weighted):
    X, y, weight = problem(n, 4, k)
    weight = weight if weighted else None
    model = LinearRegression(fit_intercept=intercept).fit(X, y, weight)
    coef, constant = oracle(X, y, intercept, weight)
    assert model.coef_.shape == ((4,) if k is None else (k, 4))
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-9)
    np.testing.assert_allclose(model.intercept_, constant, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), X @ model.coef_.T + model.intercept_)
    assert model.predict(X).shape == y.shape
    assert model.rank_ == 4
    root = np.sqrt(weight)[:, None] if weighted else 1
    centred = (X - np.average(X, axis=0, weights=weight) if intercept else X) * root
    np.testing.assert_allclose(model.singular_, np.linalg.svd(centred, compute_uv=False), rtol=1e-9)


def test_diabetes_reaches_the_course_numbers():
    (X_train, y_train), (X_test, y_test) = diabetes.load_data()
    model = LinearRegression().fit(X_train, y_train)
    assert model.score(X_train, y_train) == pytest.approx(0.55393, abs=5e-6)
    assert model.score(X_test, y_test) == pytest.approx(0.33223, abs=5e-6)


@pytest.mark.parametrize("n", [10, 300])
def test_dependent_columns_give_the_smallest_solution(n):
    X, y, _ = problem(n)
    X = np.column_stack([X, X[:, 0], np.zeros(n), X[:, 1] - 2 * X[:, 2]])
    model = LinearRegression().fit(X, y)
    assert model.rank_ == 4
    assert np.isfinite(model.coef_).all()
    centred = X - X.mean(axis=0)
    np.testing.assert_allclose(model.coef_, np.linalg.pinv(centred, rcond=1e-9) @ (y - y.mean()), atol=1e-9)


def test_more_columns_than_rows_interpolates():
    X, y, _ = problem(5, 20)
    model = LinearRegression().fit(X, y)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-10)
    assert model.score(X, y) == pytest.approx(1)


def test_normal_equations_only_where_they_are_exact():
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(400, 5)))[0]
    for condition in (1e1, 1e2, 9e2, 1.1e3, 1e6, 1e9):
        X = basis * np.geomspace(1, 1 / condition, 5)
        W = rng.normal(size=(5, 2))
        got = least_squares(X, X @ W, 1e-12)[0]
        exact = np.linalg.lstsq(X, X @ W, rcond=1e-12)[0]
        np.testing.assert_allclose(got, exact, atol=1e-13 * condition)
    huge = 1e200 * rng.normal(size=(400, 3))  # the Gram matrix overflows
    np.testing.assert_allclose(least_squares(huge, huge @ np.ones((3, 1)), 1e-6)[0], 1, rtol=1e-9)


def test_repeating_a_row_is_a_weight_of_two():
    X, y, _ = problem()
    counts = np.arange(len(y)) % 3
    weighted = LinearRegression().fit(X, y, counts)
    repeated = LinearRegression().fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-9)
    np.testing.assert_allclose(LinearRegression().fit(X, y, 2.0).coef_, LinearRegression().fit(X, y).coef_)


def test_inputs_are_not_written_to():
    X, y, weight = problem(200)
    before = X.copy(), y.copy(), weight.copy()
    for values in (X, X[::-1], np.asfortranarray(X)):
        LinearRegression().fit(values, y, weight)
    for now, then in zip((X, y, weight), before):
        np.testing.assert_array_equal(now, then)
    X.flags.writeable = False
    LinearRegression(copy_X=False).fit(X, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int32, np.uint8, bool])
def test_other_dtypes_are_computed_in_float64(dtype):
    X = np.random.default_rng(0).integers(0, 2, (50, 3)).astype(dtype)
    y = X.astype(float) @ [1.0, 2.0, 3.0] + 4
    model = LinearRegression().fit(X, y)
    assert model.coef_.dtype == np.float64
    np.testing.assert_allclose(model.coef_, [1, 2, 3], atol=1e-12)
    np.testing.assert_allclose(LinearRegression().fit(X.tolist(), y.tolist()).coef_, [1, 2, 3], atol=1e-12)


# ---- positive


def test_nnls_satisfies_its_optimality_conditions():
    rng = np.random.default_rng(0)
    for n, d in ((30, 8), (5, 8), (40, 1), (20, 20)):
        for _ in range(20):
            A, b = rng.normal(size=(n, d)), rng.normal(size=n)
            x = nnls(A, b)
            slope = A.T @ (A @ x - b)
            assert (x >= 0).all()
            assert (slope >= -1e-9).all()
            assert np.abs(slope * x).max() < 1e-9
    assert not nnls(np.ones((3, 2)), -np.ones(3)).any()
    assert not nnls(np.zeros((3, 2)), np.ones(3)).any()
    A = np.ones((4, 3))  # all columns equal
    np.testing.assert_allclose(A @ nnls(A, 2 * np.ones(4)), 2)


def test_positive_coefficients():
    X, y, weight = problem(k=2)
    model = LinearRegression(positive=True).fit(X, y, weight)
    assert (model.coef_ >= 0).all()
    assert not hasattr(model, "rank_")
    assert LinearRegression().fit(X, y, weight).score(X, y, weight) >= model.score(X, y, weight)
    model.set_params(positive=False).fit(X, y)
    assert model.rank_ == 4
    assert not hasattr(model.set_params(positive=True).fit(X, y), "singular_")


# ---- errors, in the caller's terms


class Sparse:
    def tocsr(self): ...


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"X": [1.0, 2.0]}, ValueError, r"Expected 2D array .* got 1D .*reshape\(-1, 1\)"),
        ({"X": 3.0}, ValueError, "got 0D"),
        ({"X": np.zeros((2, 2, 2))}, ValueError, "got 3D .*Flatten"),
        ({"X": np.zeros((0, 3)), "y": []}, ValueError, r"0 sample\(s\)"),
        ({"X": np.zeros((2, 0))}, ValueError, r"0 feature\(s\)"),
        ({"X": [[1, 2], [3]]}, ValueError, "X is not a rectangular array"),
        ({"X": [[1, 2], [np.nan, 4]]}, ValueError, "X contains NaN .*row 1, column 0"),
        ({"X": [[1, -np.inf], [3, 4]]}, ValueError, "X contains infinity .*row 0, column 1"),
        ({"X": [[1j, 2], [3, 4]]}, ValueError, "Complex data not supported"),
        ({"X": np.array([[1j, 2], [3, 4]], object)}, ValueError, "Complex data not supported"),
        ({"X": [["a", "b"], ["c", "d"]]}, ValueError, "strings"),
        ({"X": np.array([["a", 1], [2, 3]], object)}, ValueError, "not numbers"),
        ({"X": [[{}, 1], [2, 3]]}, TypeError, "not numbers"),
        ({"X": np.zeros((2, 2), "M8[s]")}, TypeError, "dates"),
        ({"X": Sparse()}, TypeError, r"sparse matrix.*toarray"),
        ({"y": None}, ValueError, "requires y to be passed"),
        ({"y": [1.0]}, ValueError, "X has 2 rows, y has 1"),
        ({"y": [1.0, np.nan]}, ValueError, "y contains NaN .*row 1"),
        ({"y": np.zeros((2, 1, 1))}, ValueError, r"y should be \(n_samples,\) or"),
        ({"y": np.zeros((2, 0))}, ValueError, "no outputs"),
        ({"y": ["a", "b"]}, ValueError, "y is <U1"),
        ({"y": Sparse()}, TypeError, "sparse"),
        ({"sample_weight": [1.0]}, ValueError, r"sample_weight.shape == \(1,\), expected \(2,\)"),
        ({"sample_weight": [[1.0], [1.0]]}, ValueError, "1D array or scalar"),
        ({"sample_weight": [1.0, -1.0]}, ValueError, "Negative values .*-1 at row 1"),
        ({"sample_weight": [0.0, 0.0]}, ValueError, "at least one non-zero"),
        ({"sample_weight": [1.0, np.nan]}, ValueError, "sample_weight contains NaN"),
    ],
)
def test_bad_input(change, error, message):
    arguments = {"X": [[1.0, 2.0], [3.0, 4.0]], "y": [1.0, 2.0], **change}
    with pytest.raises(error, match=message) as caught:
        LinearRegression().fit(**arguments)
    assert "LinearRegression" in str(caught.value)


@pytest.mark.parametrize("tol", [-1, np.nan, np.inf, "small", None])
def test_bad_tol(tol):
    with pytest.raises(ValueError, match="tol must be"):
        LinearRegression(tol=tol).fit([[1.0]], [1.0])


def test_unfitted_and_wrong_width():
    model = LinearRegression()
    with pytest.raises(NotFittedError, match="not fitted yet"):
        model.predict([[1.0]])
    model.fit([[1.0], [2.0]], [1.0, 2.0])
    with pytest.raises(
        ValueError, match="X has 2 features, but LinearRegression is expecting 1 features as input"
    ):
        model.predict([[1.0, 2.0]])


# ---- the protocol


def test_parameters_and_repr():
    model = LinearRegression(tol=1e-3, positive=True)
    assert repr(model) == "LinearRegression(positive=True, tol=0.001)"
    assert repr(LinearRegression()) == "LinearRegression()"
    assert model.get_params() == {
        "copy_X": True,
        "fit_intercept": True,
        "n_jobs": None,
        "positive": True,
        "tol": 1e-3,
    }
    assert model.set_params(tol=0.1) is model
    assert model.tol == 0.1
    with pytest.raises(ValueError, match=r"Invalid parameter 'tole'.*Valid parameters are: .*'tol'"):
        model.set_params(tole=1)
    with pytest.raises(TypeError):
        LinearRegression(False)


class Wrapper(base.Regressor):
    def __init__(self, inner=None, values=()):
        self.inner = inner
        self.values = values

    def predict(self, X):
        return X


def test_nested_parameters_and_clone():
    wrapper = Wrapper(LinearRegression(tol=0.5), [LinearRegression()])
    assert wrapper.get_params()["inner__tol"] == 0.5
    wrapper.set_params(inner__tol=0.25, values=[LinearRegression().fit([[1.0]], [1.0])])
    copied = clone(wrapper)
    assert copied.inner is not wrapper.inner
    assert copied.inner.tol == 0.25
    assert not copied.values[0].__sklearn_is_fitted__()
    with pytest.raises(TypeError, match="clone needs"):
        clone(3)
    assert "values=" in repr(wrapper)
    assert repr(Wrapper(values=np.zeros(2)))


def test_pickle_and_copy_keep_the_fit():
    X, y, _ = problem()
    model = LinearRegression().fit(X, y)
    for other in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_r2_score():
    assert r2_score([1, 2, 3], [1, 2, 3]) == 1
    assert r2_score([1, 2, 3], [2, 2, 2]) == 0
    assert r2_score([2, 2], [2, 2]) == 1
    assert r2_score([2, 2], [2, 3]) == 0
    assert r2_score([[1], [2]], [1, 2]) == 1
    assert r2_score([[1, 2], [3, 2]], [[1, 2], [3, 5]]) == 0.5
    assert r2_score([1, 2, 9], [1, 2, 3], [1, 1, 0]) == 1
    with pytest.raises(ValueError, match=r"\(2, 1\), the prediction \(3, 1\)"):
        r2_score([1, 2], [1, 2, 3])
    with pytest.warns(UserWarning, match="fewer than two"):
        assert np.isnan(r2_score([1], [1]))


def test_data_frames():
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    X, y, _ = problem(40, 2)
    frame = pandas.DataFrame(X, columns=["a", "b"])
    model = LinearRegression().fit(frame, pandas.Series(y))
    np.testing.assert_array_equal(frame.to_numpy(), X)
    np.testing.assert_array_equal(model.feature_names_in_, ["a", "b"])
    np.testing.assert_allclose(model.coef_, LinearRegression().fit(X, y).coef_)
    model.predict(frame)
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- c\n.*missing:\n- b"):
        model.predict(frame.rename(columns={"b": "c"}))
    with pytest.raises(ValueError, match="same order"):
        model.predict(frame[["b", "a"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    with pytest.raises(TypeError, match="string names"):
        model.fit(frame.rename(columns={"b": 1}), y)
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        model.fit(X, y).predict(frame)
    frame.iloc[3, 1] = np.nan
    with pytest.raises(ValueError, match="row 3, column 'b'"):
        model.fit(frame, y)
    nullable = pandas.DataFrame({"a": pandas.array([1, None, 3], "Int64")})
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(nullable, [1.0, 2.0, 3.0])
    assert model.fit(nullable.dropna(), [2.0, 6.0]).coef_ == pytest.approx([2])


def test_scikit_learn_is_not_imported(tmp_path):
    script = (
        "import sys; from pylearn.linear_model import LinearRegression\n"
        "m = LinearRegression().fit([[1.], [2.]], [1., 2.])\n"
        "m.score([[1.], [2.]], [1., 2.]); repr(m); loaded = {n.partition('.')[0] for n in sys.modules}\n"
        "assert not loaded & {'sklearn', 'scipy', 'pandas', 'matplotlib', 'pooch', 'tqdm'}, loaded"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)


# ---- beside scikit-learn


@pytest.fixture(scope="module")
def sk():
    return pytest.importorskip("sklearn.linear_model", reason="scikit-learn is not installed")


@pytest.mark.parametrize("options", [{}, {"positive": True}, {"fit_intercept": False}])
@pytest.mark.filterwarnings("ignore")
def test_check_estimator(sk, options):
    from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

    assert callable(estimator_checks_generator)
    check_estimator(LinearRegression(**options))


def test_equals_scikit_learn(sk):
    (X, y), _ = diabetes.load_data()
    _, _, weight = problem(len(y))
    for options in ({}, {"fit_intercept": False}, {"positive": True}):
        for w in (None, weight):
            ours, theirs = (
                LinearRegression(**options).fit(X, y, w),
                sk.LinearRegression(**options).fit(X, y, w),
            )
            np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10, atol=1e-10)
            np.testing.assert_allclose(ours.intercept_, theirs.intercept_, rtol=1e-10)
            assert ours.score(X, y, w) == pytest.approx(theirs.score(X, y, w), rel=1e-12)


def test_signature_is_scikit_learns(sk):
    theirs = sk.LinearRegression().get_params()
    theirs.setdefault("tol", 1e-6)  # new in 1.7
    assert LinearRegression().get_params() == theirs


def test_in_scikit_learns_tools(sk):
    import sklearn.base
    from sklearn.exceptions import NotFittedError as TheirNotFitted
    from sklearn.model_selection import GridSearchCV, cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures

    (X, y), _ = diabetes.load_data()
    pipeline = make_pipeline(PolynomialFeatures(), LinearRegression())
    grid = GridSearchCV(pipeline, {"linearregression__fit_intercept": [True, False]}, cv=3).fit(X[:, :3], y)
    assert np.isfinite(grid.best_score_)
    assert sklearn.base.is_regressor(LinearRegression())
    assert cross_val_score(LinearRegression(), X, y, cv=3).shape == (3,)
    assert sklearn.base.clone(LinearRegression(tol=0.1)).tol == 0.1
    with pytest.raises(TheirNotFitted):
        LinearRegression().predict(X)
    with pytest.raises(NotFittedError):
        LinearRegression().predict(X)
