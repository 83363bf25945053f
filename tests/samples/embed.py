"""Records of the embedding."""

from __future__ import annotations

import numpy as np

from pylearn import reference as ref

from .record import Bad, Op, Rng, Sample, array, bad, bad_array, bad_out

HUGE = 2**62
ROWS = 7
OUT_OF_RANGE = (
    np.array([ROWS]),
    np.array([-1]),
    np.array([2**62]),
    np.array([-(2**63)]),
    np.array([0, 99, 3]),
)


def _ids(rng: Rng, shape: tuple[int, ...], rows: int = ROWS, dtype: str = "int64") -> np.ndarray:
    return np.asarray(rng.integers(0, rows, shape)).astype(dtype)


def _samples(rng: Rng, dtype: str) -> list[Sample]:
    table = array(rng, (ROWS, 3), dtype)
    return [
        Sample((_ids(rng, (5,)), table)),
        Sample((_ids(rng, (2, 4), dtype="int32"), table)),
        Sample((_ids(rng, (2, 3, 2), dtype="uint8"), table)),
        Sample((np.asarray(4), table)),
        Sample((np.zeros((0,), np.int64), table)),
        Sample((_ids(rng, (4,)), table[:, :0])),
        Sample((np.zeros((0, 2), np.int32), table[:0])),
        Sample((_ids(rng, (9,)), np.asfortranarray(table))),
    ]


def _errors(rng: Rng) -> list[Bad]:
    ids, table = _ids(rng, (5,)), array(rng, (ROWS, 3), "float32")
    return [
        *bad_array((ids, table), 0, "ids"),
        *bad_array((ids, table), 1, "table"),
        *bad_out((ids, table), np.zeros((5, 3), np.float32)),
        *(bad(IndexError, "ids", wrong, table) for wrong in OUT_OF_RANGE),
        bad(IndexError, "ids", np.array([0]), table[:0]),
        bad(IndexError, "ids", ids + ROWS, table[:, :0]),
        bad(TypeError, "ids", ids.astype(np.float32), table),
        bad(TypeError, "ids", ids > 2, table),
        bad(ValueError, "table", ids, table[0]),
        bad(ValueError, "table", ids, table[None]),
        bad(TypeError, "table", ids, table.astype(np.int64)),
    ]


def _draw(rng: Rng, dtype: str) -> Sample:
    rows, d, n = (int(v) for v in rng.integers(1, rng.choice([6, 70, 200]), 3))
    ids = _ids(rng, ((n,), (n, 2), (1, n))[rng.integers(3)], rows, str(rng.choice(["int32", "int64"])))
    return Sample((ids, array(rng, (rows, d), dtype)))


def _gradient(rng: Rng, ids: np.ndarray, d: int, dtype: str) -> np.ndarray:
    return array(rng, (*ids.shape, d), dtype, -1, 1)


def _backward_samples(rng: Rng, dtype: str, rows: bool) -> list[Sample]:
    calls = []
    for ids in (
        _ids(rng, (5,)),
        _ids(rng, (2, 40), dtype="int32"),
        _ids(rng, (6,), dtype="uint8"),
        np.asarray(2),
        np.zeros((0,), np.int64),
    ):
        for d in (3, 0):
            calls.append(Sample((_gradient(rng, ids, d, dtype), ids, *([ROWS] if rows else []))))
    if rows:
        calls.append(Sample((np.zeros((0, 2), dtype), np.zeros((0,), np.int32), 0)))
    return calls


def _backward_more(rng: Rng, dtype: str, rows: bool) -> list[Sample]:
    """Many repeats and few, rows shorter and longer than a vector, ids of many bytes."""
    calls = []
    for n, size, d in ((700, 5, 33), (300, 900, 17), (1000, 90, 130), (50, 3000, 50), (2000, 3000, 1)):
        ids = _ids(rng, (n,), size, str(rng.choice(["int32", "int64"])))
        calls.append(Sample((_gradient(rng, ids, d, dtype), ids, *([size] if rows else []))))
    if not rows:
        ids = rng.choice(np.array([0, 1, 255, 256, 65536, 2**31, 2**40 + 7, 2**62, 2**63 - 1]), 60)
        calls.append(Sample((_gradient(rng, ids, 4, dtype), ids)))
    return calls


def _backward_big(rng: Rng, dtype: str, rows: bool) -> list[Sample]:
    calls = []
    for n, size, d in ((2500, 4000, 64), (6000, 300, 50), (2048, 96, 128)):
        ids = _ids(rng, (n,), size)
        calls.append(Sample((_gradient(rng, ids, d, dtype), ids, *([size] if rows else []))))
    return calls


def _draw_backward(rng: Rng, dtype: str, rows: bool) -> Sample:
    ids, table = _draw(rng, dtype).args
    return Sample((_gradient(rng, ids, table.shape[1], dtype), ids, *([table.shape[0]] if rows else [])))


def _backward_errors(rng: Rng, rows: bool) -> list[Bad]:
    ids = _ids(rng, (5,))
    dy = _gradient(rng, ids, 3, "float32")
    rest = [ROWS] if rows else []
    wrong = [
        *bad_array((dy, ids, *rest), 0, "dy"),
        *bad_array((dy, ids, *rest), 1, "ids"),
        bad(IndexError, "ids", dy[:1], np.array([-1]), *rest),
        bad(IndexError, "ids", dy[:3], np.array([0, -(2**63), 1]), *rest),
        bad(TypeError, "ids", dy, ids.astype(np.float32), *rest),
        bad(ValueError, "dy", dy[:4], ids, *rest),
        bad(ValueError, "dy", dy[:, 0], ids, *rest),
        bad(ValueError, "dy", dy[None], ids, *rest),
        bad(TypeError, "dy", dy.astype(np.int32), ids, *rest),
    ]
    if rows:
        wrong += [bad(IndexError, "ids", dy[: i.size], i, ROWS) for i in OUT_OF_RANGE]
        wrong += [
            bad(IndexError, "ids", dy, ids, 0),
            bad(ValueError, "num_embeddings", dy, ids, -1),
            bad((ValueError, MemoryError), "num_embeddings", dy, ids, HUGE),
            bad(TypeError, "num_embeddings", dy, ids, "7"),
            bad(TypeError, "num_embeddings", dy, ids, 7.5),
            bad(TypeError, "num_embeddings", dy, ids, None),
        ]
    return wrong


def _torch_backward(t, dy, ids, rows):
    table = t.zeros(rows, dy.shape[-1], dtype=dy.dtype)
    ids = t.as_tensor(ids).long().reshape(-1)
    return table.index_add(0, ids, dy.reshape(len(ids), dy.shape[-1]))


OPS = [
    Op(
        "embedding",
        ("ids", "table"),
        ("ids", "table"),
        _samples,
        _errors,
        ref.embedding,
        big=lambda rng, dtype: [Sample((_ids(rng, (40, 300), 900), array(rng, (900, 50), dtype)))],
        draw=_draw,
        grad=(1,),
        tolerance="exact",
        torch=lambda t, ids, table: t.nn.functional.embedding(t.as_tensor(ids).long(), table),
    ),
    Op(
        "embedding_backward",
        ("dy", "ids", "num_embeddings"),
        ("dy", "ids"),
        lambda rng, dtype: _backward_samples(rng, dtype, rows=True),
        lambda rng: _backward_errors(rng, rows=True),
        ref.embedding_backward,
        more=lambda rng, dtype: _backward_more(rng, dtype, rows=True),
        big=lambda rng, dtype: _backward_big(rng, dtype, rows=True),
        draw=lambda rng, dtype: _draw_backward(rng, dtype, rows=True),
        grad=(0,),
        tolerance="sum",
        torch=_torch_backward,
    ),
    Op(
        "embedding_backward_sparse",
        ("dy", "ids"),
        ("dy", "ids"),
        lambda rng, dtype: _backward_samples(rng, dtype, rows=False),
        lambda rng: _backward_errors(rng, rows=False),
        ref.embedding_backward_sparse,
        result=lambda sample, dtype: (str(np.promote_types(sample.args[1].dtype, "int32")), dtype),
        more=lambda rng, dtype: _backward_more(rng, dtype, rows=False),
        big=lambda rng, dtype: _backward_big(rng, dtype, rows=False),
        draw=lambda rng, dtype: _draw_backward(rng, dtype, rows=False),
        tolerance="sum",
        out=False,
    ),
]
