import sys
import types

import pytest

from pylearn import plots

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
