import re
import sys
import types
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from pylearn import layers as L
from pylearn import plots
from pylearn.models import Model, Sequential
from pylearn.schedules import CosineDecay

RECORD = {
    "loss": [2.0, 1.0],
    "accuracy": [0.5, 0.75],
    "val_loss": [2.5, 1.5],
    "val_accuracy": [0.4, 0.7],
    "lr": [1, 1],
}


def test_history_draws_and_writes(tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    before = {name for name in sys.modules if name.startswith("matplotlib.pyplot")}
    figure = plots.history(types.SimpleNamespace(history=RECORD), tmp_path / "h.png")
    assert (tmp_path / "h.png").read_bytes().startswith(b"\x89PNG")
    assert [axes.get_title() for axes in figure.axes] == ["loss", "accuracy", "lr"]
    assert [len(axes.lines) for axes in figure.axes] == [2, 2, 1]
    assert {name for name in sys.modules if name.startswith("matplotlib.pyplot")} == before
    assert len(plots.history({"val_only": [1.0]}).axes) == 1


def test_history_needs_epochs():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    for empty in ({}, {"loss": []}):
        with pytest.raises(ValueError, match="no epoch"):
            plots.history(empty)


def test_history_without_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pylearn\.plots needs matplotlib: pip install 'pylearn\[plot\]'"):
        plots.history(RECORD)


# ---- the other plots


@pytest.fixture
def drawn(tmp_path):
    """Checks that a plot was written, and that a second one draws into given axes where it takes them."""
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")

    def check(plot, *args, **kwargs):
        before = {name for name in sys.modules if name.startswith("matplotlib.pyplot")}
        figure = plot(*args, **kwargs, path=tmp_path / "p.png")
        assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
        assert {name for name in sys.modules if name.startswith("matplotlib.pyplot")} == before
        return figure

    return check


RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 3, 200)
SCORES = np.eye(3)[TRUE] + RNG.normal(0, 0.7, (200, 3))
PROBA = np.exp(SCORES) / np.exp(SCORES).sum(axis=1, keepdims=True)


def said(figure):
    return [float(re.search(r"[\d.]+$", t.get_text())[0]) for t in figure.axes[0].get_legend().get_texts()]


def test_confusion_matrix(drawn):
    figure = drawn(plots.confusion_matrix, ["a", "b", "b", "b"], ["a", "a", "b", "b"])
    (axes,) = figure.axes
    assert [t.get_text() for t in axes.texts] == ["1", "1", "2"] and axes.get_title() == "75.0% right"
    shares = plots.confusion_matrix(np.eye(3)[TRUE], SCORES, labels="xyz", normalize=True)
    assert [t.get_text() for t in shares.axes[0].get_xticklabels()] == list("xyz")
    other = drawn(lambda path: plots.confusion_matrix([0, 1], [0, 1], ax=figure.add_subplot(), path=path))
    assert other is figure
    with pytest.raises(ValueError, match="2 labels for 3 classes"):
        plots.confusion_matrix(TRUE, SCORES, labels="xy")
    with pytest.raises(ValueError, match="rows"):
        plots.confusion_matrix(TRUE, TRUE[1:])


def test_curves_have_sklearns_areas(drawn):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    truth, rounded = TRUE, np.round(SCORES, 1)  # with ties
    for scores in (SCORES, rounded):
        areas = [metrics.roc_auc_score(truth == k, scores[:, k]) for k in range(3)]
        assert said(drawn(plots.roc, TRUE, scores)) == pytest.approx(areas, abs=6e-4)
        average = [metrics.average_precision_score(truth == k, scores[:, k]) for k in range(3)]
        assert said(drawn(plots.precision_recall, TRUE, scores)) == pytest.approx(average, abs=6e-4)
    two = plots.roc(TRUE > 0, -SCORES[:, 0])
    assert said(two) == pytest.approx([metrics.roc_auc_score(TRUE > 0, -SCORES[:, 0])], abs=6e-4)


def test_curves_refuse_what_has_no_curve():
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    with pytest.raises(ValueError, match="two classes"):
        plots.roc(np.zeros(5), np.arange(5))
    with pytest.raises(ValueError, match="in all rows or in none"):
        plots.roc(np.zeros(5, int), np.ones((5, 2)))
    with pytest.raises(ValueError, match="not finite"):
        plots.precision_recall([0, 1], [np.nan, 1])
    with pytest.raises(ValueError, match="probabilities"):
        plots.calibration([0, 1], [0, 1.5])


def test_calibration(drawn):
    true = np.arange(4000) % 10 < 3
    for proba, error in ((0.35, 0.05), (0.9, 0.6)):
        title = drawn(plots.calibration, true, np.full(4000, proba)).axes[0].get_title()
        assert float(title.split()[-1]) == pytest.approx(error, abs=6e-4)
    (line,) = [
        line for line in drawn(plots.calibration, TRUE, PROBA).axes[0].lines if line.get_marker() == "o"
    ]
    assert all(0 <= y <= 1 for y in line.get_ydata())


def test_learning_rate(drawn):
    figure = drawn(plots.learning_rate, CosineDecay(0.1, 100), steps=100)
    assert figure.axes[0].lines[0].get_ydata()[0] == pytest.approx(0.1)
    found = drawn(plots.learning_rate, {"learning_rate": [0.01, 0.1, 1.0], "loss": [3.0, 1.0, np.nan]})
    assert found.axes[0].get_legend().get_texts()[0].get_text() == "lowest at 0.1"
    with pytest.raises(ValueError, match="need a schedule"):
        plots.learning_rate({"loss": [1]})


def images_net():
    return Sequential(
        [L.Input((8, 8, 1)), L.Conv2D(5, 3, activation="relu"), L.MaxPooling2D(), L.Flatten(), L.Dense(3)]
    )


def test_pictures(drawn):
    x = RNG.random((10, 8, 8, 1))
    figure = drawn(plots.images, x, np.arange(10) % 3, (np.arange(10) + (np.arange(10) == 4)) % 3, n=6)
    assert len(figure.axes) == 6 and figure.axes[4].get_title() == "2 (is 1)"
    assert figure.axes[4].title.get_color() != figure.axes[3].title.get_color()
    drawn(plots.images, RNG.random((3, 8, 8, 3)))
    drawn(plots.images, RNG.random((3, 64)))
    model = images_net()
    assert len(drawn(plots.filters, model.layers[0]).axes) == 5
    assert len(drawn(plots.filters, RNG.random((3, 3, 3, 2))).axes) == 2
    assert (
        len(drawn(plots.filters, Sequential([L.Dense(4, input_shape=(64,))]).layers[0], shape=(8, 8)).axes)
        == 4
    )
    figure = drawn(plots.activations, model, x[0], n=4)
    assert len([a for row in figure.subfigs for a in row.axes]) == 8
    first = np.maximum(model.layers[0](x[:1]).numpy()[0, ..., 1], 0)
    assert np.allclose(figure.subfigs[0].axes[1].images[0].get_array(), first, atol=1e-6)
    for wrong in (lambda: plots.images(RNG.random((3, 7))), lambda: plots.images(np.zeros((0, 8, 8))),
                  lambda: plots.filters(np.zeros((3, 3))), lambda: plots.activations(model, x[0], ["dense"]),
                  lambda: plots.latent_walk(None, start=[0, 0])):  # fmt: skip
        with pytest.raises(ValueError):
            wrong()


def test_latent_walk(drawn):
    seen = []

    def decoder(z):
        seen.append(z)
        return np.zeros((len(z), 4, 4)) + z[:, :1, None]

    drawn(plots.latent_walk, decoder, steps=5, latent=3, dims=(0, 2), span=2.0)
    assert seen[0].shape == (25, 3) and not seen[0][:, 1].any() and np.ptp(seen[0][:, 2]) == 4
    figure = drawn(plots.latent_walk, decoder, [0, 0], [1, 3], steps=4)
    assert np.allclose(seen[1][:, 1], [0, 1, 2, 3]) and figure.axes[0].images[0].get_array().shape == (4, 16)


# ---- the diagram


def residual():
    x = L.Input((16,))
    h = x
    for _ in range(3):
        h = L.Add()([h, L.Dense(16)(L.BatchNormalization()(L.Dense(16, activation="relu")(h)))])
    inner = Sequential([L.Dense(8, input_shape=(16,)), L.Dense(16)], name="inner")
    return Model(x, L.Add()([inner(h), x]))


def two_inputs():
    a, b = L.Input((20,), name="words"), L.Input((8, 8, 3), name="image")
    h = L.LSTM(6)(L.Embedding(50, 5)(a))
    c = L.GlobalAveragePooling2D()(L.Conv2D(4, 3)(b))
    z = L.Concatenate()([h, c, L.Flatten()(b)])
    return Model([a, b], [L.Dense(1)(z), L.Dense(5, name="<kind>")(z), L.Dense(2)(h)])


def wide():
    x = L.Input((4,))
    return Model(x, L.Concatenate()([L.Dense(3)(L.Dense(3)(x)) for _ in range(6)] + [x]))


@pytest.mark.parametrize("make", [images_net, residual, two_inputs, wide])
@pytest.mark.parametrize("expand", [False, True])
def test_diagram_has_no_overlaps(make, expand):
    model = make()
    diagram = plots.model_diagram(model, expand)
    root = ET.fromstring(diagram.svg)
    text = " ".join(root.itertext())
    boxes = diagram.boxes
    for layer in model.layers:
        assert layer.name in text or (expand and layer.name == "inner")
    assert ("272 parameters" in text) == (make is residual)
    spans = [(b.x - b.width / 2, b.x + b.width / 2, b.y, b.y + b.height, b) for b in boxes]
    for i, (l0, r0, t0, b0, one) in enumerate(
        spans
    ):  # a long edge has a place as a box has: none runs through another
        for l1, r1, t1, b1, other in spans[:i]:
            assert one.rank != other.rank or r0 < l1 or r1 < l0
            assert one.bend or other.bend or r0 < l1 or r1 < l0 or b0 < t1 or b1 < t0
    for box in boxes:
        assert all(boxes[j].rank == box.rank + 1 for j in box.below)
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    assert min(s[0] for s in spans) >= left and max(s[1] for s in spans) <= left + width
    assert min(s[2] for s in spans) >= top and max(s[3] for s in spans) <= top + height


def test_a_chain_is_drawn_straight():
    xs = [box.x for box in plots.model_diagram(images_net()).boxes]
    assert np.ptp(xs) < 0.01


def test_diagram_is_saved_and_shown(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    diagram = plots.model_diagram(images_net())
    diagram.save(tmp_path / "m.svg")
    assert (tmp_path / "m.svg").read_text() == diagram.svg == diagram._repr_html_()
    assert "5 layers" in repr(diagram)
    with pytest.raises(ValueError, match=r"\.svg"):
        diagram.save(tmp_path / "m.png")
    with pytest.raises(ValueError, match="no graph to draw"):
        plots.model_diagram(Sequential([L.Dense(3)]))
