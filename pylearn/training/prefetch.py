"""Batches made ahead by a thread, while the step before them runs."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

WAIT = (
    5.0  # seconds that closing waits for the source; one that blocks for longer is left to its daemon thread
)


class _End:
    """What the thread puts last: the exception that ended the source, or None."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Prefetch:
    """An iterator over ``source`` that stays up to ``size`` items ahead; ``close`` it, or use it in ``closing``.

    An exception of the source is raised to whoever asks for the item that it prevented. After ``close``, and after
    the last item, the thread is gone.
    """

    def __init__(self, source: Iterator[Any], size: int) -> None:
        self._items: queue.Queue[Any] = queue.Queue(max(1, size))
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(source,), name="pylearn-prefetch", daemon=True
        )
        self._thread.start()

    def _run(self, source: Iterator[Any]) -> None:
        end = _End()
        try:
            while not self._stopped.is_set():
                try:
                    item = next(source)
                except StopIteration:
                    break
                self._items.put(item)
        except BaseException as error:  # the caller's, wherever it happens
            end = _End(error)
        self._items.put(end)

    def __iter__(self) -> Prefetch:
        return self

    def __next__(self) -> Any:
        if self._stopped.is_set():
            raise StopIteration
        item = self._items.get()
        if isinstance(item, _End):
            self.close()
            if item.error is not None:
                raise item.error
            raise StopIteration
        return item

    def close(self) -> None:
        """Ends the thread; items made ahead are dropped."""
        self._stopped.set()
        tries = int(WAIT / 0.01)
        while self._thread.is_alive() and tries:
            while not self._items.empty():  # room for what the thread is about to put
                self._items.get_nowait()
            self._thread.join(0.01)
            tries -= 1
