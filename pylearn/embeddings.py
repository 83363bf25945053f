"""Pretrained word vectors: GloVe's and word2vec's text files, and the word table of a BERT.

vectors = embeddings.load_vectors("glove.6B.100d.txt")
matrix = vectors.matrix(tokenizer.word_index, num_words=1000)
Embedding(1000, 100, weights=[matrix], trainable=False)
"""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

_TABLE = "embeddings.word_embeddings.weight"


class Vectors:
    """Words and their vectors.

    Args:
        words: N different words.
        table: (N, D), a row each.

    Raises:
        ValueError: not as many words as rows, or a word twice.

    >>> vectors = Vectors(["a", "b"], [[1.0, 0.0], [0.0, 2.0]])
    >>> vectors["b"], "c" in vectors, len(vectors)
    (array([0., 2.], dtype=float32), False, 2)
    >>> vectors.matrix({"b": 1, "c": 2}, num_words=3)
    array([[0., 0.],
           [0., 2.],
           [0., 0.]], dtype=float32)
    """

    def __init__(self, words: Sequence[str], table: Any) -> None:
        self.table = np.asarray(table, "float32")
        self.rows = {word: i for i, word in enumerate(words)}
        if self.table.ndim != 2 or len(words) != len(self.table):
            raise ValueError(f"{len(words)} words for a table of shape {self.table.shape}")
        if len(self.rows) != len(words):
            raise ValueError("a word is there twice")

    @property
    def size(self) -> int:
        """Length of a vector."""
        return self.table.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, word: str) -> bool:
        return word in self.rows

    def __getitem__(self, word: str) -> np.ndarray:
        return self.table[self.rows[word]]

    def coverage(self, words: Collection[str]) -> float:
        """Share of these words that have a vector."""
        return sum(word in self.rows for word in words) / max(1, len(words))

    def matrix(self, word_index: Mapping[str, int], num_words: int | None = None) -> np.ndarray:
        """The table for an ``Embedding``: the vector of a word in the row of its id; zeros for words without one.

        Args:
            word_index: id of each word, as a ``Tokenizer`` has it; 0 is padding.
            num_words: number of rows; ids from here on are left out. One more than the largest id by default.

        Returns:
            (num_words, D) float32.
        """
        rows = max(word_index.values(), default=-1) + 1 if num_words is None else int(num_words)
        matrix = np.zeros((rows, self.size), "float32")
        for word, i in word_index.items():
            if word in self.rows and 0 <= i < rows:
                matrix[i] = self[word]
        return matrix

    def neighbours(self, word: str, n: int = 5) -> list[tuple[str, float]]:
        """The n words of most similar direction, with the cosine."""
        lengths = np.maximum(np.linalg.norm(self.table, axis=1), 1e-12)
        near = self.table @ self[word] / (lengths * lengths[self.rows[word]])
        names = list(self.rows)
        return [(names[i], float(near[i])) for i in np.argsort(-near) if names[i] != word][:n]

    def __repr__(self) -> str:
        return f"<Vectors of {len(self):,} words, {self.size} numbers each>"


def load_vectors(path: str | os.PathLike[str], words: Collection[str] | None = None) -> Vectors:
    """Reads a text file of vectors, GloVe's or word2vec's (which has its sizes in the first line), also as ``.gz``.

    Args:
        path: a line per word: the word and D numbers, between single blanks.
        words: read only these.

    Raises:
        ValueError: a line that is not a word and D numbers; names its number. A word that is there again is left out.
    """
    name = os.fspath(path)
    wanted = None if words is None else set(words)
    found: dict[str, np.ndarray] = {}
    size = 0
    opened: Any = gzip.open if name.endswith(".gz") else open
    with opened(path, "rt", encoding="utf-8", errors="replace", newline="\n") as file:
        for number, line in enumerate(file, 1):
            parts = line.rstrip("\r\n ").split(" ")
            if number == 1 and len(parts) == 2 and all(part.isdigit() for part in parts):
                size = int(parts[1])
                continue
            size = size or len(parts) - 1
            if size < 1 or len(parts) < size + 1:
                raise ValueError(
                    f"{name}, line {number}: expected a word and {max(size, 1)} numbers, got {len(parts) - 1}"
                )
            word = " ".join(parts[:-size])  # some words have blanks
            if (wanted is None or word in wanted) and word not in found:
                try:
                    found[word] = np.array(parts[-size:], "float32")
                except ValueError:
                    raise ValueError(
                        f"{name}, line {number}: what follows the word {word!r} are not numbers"
                    ) from None
    if not found:
        raise ValueError(f"{name} holds no vectors" + (" for these words" if wanted is not None else ""))
    return Vectors(list(found), np.stack(list(found.values())))


def from_bert(path: str | os.PathLike[str], dims: int | None = 100) -> Vectors:
    """The table of whole words of a BERT, along its main directions.

    Args:
        path: folder with ``model.safetensors`` and ``vocab.txt`` or ``tokenizer.json``.
        dims: numbers per word: the first principal components. None keeps the table as it is.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: the model has no word table, or it does not fit the vocabulary.
    """
    folder = Path(path)
    tokens = _vocabulary(folder)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise FileNotFoundError(f"{folder} has no model.safetensors")
    try:
        with safetensors.safe_open(os.fspath(weights), framework="numpy") as file:
            names = [name for name in file.keys() if name.endswith(_TABLE)]  # noqa: SIM118 - not a dict
            if len(names) != 1:
                raise ValueError(f"{weights} has no word table {_TABLE!r}")
            table = np.asarray(file.get_tensor(names[0]), "float32")
    except safetensors.SafetensorError as error:
        raise ValueError(f"{weights} is damaged: {error}") from None
    if table.ndim != 2 or len(table) != len(tokens):
        raise ValueError(f"{weights} has {len(table)} rows for {len(tokens)} words")
    whole = [i for i, token in enumerate(tokens) if not token.startswith(("##", "["))]
    table = table[whole]
    if dims is not None:
        if not 0 < dims <= table.shape[1]:
            raise ValueError(f"dims must be between 1 and {table.shape[1]}, got {dims}")
        centred = (table - table.mean(axis=0)).astype("float64")
        directions = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :dims]
        directions = directions * np.sign(directions[np.abs(directions).argmax(axis=0), np.arange(dims)])
        table = centred @ directions
    return Vectors([tokens[i] for i in whole], table)


def _vocabulary(folder: Path) -> list[str]:
    """The tokens in the order of their ids."""
    if (folder / "vocab.txt").is_file():
        return (folder / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    if not (folder / "tokenizer.json").is_file():
        raise FileNotFoundError(f"{folder} has neither vocab.txt nor tokenizer.json")
    try:
        ids = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]["vocab"]
        return sorted(ids, key=ids.__getitem__)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / 'tokenizer.json'} holds no vocabulary ({error!r})") from None
