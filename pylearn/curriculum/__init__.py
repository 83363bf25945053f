"""The course: one short lesson per system, each a module with ``main(epochs=…)``.

A lesson trains on bundled data, prints its score beside the course's number, and writes a picture of the
history when matplotlib is there. ``pylearn run`` lists them, ``pylearn run NAME`` runs one.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass

HEADINGS = ("foundations", "networks")  # subpackages, each with LESSONS: name → one line


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
