"""The course: one short lesson per system, each a module with ``main(plot=…)``.

A lesson makes a claim of the course, asks a question to answer first, trains on bundled data, prints its result
beside the number it must reach, writes a picture when matplotlib is there, and names two things to try. ``pylearn
run`` lists them, ``pylearn run NAME`` runs one, or all of a heading.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

HEADINGS = (  # subpackages in the course's order, each with LESSONS: name → one line
    "regression", "learning", "classification", "decisions", "trees", "networks", "practicalities", "regularization",
    "cnn", "language", "generative", "bayes", "next",
)  # fmt: skip


@dataclass(frozen=True)
class Lesson:
    """Where a lesson is and what it teaches."""

    heading: str
    name: str
    summary: str

    @property
    def module(self) -> str:
        return f"{__name__}.{self.heading}.{self.name}"


def lessons() -> dict[str, Lesson]:
    """All lessons by name, in the course's order. Imports the headings, not the lessons."""
    found: dict[str, Lesson] = {}
    for heading in HEADINGS:
        listed: dict[str, str] = importlib.import_module(f"{__name__}.{heading}").LESSONS
        found.update({name: Lesson(heading, name, summary) for name, summary in listed.items()})
    return found
