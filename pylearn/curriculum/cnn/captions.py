"""Captions: a convolutional network sees, a recurrent one speaks, together they say the next word.

A caption is written word by word: the image and the words so far give the probabilities of the next word. Taking the
likeliest word each time can miss the likeliest sentence; beam search keeps the best few beginnings.

The data: two handwritten digits of 8×8 pixels side by side, "seven five"; 3,000 pairs, and 300 of digits not seen.
The course's number: at least 0.95 of the captions are right in every word.

Question: the network is told the true words so far when it trains. What may go wrong when it speaks by itself?

Try: (a) width=1, the greedy caption. (b) Without the Dropout: which of the two halves learns by heart?
"""

import numpy as np

from pylearn import plots
from pylearn.curriculum import report
from pylearn.datasets import digits
from pylearn.layers import LSTM, Concatenate, Conv2D, Dense, Dropout, Embedding, Flatten, Input, MaxPooling2D
from pylearn.models import Model
from pylearn.preprocessing.sequence import pad_sequences
from pylearn.preprocessing.text import Tokenizer
from pylearn.text import beam_search
from pylearn.utils import set_random_seed

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def pairs(images, labels, n, rng):
    """Two digits side by side, and their names."""
    left, right = rng.integers(0, len(labels), (2, n))
    x = np.concatenate([images[left], images[right]], axis=2)[..., None] / 16
    return x, [
        f"<start> {NAMES[labels[a]]} {NAMES[labels[b]]} <end>" for a, b in zip(left, right, strict=True)
    ]


def network(words: int) -> Model:
    image, tokens = Input((8, 16, 1), name="image"), Input((3,), dtype="int64", name="tokens")
    seen = MaxPooling2D(2)(Conv2D(32, 3, padding="same", activation="relu")(image))
    seen = Flatten()(Conv2D(64, 3, activation="relu")(seen))
    seen = Dense(128, activation="relu")(Dropout(0.4)(seen))
    said = LSTM(32)(Embedding(words, 16)(tokens))
    both = Dense(128, activation="relu")(Concatenate()([seen, said]))
    return Model([image, tokens], Dense(words, activation="softmax")(both))


def main(epochs: int = 25, seed: int = 0, verbose: int = 1, plot: str | None = None) -> dict[str, float]:
    """Train, then caption pairs of digits that were not seen; returns the share of exact captions."""
    set_random_seed(seed)
    rng = np.random.default_rng(seed)
    train, test = digits.load_data(size=8)
    (x, captions), (x_test, wanted) = pairs(*train, 3000, rng), pairs(*test, 300, rng)
    tokenizer = Tokenizer(filters="")
    tokenizer.fit_on_texts(captions)
    start, end = tokenizer.word_index["<start>"], tokenizer.word_index["<end>"]
    sequences = tokenizer.texts_to_sequences(captions)
    steps = [(i, s[:t], s[t]) for i, s in enumerate(sequences) for t in range(1, len(s))]
    rows, beginnings, following = zip(*steps, strict=True)

    model = network(len(tokenizer.word_index) + 1)
    model.compile("adam", "sparse_categorical_crossentropy")
    if verbose:
        model.summary()
    inputs = [x[list(rows)], pad_sequences(beginnings, 3)]
    model.fit(inputs, np.array(following), epochs=epochs, batch_size=64, verbose=verbose)

    def caption(picture, width=3):
        def step(prefixes):
            pictures = np.repeat(picture[None], len(prefixes), axis=0)
            return np.log(model.predict([pictures, pad_sequences(prefixes, 3)]) + 1e-30)

        return beam_search(step, start, end, width=width, max_length=3)[0][0]

    said = tokenizer.sequences_to_texts([caption(picture) for picture in x_test])
    exact = float(np.mean([f"<start> {s} <end>" == want for s, want in zip(said, wanted, strict=True)]))
    report.at_least("captions exactly right", exact, 0.95)
    report.picture(plot, plots.images, x_test[:8], said[:8])
    return {"exact": exact}
