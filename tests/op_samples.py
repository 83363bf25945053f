"""Every op's record: samples, reference, error inputs. The batteries test_ops_*.py run over RECORDS.

A new op needs a line (elementwise) or a record in samples/<family>.py; test_ops_complete.py says what is
missing. `python tests/op_samples.py` prints what each record holds.
"""

from __future__ import annotations

from samples import (
    attention,
    conv,
    decomp,
    embed,
    linalg,
    loss,
    norm,
    pointwise,
    pool,
    reduce,
    resize,
    rnn,
    shape,
    sort,
    triangles,
    update,
)
from samples.record import Bad, Op, Sample, rng_for

__all__ = ["RECORDS", "Bad", "Op", "Sample", "errors_of", "samples_of"]

RECORDS: dict[str, Op] = {
    op.name: op
    for family in (
        attention,
        conv,
        decomp,
        embed,
        linalg,
        loss,
        norm,
        pointwise,
        pool,
        reduce,
        resize,
        rnn,
        shape,
        sort,
        triangles,
        update,
    )
    for op in family.OPS
}


def samples_of(op: Op, dtype: str, kind: str = "samples") -> list[Sample]:
    """The same every time it is called. ``kind``: samples, more or big."""
    make = getattr(op, kind)
    return make(rng_for(op.name, dtype, kind), dtype) if make else []


def errors_of(op: Op) -> list[Bad]:
    return op.errors(rng_for(op.name, "errors"))


if __name__ == "__main__":
    for record in RECORDS.values():
        calls = sum(len(samples_of(record, d)) + len(samples_of(record, d, "more")) for d in record.dtypes)
        print(
            f"{record.name:32} {calls:5} samples {len(errors_of(record)):4} errors  {len(record.dtypes)} dtypes"
            f"  gradients {record.grad or '-'}{'' if record.torch else '  no torch twin'}"
        )
