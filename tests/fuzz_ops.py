"""Bad calls made by mutating valid ones: nothing may crash, hang or be rejected without saying which argument.

    python tests/fuzz_ops.py [--calls 1000] [--op NAME ...] [--seed S]     every op, or these
    python tests/fuzz_ops.py --op NAME --seed S --case K                   one call again, in this process

A case is a function of (op, seed, number). A child process makes the calls and notes the number of each before it
starts; the parent reports a child that died or stood still, and starts another one behind that case. Accepted calls
are fine; a rejection must be a TypeError, ValueError, IndexError or MemoryError that names an argument, and must
leave every argument as it was.
"""

from __future__ import annotations

import argparse
import decimal
import functools
import mmap
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
STILL = 5.0  # seconds without a new case
HEADROOM = 4 << 30  # address space a child may take, but under ASan
HUGE = (2**62, -(2**62), 2**63 - 1, -(2**63), 2**40 + 1, 2**31, -(2**31) - 1, 2**80, -1, 0, 1, 7)
# Where a size in the thousands of millions would really be allocated.
SMALLER = (2**62, -(2**62), 2**63 - 1, -(2**63), 2**40 + 1, 2**80, -1, 0, 1, 7)
SIZES = {"shape", "num_classes", "pad_width", "padding"}
REAL = (float("nan"), float("inf"), -float("inf"), 1e308, -1e308, 0.0, -0.0, -1.0, 1e-320, 2.5)
DTYPES = (
    "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
    "complex64", "complex128", "longdouble", "object", "U4", "S4", "datetime64[D]", ">f4", ">i8",
)  # fmt: skip
ALLOWED = (TypeError, ValueError, IndexError, MemoryError)
# What a rejection may say that concerns the call as a whole.
WHOLE_CALL = ("positional arguments", "has no argument", "is given twice", "is missing")


class Hostile:
    """Pretends to be an array, a number, a sequence, and fails."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("no array")

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __float__(self) -> float:
        raise RuntimeError("no float")

    def __len__(self) -> int:
        return 3


class Deceitful:
    """Says that it is an array, and gives something else."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return "not an array"

    def __index__(self) -> Any:
        return 2**100


def kinds(rng: np.random.Generator) -> Any:
    """Anything but what is expected."""
    choices = (
        lambda: None,
        lambda: "text",
        lambda: "",
        lambda: b"bytes",
        dict,
        lambda: {1, 2},
        lambda: object(),
        lambda: len,
        list,
        lambda: (),
        lambda: [[1.0, 2.0], [3.0]],
        lambda: [None, 1],
        lambda: [[[[[[[[[[1.0]]]]]]]]]],
        lambda: True,
        lambda: 3,
        lambda: 2.5,
        lambda: 1j,
        lambda: 2**80,
        lambda: float("nan"),
        lambda: range(3),
        lambda: (i for i in range(3)),
        lambda: decimal.Decimal("1.5"),
        lambda: memoryview(b"12345678"),
        lambda: np.float32(1.5),
        lambda: np.int64(-3),
        lambda: np.array(2.0),
        lambda: np.zeros(0, np.float32),
        lambda: np.ones((1,) * 9, np.float32),
        lambda: np.array([None, "a"], object),
        lambda: np.zeros(3, [("a", "f4"), ("b", "i8")]),
        lambda: np.ma.array([1.0, 2.0], mask=[0, 1]),
        lambda: Ellipsis,
        lambda: slice(None),
        lambda: Hostile(),
        lambda: Deceitful(),
        lambda: [np.ones(3), Hostile()],
        lambda: np.float32,
        lambda: NotImplemented,
    )
    return choices[rng.integers(len(choices))]()


def mutate_array(rng: np.random.Generator, a: np.ndarray) -> Any:
    """Another rank, size, dtype, content or memory."""

    def content(values: tuple) -> np.ndarray:
        b = a.copy()
        if b.size:
            with np.errstate(all="ignore"):
                chosen = values[rng.integers(len(values))]
                try:
                    b.reshape(-1)[rng.integers(b.size)] = chosen
                except OverflowError:
                    b.reshape(-1)[0] = 0
        return b

    def frozen() -> np.ndarray:
        b = a.copy()
        b.flags.writeable = False
        return b

    def cast() -> Any:
        with np.errstate(all="ignore"):
            try:
                return a.astype(DTYPES[rng.integers(len(DTYPES))])
            except Exception:
                return a.astype(object)

    axis = int(rng.integers(a.ndim)) if a.ndim else 0
    choices = (
        lambda: a[None],
        lambda: a[..., None],
        lambda: a.reshape(-1),
        lambda: a[0] if a.ndim and a.shape[0] else a[()],
        lambda: np.take(a, np.arange(a.shape[axis] - 1), axis) if a.ndim and a.shape[axis] else a[None, None],
        lambda: np.concatenate([a, a], axis) if a.ndim else a[None],
        lambda: np.take(a, [], axis) if a.ndim else np.zeros(0, a.dtype),
        lambda: a.T.copy(),
        lambda: a.T,
        lambda: a[::-1] if a.ndim else a,
        lambda: np.broadcast_to(a, (3, *a.shape)),
        lambda: np.broadcast_to(a.reshape(-1)[:1], (1_000_003,)) if a.size else a,
        lambda: np.lib.stride_tricks.as_strided(
            a.reshape(-1), (max(a.size - 1, 0), 2), a.reshape(-1).strides * 2
        ),
        cast,
        cast,
        lambda: content(REAL if a.dtype.kind == "f" else HUGE),
        lambda: content(REAL if a.dtype.kind == "f" else HUGE),
        lambda: content((-1, 255, 99)),
        frozen,
        lambda: a.tolist(),
        lambda: a.view(np.ma.MaskedArray),
        lambda: kinds(rng),
    )
    return choices[rng.integers(len(choices))]()


def mutate(rng: np.random.Generator, value: Any, name: str) -> Any:
    if isinstance(value, np.ndarray):
        return mutate_array(rng, value)
    if rng.random() < 0.25:
        return kinds(rng)
    huge = SMALLER if name in SIZES else HUGE
    if isinstance(value, bool) or value is None or isinstance(value, str):
        words = ("same", "tanh", "float32", "int8", "\0", "é" * 9, "valid", "VALID")
        return kinds(rng) if rng.random() < 0.5 else words[rng.integers(len(words))]
    if isinstance(value, (int, np.integer)):
        return huge[rng.integers(len(huge))]
    if isinstance(value, float):
        return REAL[rng.integers(len(REAL))]
    if isinstance(value, (list, tuple)):
        items = list(value)
        way = rng.integers(5)
        if way == 0 and items:
            items.pop()
        elif way == 1:
            items.append(items[-1] if items else 1)
        elif way == 2:
            items = items * 5
        elif items:
            k = int(rng.integers(len(items)))
            items[k] = mutate(rng, items[k], name)
        return type(value)(items)
    return kinds(rng)


@functools.cache
def samples(name: str, dtype: str) -> list:
    from op_samples import RECORDS, samples_of

    return samples_of(RECORDS[name], dtype)


def own(value: Any) -> Any:
    """The samples are shared between cases: their arrays are not."""
    if isinstance(value, list):
        return [own(v) for v in value]
    return value.copy() if isinstance(value, np.ndarray) else value


def make_case(name: str, seed: int, number: int) -> tuple[list, dict[str, Any]]:
    """The call: a valid sample with one or two things wrong."""
    from op_samples import RECORDS, rng_for

    op = RECORDS[name]
    rng = rng_for("fuzz", name, seed, number)
    choice = samples(name, op.dtypes[rng.integers(len(op.dtypes))])
    sample = choice[rng.integers(len(choice))]
    args, kwargs = [own(a) for a in sample.args], {k: own(v) for k, v in sample.kwargs.items()}
    for _ in range(1 + (rng.random() < 0.4)):
        way = rng.random()
        if way < 0.72 and args:
            k = int(rng.integers(len(args)))
            args[k] = mutate(rng, args[k], op.params[min(k, len(op.params) - 1)])
        elif way < 0.8 and kwargs:
            k = list(kwargs)[rng.integers(len(kwargs))]
            kwargs[k] = mutate(rng, kwargs[k], k)
        elif way < 0.86 and len(args) < len(op.params):
            k = op.params[rng.integers(len(args), len(op.params))]
            kwargs[k] = mutate(rng, kwargs.get(k, 1 if rng.random() < 0.5 else 0.5), k)
        elif way < 0.93:  # shared memory: the same array twice, or one inside the other
            arrays = [i for i, a in enumerate(args) if isinstance(a, np.ndarray)]
            if arrays:
                a = args[arrays[0]]
                flat = np.resize(a, a.size + 2) if a.dtype != object else np.zeros(a.size + 2)
                other = flat[1 : 1 + a.size].reshape(a.shape)
                args[arrays[0]] = flat[: a.size].reshape(a.shape)
                if op.out and rng.random() < 0.5:
                    kwargs["out"] = other
                else:
                    args[arrays[-1]] = other if rng.random() < 0.5 else args[arrays[0]]
        elif op.out and way < 0.98:
            a = next((a for a in args if isinstance(a, np.ndarray)), np.zeros(3, np.float32))
            kwargs["out"] = mutate(rng, a, "out")
        elif rng.random() < 0.5 and args:
            args.pop()
        else:
            args.append(kinds(rng))
    return args, kwargs


def show(value: Any) -> str:
    if isinstance(value, np.ndarray):
        flags = ("" if value.flags.writeable else " read-only") + (
            "" if value.flags.c_contiguous else " strided"
        )
        inside = f" {value.reshape(-1).tolist()}" if value.size <= 6 and value.dtype.kind != "V" else ""
        return f"<{value.dtype}{list(value.shape)}{flags}{inside}>"
    if isinstance(value, (list, tuple)):
        return type(value).__name__ + "(" + ", ".join(map(show, value)) + ")"
    return repr(value)[:80]


def arrays_in(values: Any) -> list[np.ndarray]:
    found = []
    for v in values:
        if isinstance(v, np.ndarray) and v.dtype.kind in "biuf" and v.itemsize <= 8 and v.size < 10_000:
            found.append(v)
        elif isinstance(v, list):
            found += arrays_in(v)
    return found


def run_case(name: str, seed: int, number: int) -> str:
    """Makes the call; returns what is wrong with the outcome, or nothing."""
    from op_samples import RECORDS

    from pylearn import ops

    op = RECORDS[name]
    args, kwargs = make_case(name, seed, number)
    arrays = arrays_in([*args, *(v for k, v in kwargs.items() if k != "out")])
    before = [a.tobytes() for a in arrays]
    try:
        getattr(ops, name)(*args, **kwargs)
    except ALLOWED as error:
        text = str(error)
        words = {*op.params, *op.phrases, "out", *(("generator",) if op.random else ())}
        if f"[{name}]" not in text:
            wrong = "does not name the op"
        elif not (any(re.search(rf"\b{w}\b", text) for w in words) or any(p in text for p in WHOLE_CALL)):
            wrong = "does not name an argument"
        elif before != [a.tobytes() for a in arrays]:
            wrong = "changed an argument"
        else:
            return ""
        # memory that cannot be had is nobody's fault in particular
        if isinstance(error, MemoryError) and wrong != "changed an argument":
            return ""
        return f"{type(error).__name__} {wrong}: {text!r}"
    except BaseException as error:
        return f"{type(error).__name__}: {error}"
    if any(a.base is None and not a.flags.writeable and a.tobytes() != b for a, b in zip(arrays, before)):
        return "a read-only array was changed"
    return ""


def repeat_line(name: str, seed: int, number: int) -> str:
    args, kwargs = make_case(name, seed, number)
    call = ", ".join([*map(show, args), *(f"{k}={show(v)}" for k, v in kwargs.items())])
    return f"python tests/fuzz_ops.py --op {name} --seed {seed} --case {number}    # {name}({call})"


# -- the child and its parent ------------------------------------------------------------------------------------------


def child(names: list[str], calls: int, seed: int, start: int, notes: str) -> None:
    """Runs the cases from number `start` on, of all ops laid end to end."""
    import warnings

    import pylearn
    from pylearn import ops

    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    assert pylearn and ops
    if not under_asan():
        import resource

        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGESIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + HEADROOM, used + HEADROOM))
    with open(notes, "r+b") as f:
        place = mmap.mmap(f.fileno(), 8)
        for at in range(start, len(names) * calls):
            place[:8] = struct.pack("q", at)
            wrong = run_case(names[at // calls], seed, at % calls)
            if wrong:
                print(f"{at} {wrong}", flush=True)
        place[:8] = struct.pack("q", len(names) * calls)


def under_asan() -> bool:
    return "libasan" in Path("/proc/self/maps").read_text()


def hangs(name: str, seed: int, number: int, env: dict[str, str]) -> bool:
    """Does the call stand still in a process of its own too?"""
    command = [sys.executable, __file__, "--op", name, "--seed", str(seed), "--case", str(number)]
    try:
        subprocess.run(command, env=env, cwd=HERE, capture_output=True, timeout=4 * STILL)
    except subprocess.TimeoutExpired:
        return True
    return False


def evidence(text: str) -> str:
    """What a dying child said: from a sanitizer's or the fault handler's first line on."""
    starts = [
        text.find(s) for s in ("ERROR: ", "runtime error", "Fatal Python error", "Traceback", "terminate")
    ]
    first = min((i for i in starts if i >= 0), default=max(len(text) - 1500, 0))
    return text[max(first - 80, 0) : first + 1500]


def fuzz(names: list[str], calls: int, seed: int, report: Any = print) -> int:
    """Every case in child processes; returns how many were wrong."""
    total, start, problems = len(names) * calls, 0, 0
    while start < total:
        with tempfile.NamedTemporaryFile() as notes, tempfile.TemporaryFile("w+") as out:
            notes.write(struct.pack("q", start))
            notes.flush()
            command = [sys.executable, __file__, "--child", "--calls", str(calls), "--seed", str(seed)]
            command += ["--case", str(start), "--notes", notes.name, "--op", *names]
            env = {**os.environ, "PYTHONFAULTHANDLER": "1"}
            # under AddressSanitizer memory that cannot be had is an answer, not the end
            env["ASAN_OPTIONS"] = (
                env.get("ASAN_OPTIONS", "") + ":allocator_may_return_null=1:max_allocation_size_mb=4096"
            )
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=env, cwd=HERE)
            at, since, limit = -1, time.monotonic(), 60.0  # the first case waits for the imports
            hung = False
            while process.poll() is None:
                time.sleep(0.02)
                now = struct.unpack("q", Path(notes.name).read_bytes()[:8])[0]
                if now != at:
                    limit = STILL if at >= 0 else limit
                    at, since = now, time.monotonic()
                elif time.monotonic() - since > limit:
                    hung = True
                    process.send_signal(signal.SIGKILL)
                    process.wait()
            at = struct.unpack("q", Path(notes.name).read_bytes()[:8])[0]
            out.seek(0)
            text = out.read()
        for line in text.splitlines():
            number, _, wrong = line.partition(" ")
            if number.isdigit():
                problems += 1
                k = int(number)
                report(f"{wrong}\n    {repeat_line(names[k // calls], seed, k % calls)}")
        if at >= total:
            break
        start = at + 1
        if hung and not hangs(names[at // calls], seed, at % calls, env):
            continue  # the machine stood still, not the call
        problems += 1
        end = f"stood still for {STILL:g} s" if hung else f"died with status {process.returncode}"
        report(f"{end}\n    {repeat_line(names[at // calls], seed, at % calls)}\n{evidence(text)}")
        if problems > 200:
            report("more than 200 problems: stopped")
            break
    return problems


def main() -> int:
    from op_samples import RECORDS

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--calls", type=int, default=1000, help="per op")
    parser.add_argument("--op", nargs="*", default=list(RECORDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="one case, here")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--notes", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.op, given.calls, given.seed, given.case, given.notes)
        return 0
    if given.case is not None:
        print(repeat_line(given.op[0], given.seed, given.case))
        wrong = run_case(given.op[0], given.seed, given.case)
        print(wrong or "ok")
        return bool(wrong)
    start = time.monotonic()
    problems = fuzz(given.op, given.calls, given.seed)
    took = time.monotonic() - start
    print(
        f"{len(given.op)} ops, {given.calls} calls each, seed {given.seed}: {problems} problems, {took:.1f} s"
    )
    return problems != 0


if __name__ == "__main__":
    raise SystemExit(main())
