"""Records of runs: one JSON file a run, from which the report is written."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench import ROOT
from bench.cases import Row
from bench.checks import Check, checks
from bench.memory import Peak

SCHEMA = 2
RESULTS = ROOT / "bench" / "results"


@dataclass(frozen=True)
class Record:
    """One run: what was measured, where, the ceilings by number of threads, the rows."""

    environment: dict[str, Any]
    ceilings: dict[str, dict[str, float]]
    rows: list[Row]
    peaks: list[Peak] = field(default_factory=list)
    quick: bool = False
    absent: dict[str, str] = field(default_factory=dict)  # peers that were not measured, and why
    left_out: list[str] = field(default_factory=list)  # cases that were not, and why
    wrong: list[str] = field(default_factory=list)  # cases not timed because pylearn differs from the oracle

    @property
    def checks(self) -> list[Check]:
        return checks(self.rows, self.peaks)

    def file_name(self) -> str:
        """<utc>-<commit, 8 digits>-<machine>.json"""
        when = self.environment["when"].replace(":", "").replace("-", "")
        return f"{when}-{self.environment['commit'][:8]}-{self.environment['machine']}.json"

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"schema": SCHEMA, **asdict(self), "checks": [c.record() for c in self.checks]}
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path) -> Record:
    """Reads a record.

    Raises:
        ValueError: not a record of this schema; the message names the file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("schema") != SCHEMA:
            raise ValueError(f"schema is not {SCHEMA}")
        content.pop("checks")
        rows = [
            Row(**{**row, "profile": [tuple(part) for part in row["profile"]]}) for row in content["rows"]
        ]
        return Record(**{**content, "rows": rows, "peaks": [Peak(**peak) for peak in content["peaks"]]})
    except (ValueError, KeyError, TypeError, AttributeError) as e:
        raise ValueError(f"{path} is not a benchmark record: {e}") from e


def load_all(folder: Path = RESULTS) -> list[Record]:
    """Every record of the folder, oldest first."""
    return [load(path) for path in sorted(folder.glob("*.json"))]
