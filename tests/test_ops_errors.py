"""Every error input raises what its record says, names the op and the argument, and changes nothing."""

import re
from typing import Any

import numpy as np
import pytest
from op_samples import RECORDS, Bad, Op, errors_of

from pylearn import ops


def brief(v: Any) -> str:
    if isinstance(v, np.ndarray):
        return f"{v.dtype}{list(v.shape)}" + ("" if v.flags.writeable else " read-only")
    return repr(v)[:60]


def arrays_in(case: Bad) -> list[np.ndarray]:
    return [v for v in (*case.args, *case.kwargs.values()) if isinstance(v, np.ndarray)]


def problem(op: Op, case: Bad) -> str:
    """What is wrong with the way the op takes this call, or nothing."""
    given = [brief(a) for a in case.args] + [f"{k}={brief(v)}" for k, v in case.kwargs.items()]
    call = f"{op.name}({', '.join(given)})"
    before = [a.tobytes() for a in arrays_in(case)]
    try:
        result = getattr(ops, op.name)(*case.args, **case.kwargs)
    except Exception as error:
        text = str(error)
        if not isinstance(error, case.raises):
            return f"{call}: {type(error).__name__}: {text}, expected {case.raises}"
        if f"[{op.name}]" not in text:
            return f"{call}: does not name the op: {text}"
        if not any(re.search(rf"\b{re.escape(n)}\b", text) for n in case.names):
            return f"{call}: does not name {' or '.join(case.names)}: {text}"
        if before != [a.tobytes() for a in arrays_in(case)]:
            return f"{call}: raised, but changed an argument"
        return ""
    return f"{call}: accepted, gave {brief(result)}, expected {case.raises}"


@pytest.mark.parametrize("op", RECORDS.values(), ids=RECORDS)
def test_errors(op: Op) -> None:
    problems = [p for p in (problem(op, case) for case in errors_of(op)) if p]
    assert not problems, "\n".join(problems)
