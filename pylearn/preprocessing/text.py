"""Words to numbers: Keras' ``Tokenizer``, removed there with version 3.

Reading, counting and numbering words happens in C++; what is seen of it (``word_index`` and the other tables) are
ordinary dicts, made when they are first asked for, and read again when the caller has changed them.
"""

from __future__ import annotations

import collections
import hashlib
import json
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from pylearn import registry
from pylearn._core import Vocabulary, count_numbers
from pylearn.sparse import CSR

__all__ = ["Tokenizer", "hashing_trick", "one_hot", "text_to_word_sequence", "tokenizer_from_json"]

FILTERS = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~\t\n'
MODES = ("binary", "count", "freq", "tfidf")
_TABLES = ("word_counts", "word_docs", "word_index", "index_word", "index_docs")


def text_to_word_sequence(
    input_text: str, filters: str = FILTERS, lower: bool = True, split: str = " "
) -> list[str]:
    """The words of a text.

    Args:
        filters: characters that become ``split``.
        lower: lower the text first.
        split: what stands between words.

    >>> text_to_word_sequence("The cat, the hat!")
    ['the', 'cat', 'the', 'hat']
    """
    if lower:
        input_text = input_text.lower()
    table: dict[str, str | int | None] = dict.fromkeys(filters, split)
    return [w for w in input_text.translate(str.maketrans(table)).split(split) if w]


def one_hot(
    input_text: str, n: int, filters: str = FILTERS, lower: bool = True, split: str = " ",
    analyzer: Callable[[str], Sequence[str]] | None = None,
) -> list[int]:  # fmt: skip
    """The words of a text as numbers 1 to n − 1 by Python's ``hash``, which differs from process to process."""
    return hashing_trick(input_text, n, hash, filters, lower, split, analyzer)


def hashing_trick(
    text: str, n: int, hash_function: Callable[[str], int] | str | None = None, filters: str = FILTERS,
    lower: bool = True, split: str = " ", analyzer: Callable[[str], Sequence[str]] | None = None,
) -> list[int]:  # fmt: skip
    """The words of a text as numbers 1 to n − 1 by a hash function; different words may share a number.

    Args:
        text: one string.
        n: numbers lie in [1, n).
        hash_function: ``"md5"`` (the same in every process), a function from a word to an integer, or None for
            Python's ``hash``.
        filters, lower, split: as in :func:`text_to_word_sequence`.
        analyzer: a function from the text to its words, instead of those.

    >>> hashing_trick("the cat the hat", 100, "md5")
    [51, 3, 51, 24]
    """
    if n < 2:
        raise ValueError(f"hashing_trick: n must be at least 2, so that there is a number to give, got {n}")
    if isinstance(hash_function, str) and hash_function != "md5":
        raise ValueError(f"hash_function must be 'md5', a function or None, got {hash_function!r}")
    function = _md5 if hash_function == "md5" else hash_function or hash
    words = text_to_word_sequence(text, filters, lower, split) if analyzer is None else analyzer(text)
    return [function(word) % (n - 1) + 1 for word in words]  # type: ignore[operator]  # strings are handled above


def _md5(word: str) -> int:
    return int(hashlib.md5(word.encode(), usedforsecurity=False).hexdigest(), 16)


class Tokenizer:
    """Numbers for words, by how often they occur: the most frequent is 1. 0 is never given, for padding.

    Args:
        num_words: only numbers below this one are given: the ``num_words - 1`` most frequent words.
        filters: characters that end words besides ``split``; the apostrophe is not among them.
        lower: lower the text first, by Python's rules.
        split: what stands between words.
        char_level: every character is a word.
        oov_token: a word, number 1, that stands for all that have no number; without it they are left out.
        analyzer: a function from a text to its words, instead of ``filters``, ``lower`` and ``split``.
        document_count: documents counted elsewhere.

    Attributes:
        word_counts: word → how often it occurred, in the order of first occurrence.
        word_docs: word → in how many documents it occurred.
        word_index: word → its number; all words, whatever ``num_words``. Among words that are equally frequent the
            first seen comes first.
        index_word: number → word.
        index_docs: number → in how many documents its word occurred.
        document_count: number of documents.

    Source: the class of this name in Keras 2.15.

    >>> tokenizer = Tokenizer(num_words=4)
    >>> tokenizer.fit_on_texts(["The cat and the hat.", "The mat and the rat."])
    >>> tokenizer.word_index
    {'the': 1, 'and': 2, 'cat': 3, 'hat': 4, 'mat': 5, 'rat': 6}
    >>> tokenizer.texts_to_sequences(["the cat sat and ate the rat"])
    [[1, 3, 2, 1]]
    >>> tokenizer.texts_to_matrix(["the cat sat and ate the rat"], mode="count")
    array([[0., 2., 1., 1.]])
    """

    word_counts: dict[str, int]
    word_docs: dict[str, int]
    word_index: dict[str, int]
    index_word: dict[int, str]
    index_docs: dict[int, int]

    def __init__(
        self, num_words: int | None = None, filters: str = FILTERS, lower: bool = True, split: str = " ",
        char_level: bool = False, oov_token: str | None = None,
        analyzer: Callable[[str], Sequence[str]] | None = None, **kwargs: Any,
    ) -> None:  # fmt: skip
        if "nb_words" in kwargs:
            registry.warn("Tokenizer: nb_words is now called num_words")
            num_words = kwargs.pop("nb_words")
        document_count = kwargs.pop("document_count", 0)
        registry.reject(self, kwargs, ("document_count",))
        if num_words is not None and (isinstance(num_words, bool) or operator.index(num_words) < 0):
            raise ValueError(f"Tokenizer: num_words must be a whole number or None, got {num_words!r}")
        if not isinstance(split, str) or not split:
            raise ValueError(f"Tokenizer: split must be a string of at least one character, got {split!r}")
        if oov_token is not None and not isinstance(oov_token, str):
            raise TypeError(f"Tokenizer: oov_token must be a str or None, got {oov_token!r}")
        self.num_words = num_words
        self.filters = filters
        self.lower = lower
        self.split = split
        self.char_level = char_level
        self.oov_token = oov_token
        self.analyzer = analyzer
        self.document_count = document_count
        self._fitted = False
        self._words = Vocabulary()  # counts
        self._numbers = self._words  # gives numbers: the same, or made from a word_index that the caller set
        self._shown: dict[str, dict[Any, Any]] = {}  # the tables as they were handed out

    # -- counting ---------------------------------------------------------------------------------

    def fit_on_texts(self, texts: Iterable[Any]) -> None:
        """Count the words of these texts, besides those counted before, and number all anew.

        Args:
            texts: strings, or lists of words (lowered like strings, but not split).

        Raises:
            TypeError: a text that is neither; names its position. Nothing is counted then.
        """
        texts = self._listed(texts)
        words = self._counted()
        index_docs = self.index_docs if self._fitted or "index_docs" in vars(self) else None
        words.count(*self._readable(texts))
        self.document_count += len(texts)
        order = words.by_count()
        numbers = np.empty(len(order), np.int64)
        numbers[order] = np.arange(len(order)) + self._first_number
        words.set_numbers(numbers)
        self._words = self._numbers = words
        self._fitted = True
        for name in _TABLES:
            vars(self).pop(name, None)
        self._shown = {}
        if index_docs is not None:  # numbers of sequences, and of words that moved, stay
            index_docs.update(zip(numbers.tolist(), words.documents().tolist()))
            self.index_docs = index_docs

    def fit_on_sequences(self, sequences: Iterable[Sequence[int]]) -> None:
        """Count in how many of these sequences each number occurs: what ``mode="tfidf"`` needs."""
        sequences = list(sequences)
        self.document_count += len(sequences)
        for sequence in sequences:
            for number in dict.fromkeys(sequence):
                self.index_docs[number] = self.index_docs.get(number, 0) + 1

    # -- texts and sequences ----------------------------------------------------------------------

    def texts_to_sequences(self, texts: Iterable[Any]) -> list[list[int]]:
        """A list of numbers for each text."""
        return self._encoder().encode_lists(
            *self._readable(self._listed(texts)), self.num_words or 0, self._other()
        )

    def texts_to_sequences_generator(self, texts: Iterable[Any]) -> Iterator[list[int]]:
        """``texts_to_sequences``, one text at a time."""
        for text in texts:
            yield from self.texts_to_sequences([text])

    def sequences_to_texts(self, sequences: Iterable[Iterable[int]]) -> list[str]:
        """The words of each sequence, joined by spaces."""
        return list(self.sequences_to_texts_generator(sequences))

    def sequences_to_texts_generator(self, sequences: Iterable[Iterable[int]]) -> Iterator[str]:
        """``sequences_to_texts``, one sequence at a time."""
        limit, other = self.num_words or 0, None
        if self.oov_token is not None:
            other = self.index_word.get(self.word_index.get(self.oov_token, 0))
        for sequence in sequences:
            found = (other if limit and n >= limit else self.index_word.get(n, other) for n in sequence)
            yield " ".join(word for word in found if word is not None)

    def texts_to_matrix(self, texts: Iterable[Any], mode: str = "binary", sparse: bool = False) -> Any:
        """A row for each text with a column for each number.

        Args:
            mode: what stands in the columns of a text's words: ``"binary"``: 1; ``"count"``: how often the word
                occurs; ``"freq"``: that, divided by the text's length; ``"tfidf"``:
                (1 + ln count) · ln(1 + documents / (1 + documents with the word)).
            sparse: a :class:`pylearn.CSR` instead of an array; its ``to_scipy()`` gives SciPy's.

        Returns:
            float64 (texts, num_words), or (texts, words + 1) without ``num_words``.

        Raises:
            ValueError: unknown mode, nothing fitted.
        """
        columns = self._columns(mode)
        numbers, starts = self._encoder().encode(
            *self._readable(self._listed(texts)), self.num_words or 0, self._other()
        )
        return self._matrix(numbers, starts, columns, mode, sparse)

    def sequences_to_matrix(
        self, sequences: Iterable[Sequence[int]], mode: str = "binary", sparse: bool = False
    ) -> Any:
        """``texts_to_matrix`` of sequences; numbers from ``num_words`` on are left out."""
        columns = self._columns(mode)
        rows = [np.asarray(sequence) for sequence in sequences]
        for i, row in enumerate(rows):
            if row.ndim != 1 or (row.size and row.dtype.kind not in "iu"):
                raise ValueError(f"sequences[{i}] must be a list of whole numbers")
            if row.size and row.min() < 0:
                raise ValueError(f"sequences[{i}] holds {row.min()}; numbers count from 0")
        starts = np.cumsum([0, *(len(row) for row in rows)])
        numbers = np.concatenate([row for row in rows if row.size] or [np.empty(0, np.int64)])
        return self._matrix(numbers.astype(np.int64), starts, columns, mode, sparse)

    def _columns(self, mode: str) -> int:
        if mode not in MODES:
            raise ValueError(f"unknown vectorization mode {mode!r}; it is one of {', '.join(MODES)}")
        if not self.num_words and not self.word_index:
            raise ValueError("the width is not known: give Tokenizer(num_words=…), or fit_on_texts first")
        if mode == "tfidf" and not self.document_count:
            raise ValueError("mode='tfidf' needs document counts: fit the Tokenizer first")
        return self.num_words or len(self.word_index) + 1

    def _matrix(self, numbers: np.ndarray, starts: np.ndarray, columns: int, mode: str, sparse: bool) -> Any:
        indptr, indices, counts = count_numbers(numbers, starts, columns)
        rows = len(starts) - 1
        row = np.repeat(np.arange(rows), np.diff(indptr))
        if mode == "binary":
            values = np.ones(len(counts))
        elif mode == "count":
            values = counts.astype(np.float64)
        elif mode == "freq":
            values = counts / np.diff(starts)[row]
        else:
            with_word = np.zeros(columns)
            for number, documents in self.index_docs.items():
                if 0 <= number < columns:
                    with_word[number] = documents
            values = (1 + np.log(counts)) * np.log(1 + self.document_count / (1 + with_word))[indices]
        if sparse:
            return CSR(indptr, indices, values, (rows, columns))
        matrix = np.zeros((rows, columns))
        matrix[row, indices] = values
        return matrix

    # -- files ------------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """The settings, and the tables as JSON texts. ``analyzer`` is not among them."""
        return {
            "num_words": self.num_words,
            "filters": self.filters,
            "lower": self.lower,
            "split": self.split,
            "char_level": self.char_level,
            "oov_token": self.oov_token,
            "document_count": self.document_count,
            "word_counts": json.dumps(self.word_counts),
            "word_docs": json.dumps(self.word_docs),
            "index_docs": json.dumps(self.index_docs),
            "index_word": json.dumps(self.index_word),
            "word_index": json.dumps(self.word_index),
        }

    def to_json(self, **kwargs: Any) -> str:
        """The Tokenizer as JSON, Keras' format; :func:`tokenizer_from_json` reads it. Arguments as ``json.dumps``'."""
        return json.dumps({"class_name": type(self).__name__, "config": self.get_config()}, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        tables = {name: dict(getattr(self, name)) for name in _TABLES}
        return {k: v for k, v in {**vars(self), **tables}.items() if not k.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Tokenizer.__init__(self)
        vars(self).update(state)
        self._fitted = bool(state["word_index"])

    # -- between the tables and the vocabulary ----------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        """Makes a table when it is first asked for."""
        if name not in _TABLES or "_shown" not in vars(self):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        words = self._words.words() if self._fitted else []
        table: dict[Any, Any]
        if name == "word_counts":
            table = collections.OrderedDict(zip(words, self._words.counts().tolist()))
        elif name == "word_docs":
            table = collections.defaultdict(int, zip(words, self._words.documents().tolist()))
        elif name == "index_docs":
            index = self._index(words)
            documents = self._words.documents().tolist()
            table = collections.defaultdict(int, ((index[w], n) for w, n in zip(words, documents)))
        else:
            table = self._index(words)
            if name == "index_word":
                table = {number: word for word, number in table.items()}
        setattr(self, name, table)
        self._shown[name] = dict(table)
        return table

    def _index(self, words: list[str]) -> dict[str, int]:
        first = [self.oov_token] if self.oov_token is not None and self._fitted else []
        ordered = [*first, *(words[i] for i in self._words.by_count().tolist())]
        return dict(zip(ordered, range(1, len(ordered) + 1)))

    @property
    def _first_number(self) -> int:
        return 1 if self.oov_token is None else 2

    def _changed(self, name: str) -> bool:
        """Has the caller set or changed this table?"""
        return name in vars(self) and vars(self)[name] != self._shown.get(name)

    def _counted(self) -> Vocabulary:
        """The vocabulary to count on with."""
        if not (self._changed("word_counts") or self._changed("word_docs")):
            return self._words
        words = Vocabulary()
        documents = [self.word_docs.get(word, 0) for word in self.word_counts]
        words.add(list(self.word_counts), list(self.word_counts.values()), documents)
        return words

    def _encoder(self) -> Vocabulary:
        """The vocabulary that gives numbers, after ``word_index``."""
        if self._changed("word_index"):
            index = dict(self.word_index)
            numbers = Vocabulary()
            numbers.add(list(index), [0] * len(index), [0] * len(index))
            numbers.set_numbers([operator.index(number) for number in index.values()])
            self._numbers, self._shown["word_index"] = numbers, index
        return self._numbers

    def _other(self) -> int | None:
        """The number of words without one."""
        if self.oov_token is None:
            return None
        found = self._encoder().encode_lists([[self.oov_token]], "", False, False, 0, None)[0]
        if found:
            return found[0]
        return 1 if self._fitted and self._numbers is self._words else None

    def _listed(self, texts: Iterable[Any]) -> list[Any]:
        if isinstance(texts, str) and not self.char_level:
            registry.warn("texts is one string, so each of its characters is a text; did you mean [text]?")
        return list(texts)

    def _readable(self, texts: list[Any]) -> tuple[list[Any], str, bool, bool]:
        """Texts, separators, lower and char_level for the vocabulary. What it cannot split, is split here."""
        if self.char_level:
            return texts, "", self.lower, True
        ends = "".join(self.filters)
        if self.analyzer is None and len(self.split) == 1 and (ends + self.split).isascii():
            return texts, ends + self.split, self.lower, False
        return [self._split_words(text) for text in texts], "", False, False

    def _split_words(self, text: Any) -> Any:
        if isinstance(text, (list, tuple)):
            return [w.lower() for w in text] if self.lower else text
        if not isinstance(text, str):
            return text
        if self.analyzer is not None:
            return list(self.analyzer(text))
        return text_to_word_sequence(text, self.filters, self.lower, self.split)


def tokenizer_from_json(json_string: str) -> Tokenizer:
    """The Tokenizer that ``to_json`` wrote, here or in Keras.

    Raises:
        ValueError: not such a text.
    """
    try:
        config = dict(json.loads(json_string)["config"])
        tables = {name: json.loads(config.pop(name)) for name in _TABLES}
        for name in ("index_docs", "index_word"):  # JSON makes strings of numbers
            tables[name] = {int(number): value for number, value in tables[name].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"this is not the JSON text of a Tokenizer ({error!r})") from None
    tokenizer = Tokenizer(**config)
    tokenizer.__setstate__({**vars(tokenizer), **tables})
    return tokenizer
