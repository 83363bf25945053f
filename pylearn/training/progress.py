"""How a run shows itself: a bar on terminals and in notebooks, a line per epoch in logs."""

from __future__ import annotations

import importlib.util
import sys
import time
from typing import Any

from pylearn.training.hooks import Callback, Logs


def interactive() -> bool:
    """Is there a terminal or a notebook to draw a bar on?"""
    if "ipykernel" in sys.modules:
        return True
    stream = sys.stdout
    return bool(stream is not None and getattr(stream, "isatty", lambda: False)())


def number(value: Any) -> str:
    """0.1234, or 1.2340e-05 where that would hide it."""
    try:
        value = float(value)
    except (TypeError, ValueError):
        return str(value)
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e5 or value != value else f"{value:.4e}"


class ProgressBar(Callback):
    """Progress of ``fit``.

    Args:
        verbose: ``"auto"``: a bar where one can be drawn, else a line per epoch; 1: the same; 2: lines; 0: nothing.

    Drawn at most ten times a second, so its cost does not depend on the number of batches.
    """

    interval = 0.1  # seconds between two drawings

    def __init__(self, verbose: int | str = "auto") -> None:
        if verbose not in ("auto", 0, 1, 2):
            raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}")
        self.verbose = verbose
        self._style = 0
        self._bar: Any = None
        self._start = 0.0
        self._epochs = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._style = self._resolve()
        self._epochs = (self.params or {}).get("epochs", 1)

    def _resolve(self) -> int:
        wanted = 1 if self.verbose == "auto" else int(self.verbose)
        return 2 if wanted == 1 and not interactive() else wanted

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._start = time.perf_counter()
        if self._style == 1:
            self._open(f"Epoch {epoch + 1}/{self._epochs}")

    def _open(self, title: str) -> None:
        widgets = "ipykernel" in sys.modules and importlib.util.find_spec("ipywidgets") is not None
        if widgets:
            from tqdm.notebook import tqdm
        else:
            from tqdm import tqdm
        where = {} if widgets else {"file": sys.stdout}
        self._bar = tqdm(
            total=(self.params or {}).get("steps"), desc=title, unit="batch", leave=True, **where
        )

    def tick(self, batches: int, logs: Logs) -> None:
        """Called by the loop now and then, with the number of batches done."""
        if self._bar is not None:
            self._bar.set_postfix({k: number(v) for k, v in logs.items()}, refresh=False)
            self._bar.update(batches - self._bar.n)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self._bar is not None:
            total = self._bar.total
            self.tick(total if total is not None else self._bar.n, logs or {})
            self.close()
        elif self._style == 2:
            parts = [f"Epoch {epoch + 1}/{self._epochs}", f"{time.perf_counter() - self._start:.1f}s"]
            print(" - ".join(parts + [f"{k}: {number(v)}" for k, v in (logs or {}).items()]), flush=True)

    def close(self) -> None:
        """Leaves the bar as it is; also when training ends with an error."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    # evaluate and predict use the same object, one bar for all batches
    def begin(self, title: str, steps: int | None) -> None:
        self._style = self._resolve()
        self.params = {**(self.params or {}), "steps": steps}
        self._start = time.perf_counter()
        if self._style == 1:
            self._open(title)

    def end(self, title: str, batches: int, logs: Logs) -> None:
        if self._bar is not None:
            self.tick(batches, logs)
            self.close()
        elif self._style == 2:
            parts = [title, f"{time.perf_counter() - self._start:.1f}s"]
            print(" - ".join(parts + [f"{k}: {number(v)}" for k, v in logs.items()]), flush=True)
