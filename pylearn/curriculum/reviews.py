"""What the lessons on texts begin with: the course's two classes of documents, as words' ids of one length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pylearn.datasets import stdlib_docs
from pylearn.layers import Dense, Embedding, Input, Layer
from pylearn.models import Sequential
from pylearn.preprocessing import sequence, text
from pylearn.utils import set_random_seed

VOCABULARY, LENGTH, SIZE, HIDDEN = 1000, 60, 50, 32  # words, words per document, numbers per word, units


@dataclass
class Documents:
    """Texts, their words' ids (rows, LENGTH) and their labels, to train and to test on."""

    tokenizer: Any
    texts: list[str]
    X: np.ndarray
    y: np.ndarray
    texts_test: list[str]
    X_test: np.ndarray
    y_test: np.ndarray


def load() -> Documents:
    """The docstrings of graphical interfaces (1) and of network packages (0), the most frequent words kept."""
    (texts, y), (texts_test, y_test) = stdlib_docs.load_data()
    tokenizer = text.Tokenizer(num_words=VOCABULARY)
    tokenizer.fit_on_texts(texts)
    X, X_test = (
        sequence.pad_sequences(tokenizer.texts_to_sequences(t), maxlen=LENGTH) for t in (texts, texts_test)
    )
    return Documents(tokenizer, texts, X, y, texts_test, X_test, y_test)


def train(
    documents: Documents,
    layers: Sequence[Layer],
    epochs: int,
    seed: int,
    verbose: int,
    embedding: Layer | None = None,
) -> tuple[Sequential, Any]:
    """A network of an embedding, these layers and one sigmoid unit; returns it, trained, and its history."""
    set_random_seed(seed)
    model = Sequential([Input((LENGTH,), dtype="int32"), embedding or Embedding(VOCABULARY, SIZE), *layers])
    model.add(Dense(1, activation="sigmoid"))
    model.compile(loss="binary_crossentropy", optimizer="adam", metrics=["accuracy"])
    if verbose:
        model.summary()
    test = (documents.X_test, documents.y_test)
    return model, model.fit(documents.X, documents.y, epochs=epochs, validation_data=test, verbose=verbose)
