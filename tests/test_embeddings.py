"""Pretrained word vectors."""

import gzip
import json

import numpy as np
import pytest
import safetensors.numpy

from pylearn import embeddings
from pylearn.layers import Dense, Embedding, Flatten
from pylearn.models import Sequential

GLOVE = "the 0.1 -0.2 3e-1\n, 1 2 3\nat night 4 5 6\nthe 9 9 9\nnaïve 7 8 9\n"


def test_glove(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text(GLOVE, encoding="utf-8")
    vectors = embeddings.load_vectors(path)
    assert len(vectors) == 4 and vectors.size == 3 and "4 words, 3 numbers" in repr(vectors)
    assert np.allclose(vectors["the"], [0.1, -0.2, 0.3]) and vectors["naïve"][0] == 7
    assert "at night" in vectors and vectors["at night"].tolist() == [4, 5, 6]
    assert list(embeddings.load_vectors(path, words=["naïve", "x"]).rows) == ["naïve"]
    with gzip.open(tmp_path / "g.txt.gz", "wt", encoding="utf-8") as file:
        file.write(GLOVE)
    assert np.array_equal(embeddings.load_vectors(tmp_path / "g.txt.gz").table, vectors.table)
    assert vectors.coverage(["the", "x"]) == 0.5 and vectors.neighbours(",", 1)[0][0] in ("at night", "naïve")


def test_word2vec_has_its_sizes_first(tmp_path):
    (tmp_path / "w.txt").write_text("2 3\na 1 2 3 \n7 4 5 6 \n", encoding="utf-8")
    vectors = embeddings.load_vectors(tmp_path / "w.txt")
    assert list(vectors.rows) == ["a", "7"] and vectors["7"].tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2\nb 1\n", r"line 2: expected a word and 2 numbers, got 1"),
        ("a 1 2\nb 1 x\n", r"line 2: what follows the word 'b' are not numbers"),
        ("a\n", "line 1"),
        ("", "holds no vectors"),
    ],
)
def test_lines_that_are_no_vectors(tmp_path, text, message):
    (tmp_path / "v.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        embeddings.load_vectors(tmp_path / "v.txt")


def test_frozen_vectors_stay_bit_for_bit():
    rng = np.random.default_rng(0)
    vectors = embeddings.Vectors(list("abcdef"), rng.standard_normal((6, 4)))
    matrix = vectors.matrix({"b": 1, "zzz": 2, "a": 3, "f": 9}, num_words=5)
    assert matrix.shape == (5, 4) and not matrix[[0, 2, 4]].any() and np.array_equal(matrix[3], vectors["a"])
    model = Sequential(
        [Embedding(5, 4, input_length=6, weights=[matrix], trainable=False), Flatten(), Dense(1)]
    )
    model.compile("adam", "mse")
    before = model.get_weights()
    model.fit(rng.integers(0, 5, (20, 6)), rng.standard_normal(20), epochs=3, verbose=0)
    assert model.get_weights()[0].tobytes() == matrix.tobytes() and not np.array_equal(
        before[1], model.get_weights()[1]
    )


def bert(folder, tokens, table, name="bert.embeddings.word_embeddings.weight"):
    safetensors.numpy.save_file({name: table, "other": np.zeros(2, "f4")}, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(tokens) + "\n", encoding="utf-8")


def test_bert(tmp_path):
    rng = np.random.default_rng(0)
    tokens = ["[PAD]", "[CLS]", *[f"w{i}" for i in range(40)], "##s"]
    table = (rng.standard_normal((43, 3)) @ rng.standard_normal((3, 8))).astype(
        "f4"
    )  # three directions matter
    bert(tmp_path, tokens, table)
    vectors = embeddings.from_bert(tmp_path, dims=3)
    assert len(vectors) == 40 and "##s" not in vectors and "[PAD]" not in vectors
    words = table[2:42] - table[2:42].mean(axis=0)
    assert np.allclose(vectors.table @ vectors.table.T, words @ words.T, atol=1e-3)  # distances are kept
    assert (np.diff(vectors.table.var(axis=0)) <= 0).all()
    assert np.array_equal(embeddings.from_bert(tmp_path, dims=None)["w1"], table[3])
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"vocab\.txt"):
        embeddings.from_bert(tmp_path)
    ids = {token: i for i, token in enumerate(tokens)}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": {"vocab": ids}}), encoding="utf-8")
    assert np.array_equal(embeddings.from_bert(tmp_path, dims=3).table, vectors.table)


def test_what_is_no_bert(tmp_path):
    with pytest.raises(FileNotFoundError):
        embeddings.from_bert(tmp_path)
    bert(tmp_path, ["a", "b"], np.zeros((3, 4), "f4"))
    with pytest.raises(ValueError, match="3 rows for 2 words"):
        embeddings.from_bert(tmp_path)
    bert(tmp_path, ["a", "b", "c"], np.zeros((3, 4), "f4"))
    with pytest.raises(ValueError, match="between 1 and 4"):
        embeddings.from_bert(tmp_path, dims=5)
    bert(tmp_path, ["a"], np.zeros((1, 4), "f4"), name="x")
    with pytest.raises(ValueError, match="has no word table"):
        embeddings.from_bert(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"\xff" * 50)
    with pytest.raises(ValueError, match="damaged"):
        embeddings.from_bert(tmp_path)
    with pytest.raises(ValueError, match="twice"):
        embeddings.Vectors(["a", "a"], np.zeros((2, 3)))
