"""Callbacks that write down a run."""

from __future__ import annotations

import csv
import os
from typing import Any

from pylearn.training import Callback
from pylearn.training.hooks import Logs


class CSVLogger(Callback):
    """Writes a line per epoch to a CSV file.

    Args:
        filename: the file; its folder is made.
        separator: between values.
        append: go on with a file that is there.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._keys: list[str] | None = None
        self._file: Any = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        folder = os.path.dirname(self.filename)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._keys = None
        if self.append and os.path.exists(self.filename):
            with open(self.filename, newline="", encoding="utf-8") as file:
                first = next(csv.reader(file, delimiter=self.separator), None)
            if first:
                self._keys = first[1:]
        self._close()
        self._file = open(self.filename, "a" if self.append else "w", newline="", encoding="utf-8")  # noqa: SIM115

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        writer = csv.writer(self._file, delimiter=self.separator)
        if self._keys is None:
            self._keys = sorted(logs)
            if self.model is not None and "val_loss" not in logs:
                names = [key for key in self._keys if not key.startswith("val_")]
                self._keys = names + [key for key in self._keys if key.startswith("val_")]
            writer.writerow(["epoch", *self._keys])
        writer.writerow([epoch, *(logs.get(key, "NA") for key in self._keys)])
        self._file.flush()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __del__(self) -> None:
        self._close()


class BackupAndRestore(Callback):
    """Training that was killed goes on where its last epoch ended, with the same bits as if it had not been.

    Writes the model to a folder after each epoch; ``fit`` of the same model, with the same callback, starts from there.
    What other callbacks remember is not part of it.

    Args:
        backup_dir: the folder; made if need be.
        delete_checkpoint: empty it when training ends as it should.
    """

    SUFFIX = ".pylearn"

    def __init__(self, backup_dir: str | os.PathLike[str], delete_checkpoint: bool = True) -> None:
        self.backup_dir, self.delete_checkpoint = os.fspath(backup_dir), bool(delete_checkpoint)

    def _found(self) -> list[tuple[int, str]]:
        """(epochs done, path) of the files, the latest last."""
        names = os.listdir(self.backup_dir) if os.path.isdir(self.backup_dir) else []
        done = [name.removeprefix("epoch_").removesuffix(self.SUFFIX) for name in names
                if name.startswith("epoch_") and name.endswith(self.SUFFIX)]  # fmt: skip
        return [(n, self._path(n)) for n in sorted(int(text) for text in done if text.isdigit())]

    def _path(self, epochs: int) -> str:
        return os.path.join(self.backup_dir, f"epoch_{epochs}{self.SUFFIX}")

    def on_train_begin(self, logs: Logs | None = None) -> None:
        found = self._found()
        if found:
            done, path = found[-1]
            self.model.restore(path)
            self.model._resume_at = done

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        os.makedirs(self.backup_dir, exist_ok=True)
        before = self._found()
        self.model.save(self._path(epoch + 1))
        for _, path in before:
            if path != self._path(epoch + 1):
                os.remove(path)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.delete_checkpoint:
            for _, path in self._found():
                os.remove(path)
