"""The lessons: their form, and each run to the numbers it must reach."""

import ast
import importlib
import importlib.util
from pathlib import Path

import pytest

from pylearn import cli, curriculum
from pylearn.curriculum import report

LESSONS = curriculum.lessons()
SLOW = (
    "batch_norm_cnn",
    "embedding_cnn",
    "frozen_vectors",
    "cnn_lstm",
    "stacked",
    "bidirectional",
    "captions",
)


def source(name):
    spec = importlib.util.find_spec(LESSONS[name].module)
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).read_text(encoding="utf-8")


def test_headings_and_lessons_have_names_of_their_own():
    listed = [
        name
        for heading in curriculum.HEADINGS
        for name in importlib.import_module(f"pylearn.curriculum.{heading}").LESSONS
    ]
    assert len(listed) == len(set(listed)) == len(LESSONS) and not set(listed) & set(curriculum.HEADINGS)
    folders = {p.parent.name for p in Path(curriculum.__file__).parent.glob("*/__init__.py")}
    assert folders == set(curriculum.HEADINGS)


@pytest.mark.parametrize("name", LESSONS)
def test_form(name):
    """A claim, data, a number, a question, two things to try; short; of public names only."""
    text = source(name)
    tree = ast.parse(text)
    words = ast.get_docstring(tree)
    assert words is not None and words.splitlines()[0].rstrip(".").lower() == LESSONS[name].summary.lower()
    assert "The data:" in words and "The course's number" in words
    paragraphs = words.split("\n\n")
    (question,) = [p for p in paragraphs if p.startswith("Question:")]
    (attempts,) = [p for p in paragraphs if p.startswith("Try:")]
    assert question.rstrip().endswith("?") and "(a)" in attempts and "(b)" in attempts
    assert len(text.splitlines()) <= 80
    (main,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main")
    assert {"verbose", "plot"} <= {argument.arg for argument in main.args.args}
    private = [
        node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")
    ]
    assert not private and "report." in text


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in LESSONS]
)
def test_reaches_its_number(name, tmp_path, monkeypatch, capsys):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", name, "--quiet"]) == 0
    shown = capsys.readouterr().out
    assert "must be" in shown and "NOT reached" not in shown, shown
    (picture,) = tmp_path.iterdir()
    assert picture.stem == name and picture.stat().st_size > 1000 and f"drawn in {picture.name}" in shown


def test_a_number_that_is_not_reached_says_so(capsys):
    report.score("a", 0.5, 0.51, 0.02)
    report.at_least("b", 0.5, 0.5)
    report.at_most("c", 3073, 3073)
    assert "NOT" not in capsys.readouterr().out
    for call in (lambda: report.score("a", 0.5, 0.53, 0.02), lambda: report.at_least("b", 0.4, 0.5),
                 lambda: report.at_most("c", float("nan"), 1)):  # fmt: skip
        call()
        assert "NOT reached" in capsys.readouterr().out


def test_without_matplotlib_a_lesson_says_how_to_get_it(tmp_path, monkeypatch, capsys):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "translation", "--quiet"]) == 0
    assert "no picture: pylearn.plots needs matplotlib" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
