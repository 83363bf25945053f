"""beam_search: against trying everything, and on the captions of the course."""

import itertools

import numpy as np
import pytest

from pylearn.datasets import digits
from pylearn.layers import LSTM, Concatenate, Conv2D, Dense, Dropout, Embedding, Flatten, Input, MaxPooling2D
from pylearn.models import Model
from pylearn.preprocessing import text
from pylearn.preprocessing.sequence import pad_sequences
from pylearn.text import beam_search
from pylearn.utils import set_random_seed


def chain(seed, tokens=4):
    """Log-probabilities that depend on the whole beginning."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(9, tokens))

    def step(prefixes):
        out = sum(mixing[(i + prefixes[:, i]) % 9] * (i + 1) for i in range(prefixes.shape[1]))
        return out - np.log(np.exp(out).sum(axis=1, keepdims=True))

    return step


def everything(step, start, end, length, tokens=4):
    others = [t for t in range(tokens) if t != end]
    for n in range(length + 1):
        for body in itertools.product(others, repeat=n):
            whole = [*body, end] if n < length else list(body)
            score = sum(step(np.array([[start, *whole[:i]]]))[0, t] for i, t in enumerate(whole))
            yield list(body), score, len(whole)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("penalty", [0.0, 0.7])
def test_wide_beams_find_the_best(seed, penalty):
    step = chain(seed)
    ranked = sorted(everything(step, 0, 3, 4), key=lambda item: -item[1] / item[2] ** penalty)
    for (tokens, score), want in zip(beam_search(step, 0, 3, 200, 4, penalty), ranked[:10]):
        assert tokens == want[0] and score == pytest.approx(want[1])


def test_greedy_takes_the_likeliest():
    step, prefix = chain(1), [0]
    while len(prefix) < 6 and (token := int(step(np.array([prefix]))[0].argmax())) != 3:
        prefix.append(token)
    ((tokens, _),) = beam_search(step, 0, 3, width=1, max_length=5)
    assert tokens == prefix[1:]


def test_impossible_tokens_are_left_out():
    with np.errstate(divide="ignore"):
        table = np.log([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    assert beam_search(lambda p: table[p[:, -1]], 0, 2, width=3) == [([1], 0.0)]
    for bad, message in (
        (lambda p: np.zeros(3), "step must give"),
        (lambda p: np.zeros((len(p), 2)), "end=2 among"),
        (lambda p: np.full((len(p), 3), np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            beam_search(bad, 0, 2)
    with pytest.raises(ValueError, match="width"):
        beam_search(lambda p: table, 0, 2, width=0)


NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


def pairs(images, labels, n, rng):
    """Two digits side by side, and their names."""
    left, right = rng.integers(0, len(labels), (2, n))
    x = np.concatenate([images[left], images[right]], axis=2)[..., None] / 16
    return x, [f"<start> {NAMES[labels[a]]} {NAMES[labels[b]]} <end>" for a, b in zip(left, right)]


@pytest.mark.slow
def test_captions():
    """A CNN beside an LSTM that reads the caption so far; together they say the next word."""
    set_random_seed(0)
    rng = np.random.default_rng(0)
    (images, labels), (test_images, test_labels) = digits.load_data(size=8)
    x, captions = pairs(images, labels, 3000, rng)
    x_test, captions_test = pairs(test_images, test_labels, 300, rng)
    tokenizer = text.Tokenizer(filters="")
    tokenizer.fit_on_texts(captions)
    words = len(tokenizer.word_index) + 1
    rows, beginnings, following = [], [], []
    for i, sequence in enumerate(tokenizer.texts_to_sequences(captions)):
        for t in range(1, len(sequence)):
            rows.append(i)
            beginnings.append(sequence[:t])
            following.append(sequence[t])

    image, tokens = Input((8, 16, 1), name="image"), Input((3,), dtype="int64", name="tokens")
    seen = MaxPooling2D(2)(Conv2D(32, 3, padding="same", activation="relu")(image))
    seen = Flatten()(Conv2D(64, 3, activation="relu")(seen))
    seen = Dense(128, activation="relu")(Dropout(0.4)(seen))
    said = LSTM(32)(Embedding(words, 16)(tokens))
    both = Dense(128, activation="relu")(Concatenate()([seen, said]))
    model = Model([image, tokens], Dense(words, activation="softmax")(both))
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(
        [x[rows], pad_sequences(beginnings, 3)], np.array(following), epochs=25, batch_size=64, verbose=0
    )

    def caption(picture):
        def step(prefixes):
            pictures = np.repeat(picture[None], len(prefixes), axis=0)
            return np.log(model.predict([pictures, pad_sequences(prefixes, 3)]) + 1e-30)

        start, end = tokenizer.word_index["<start>"], tokenizer.word_index["<end>"]
        return beam_search(step, start, end, width=3, max_length=3)[0][0]

    said = tokenizer.sequences_to_texts([caption(picture) for picture in x_test])
    right = [f"<start> {s} <end>" == want for s, want in zip(said, captions_test)]
    print("exact match", np.mean(right))
    assert np.mean(right) >= 0.95
