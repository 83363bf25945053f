"""Linear regression twice: in closed form, and as a network of one neuron.

Both minimise the mean squared error of ŷ = wx + b. The closed form solves the normal equations,
w = Σ(x − x̄)(y − ȳ) / Σ(x − x̄)². The network descends the gradient instead, which also works where no
formula exists: w ← w − η ∂L/∂w, with ∂L/∂w = 2·mean((ŷ − y) x), on 32 examples at a time.

The data: body mass index against the progression of diabetes after a year, for 353 patients, and 89 more
to test on. R² = 1 − Σ(y − ŷ)² / Σ(y − ȳ)² says which part of the variance the line explains.
The course's numbers: R² 0.3756 (train) and 0.1906 (test) in closed form, the network within 0.005 of it.

Question: descent stops near the minimum, not at it. Will its line explain the test patients worse, or can it even
do better?

Try: (a) the optimizer "adam" for as many epochs. (b) Two columns, bmi and blood pressure, instead of one.
"""

from pylearn import plots
from pylearn.base import r2_score
from pylearn.curriculum import report
from pylearn.datasets import diabetes
from pylearn.layers import Dense, Input
from pylearn.linear_model import LinearRegression
from pylearn.models import Model
from pylearn.utils import set_random_seed


def main(epochs: int = 50, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Fit both, compare them; returns the scores by name."""
    set_random_seed(seed)
    (X_train, y_train), (X_test, y_test) = diabetes.load_data()
    bmi = [diabetes.FEATURES.index("bmi")]
    X_train, X_test = X_train[:, bmi], X_test[:, bmi]
    X_train, X_test = standardise(X_train, X_test)
    y_train, y_test = standardise(y_train, y_test)

    closed = LinearRegression().fit(X_train, y_train)

    inputs = Input(shape=(1,))
    outputs = Dense(1, activation="linear")(inputs)
    network = Model(inputs=inputs, outputs=outputs)
    network.compile(optimizer="sgd", loss="mean_squared_error", metrics=["mae"])
    if verbose:
        network.summary()
    history = network.fit(
        X_train, y_train, epochs=epochs, batch_size=32, validation_data=(X_test, y_test), verbose=verbose
    )

    scores = {
        "closed_train": closed.score(X_train, y_train),
        "closed_test": closed.score(X_test, y_test),
        "sgd_train": r2_score(y_train, network.predict(X_train, verbose=0).ravel()),
        "sgd_test": r2_score(y_test, network.predict(X_test, verbose=0).ravel()),
    }
    weight, bias = network.get_weights()
    print(f"closed form: y = {closed.coef_[0]:.3f} x + {closed.intercept_:.3f}")
    print(f"network:     y = {float(weight[0, 0]):.3f} x + {float(bias[0]):.3f}")
    report.score("R² closed form, train", scores["closed_train"], 0.3756, 0.0001)
    report.score("R² closed form, test", scores["closed_test"], 0.1906, 0.0001)
    report.score("R² network, train", scores["sgd_train"], 0.3752, 0.005)
    report.score("R² network, test", scores["sgd_test"], 0.1876, 0.01)
    report.picture(plot, plots.history, history)
    return scores


def standardise(train, test):
    """Mean 0 and standard deviation 1 on the training part; the test part must not be looked at."""
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    return (train - mean) / deviation, (test - mean) / deviation


if __name__ == "__main__":
    main()
