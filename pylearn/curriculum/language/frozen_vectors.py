"""Frozen word vectors: what words mean is learned from their neighbours, without labels.

Words in the same company mean something alike (Firth 1957). Counting which words stand within five places of which,
and keeping the main directions of the logarithms, gives each word a vector without one label, as GloVe does from
billions of words. A network may then keep the table as it is ("frozen") and learn only how to read.

The data: about 2,000 docstrings of Python's own library in two classes; 100 numbers per word: drawn at random, or
from counts in the docstrings of all ten packages. The reader is an LSTM with activation="sigmoid".
The course's numbers: test accuracy at least 0.616 with a random table (0.646 ± 0.03); at least 0.1 more with
vectors from counts; the frozen tables the same bit for bit after training.

Question: with random vectors no word is near another. How can the network read at all?

Try: (a) trainable=True for both. (b) vectors.neighbours("window") and of other words: are they like it?
"""

import numpy as np

from pylearn.curriculum import report, reviews
from pylearn.datasets import stdlib_docs
from pylearn.embeddings import Vectors
from pylearn.layers import LSTM, Embedding

WINDOW, SIZE = 5, 100


def counted(tokenizer, texts, power=0.5):
    """Vectors from positive mutual information of words within a window (Bullinaria and Levy 2007)."""
    counts = np.zeros((reviews.VOCABULARY, reviews.VOCABULARY))
    for ids in map(np.array, tokenizer.texts_to_sequences(texts)):
        for apart in range(1, min(WINDOW + 1, len(ids))):
            np.add.at(counts, (ids[:-apart], ids[apart:]), 1.0 / apart)
    counts += counts.T
    total = counts.sum(axis=1, keepdims=True) + 1e-9
    information = np.log(np.maximum(counts * counts.sum() / (total * total.T), 1.0))
    left, sizes, _ = np.linalg.svd(information)
    table = left[:, :SIZE] * sizes[:SIZE] ** power
    words = [word for word, i in tokenizer.word_index.items() if i < reviews.VOCABULARY]
    return Vectors(words, table[1:] / table[1:].std())  # row 0 is padding


def main(epochs: int = 5, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train on both tables; returns the accuracies."""
    documents = reviews.load()
    (texts, _), _ = stdlib_docs.load_data("all")
    vectors = counted(documents.tokenizer, texts)
    chance = np.random.RandomState(seed).randn(reviews.VOCABULARY, SIZE).astype("float32")
    tables = {"random": chance, "counted": vectors.matrix(documents.tokenizer.word_index, reviews.VOCABULARY)}
    scores, same = {}, True
    for name, table in tables.items():
        frozen = Embedding(reviews.VOCABULARY, SIZE, weights=[table], trainable=False)
        lstm = LSTM(reviews.HIDDEN, activation="sigmoid")
        _, history = reviews.train(documents, [lstm], epochs, seed, verbose, frozen)
        scores[name] = history.history["val_accuracy"][-1]
        same = same and np.array_equal(frozen.get_weights()[0], table)
    for word in ("window", "server") if verbose else ():
        print(
            f"near {word!r}:",
            ", ".join(f"{other} {cosine:.2f}" for other, cosine in vectors.neighbours(word)),
        )
    report.at_least("test accuracy, random vectors", scores["random"], 0.616)
    report.at_least("test accuracy, vectors from counts", scores["counted"], scores["random"] + 0.1)
    report.at_least("frozen tables unchanged (1 = yes)", float(same), 1)

    def draw(axes):
        axes[0].bar(list(scores), list(scores.values()))
        axes[0].axhline(max(np.mean(documents.y_test), 1 - np.mean(documents.y_test)), color="grey", ls=":")
        axes[0].set(ylabel="test accuracy (dotted: always the larger class)", ylim=(0.4, 1))

    report.drawing(plot, draw)
    return scores
