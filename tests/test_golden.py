"""Files of earlier versions load, predict and go on training as they did."""

from pathlib import Path

import numpy as np
import pytest
from golden.write import as_given, as_list

from pylearn.models import load_model

FILES = sorted((Path(__file__).parent / "golden").glob("v*/*.pylearn"))


def test_there_are_golden_files():
    assert {p.parent.name for p in FILES} >= {"v0.1"}
    assert {p.stem for p in FILES} >= {"mlp", "cnn", "lstm", "two_inputs"}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("path", FILES, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_golden_file(path):
    with np.load(path.with_suffix(".npz")) as file:
        arrays = dict(file)

    def named(prefix):
        return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}

    model = load_model(path)
    x, y = as_given(path.stem, named("x_"), named("y_"))
    for got, want in zip(as_list(model.predict(x)), named("out_").values(), strict=True):
        assert got.shape == want.shape and np.abs(got - want).max() <= 1e-6
    model.fit(x, y, batch_size=8, verbose=0)
    for got, want in zip(as_list(model.predict(x)), named("next_").values(), strict=True):
        assert (
            np.abs(got - want).max() <= 2e-5
        )  # an epoch apart: rounding of another instruction set has grown
