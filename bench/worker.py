"""A resident child process that computes and times what it is told, under an environment of its own.

OpenBLAS reads ``OPENBLAS_CORETYPE`` when it is loaded, and two OpenMP runtimes do not belong in one process: such a
side lives in a child and is asked for a block of calls when its turn comes. Messages and replies are pickles on the
child's standard input and output.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from bench import ROOT
from bench.timing import Local


class Worker:
    """The parent's end. Holds one function at a time; a side that is asked after another was opened raises.

    Between two questions the child is stopped: its threads, which wait by spinning, would otherwise disturb the sides
    that are timed meanwhile.

    Raises (any method):
        RuntimeError: what went wrong in the child.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-m", "bench.worker"], cwd=ROOT, env={**os.environ, **environment},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._opened = 0

    def ask(self, *message: Any) -> Any:
        try:
            self._child.send_signal(signal.SIGCONT)
            pickle.dump(message, self._child.stdin, protocol=5)
            self._child.stdin.flush()
            failed, reply = pickle.load(self._child.stdout)
            self._child.send_signal(signal.SIGSTOP)
        except (OSError, EOFError) as e:
            raise RuntimeError(f"the child process ended with status {self._child.wait()}") from e
        if failed:
            raise RuntimeError(reply)
        return reply

    def open(self, target: str, *args: Any) -> Remote:
        """What ``module:name`` of the arguments computes; a class is made from them, and its object called."""
        self.ask("open", target, args)
        self._opened += 1
        return Remote(self, self._opened)

    def close(self) -> None:
        self._child.send_signal(signal.SIGCONT)
        self._child.stdin.close()
        self._child.wait()
        self._child.stdout.close()


class Remote:
    """One function in the child, timed there."""

    def __init__(self, worker: Worker, number: int) -> None:
        self._worker, self._number = worker, number

    def _ask(self, *message: Any) -> Any:
        if self._number != self._worker._opened:
            raise RuntimeError("the child process holds another function by now")
        return self._worker.ask(*message)

    def __call__(self) -> None:
        self._ask("block", 1)

    def result(self) -> list[np.ndarray]:
        return self._ask("result")

    def block(self, calls: int) -> float:
        return self._ask("block", calls)

    def cold(self) -> float:
        return self._ask("cold")


def arrays(found: Any) -> list[np.ndarray]:
    """Copies, of one array or several."""
    return [np.array(a) for a in (found if isinstance(found, tuple | list) else (found,))]


def _opened(target: str, args: Any) -> Local:
    module, name = target.split(":")
    made = getattr(importlib.import_module(module), name)
    return Local(made(*args) if isinstance(made, type) else functools.partial(made, *args))


def serve() -> None:
    with contextlib.suppress(OSError, AttributeError):  # a stopped process does not see its input end
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the replies
    timed: Any = None
    while True:
        try:
            what, *args = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            if what == "open":
                timed, reply = _opened(*args), None
            else:
                reply = arrays(timed.run()) if what == "result" else getattr(timed, what)(*args)
            answer = (False, reply)
        except Exception as e:
            answer = (True, f"{type(e).__name__}: {e}")
        pickle.dump(answer, replies, protocol=5)
        replies.flush()


if __name__ == "__main__":
    serve()
