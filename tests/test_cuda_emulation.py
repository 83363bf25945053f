"""The CUDA emulation: what it models is right, and kernels with a mistake in them do not pass.

The programs of cuda/tests are compiled with g++, plain and under the sanitizers, and run in three orders of threads.
"""

import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
CUDA = ROOT / "cuda"
ORDERS = ("forward", "reverse", "random")
FLAGS = [
    "-std=c++20",
    "-O1",
    "-ffp-contract=off",
    "-Wno-unknown-pragmas",
    "-Wno-psabi",
    "-DPL_CUDA",
    "-DPL_ISA=cuda",
]
FLAGS += [f"-I{CUDA / 'emulation'}", f"-I{CUDA}", f"-I{ROOT / 'cpp'}"]
MODES = {
    "plain": [],
    "sanitized": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-g"],
}
# Case of cuda/tests/planted.cu: what is said of it, or "" where the result alone shows it.
PLANTED = {
    "missing_barrier": "",
    "missing_syncwarp": "",
    "overwritten_too_early": "",
    "divergent_barrier": "divergent barrier",
    "divergent_shuffle": "different warp-wide calls",
    "out_of_bounds": "beyond a piece of 1200 bytes",
    "uninitialised_output": "",
    "shared_overflow": "beyond the 1024 bytes of shared memory",
    "not_cooperative": "livelock",
    "wrong_parity": "livelock",
    "missing_wait": "",
    "stage_overwritten": "",
    "wrong_descriptor": "",
    "product_not_awaited": "",
    "stale_capture_scalar": "",
    "read_too_early": "",
    "host_touches_device": "host code touched device memory: byte 0 of 128",
}
# These the address sanitizer sees first, in its own words; the last it does not see.
BY_SANITIZER = {"out_of_bounds": "heap-buffer-overflow", "shared_overflow": "heap-buffer-overflow"}
NOT_SANITIZED = {"host_touches_device"}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="there is no g++ to compile the emulation with"),
    pytest.mark.skipif(not CUDA.is_dir(), reason="the CUDA sources are not beside the tests"),
]


def compile_programs(folder: Path, flags: list[str]) -> None:
    """The emulation's objects, then each program of cuda/tests linked to them."""

    def run(*arguments: object) -> None:
        done = subprocess.run(["g++", *FLAGS, *flags, *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-4000:]

    sources = sorted((CUDA / "emulation").glob("*.cpp")) + sorted((CUDA / "tests").glob("*.cu"))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda s: run("-x", "c++", "-c", s, "-o", folder / f"{s.stem}.o"), sources))
    programs = {s.stem for s in sources if s.suffix == ".cu"}
    objects = [folder / f"{s.stem}.o" for s in sources if s.suffix == ".cpp"]
    for name in programs:
        run(folder / f"{name}.o", *objects, "-ldl", "-o", folder / name)


@pytest.fixture(scope="module", params=MODES)
def programs(request, tmp_path_factory):
    """(mode, folder of the programs)"""
    folder = tmp_path_factory.mktemp(request.param)
    compile_programs(folder, MODES[request.param])
    return request.param, folder


def run(program: Path, *arguments: str, order: str) -> subprocess.CompletedProcess:
    # What is loaded into this process (a sanitizer's runtime of another build) is not for the program.
    environment = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}
    environment["PYLEARN_CUDA_ORDER"] = order
    return subprocess.run(
        [program, *arguments], env=environment, capture_output=True, text=True, errors="replace", timeout=300
    )


@pytest.mark.parametrize("order", ORDERS)
def test_models_conform(programs, order):
    _, folder = programs
    done = run(folder / "conformance", order=order)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "left out" not in done.stdout
    assert done.stdout.count(" ok\n") == 13
    done = run(folder / "conformance_mma", order=order)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_planted_bug_is_listed(programs):
    _, folder = programs
    assert run(folder / "planted", "list", order="forward").stdout.split() == list(PLANTED)


@pytest.mark.parametrize("case", PLANTED)
def test_planted_bug_is_caught(programs, case):
    mode, folder = programs
    for order in ORDERS:
        right = run(folder / "planted", case, "right", order=order)
        assert right.returncode == 0, f"{order}: {right.stdout}{right.stderr}"
    if mode == "sanitized" and case in NOT_SANITIZED:
        pytest.skip("only a plain build keeps device memory out of reach")
    said = BY_SANITIZER.get(case, PLANTED[case]) if mode == "sanitized" else PLANTED[case]
    for order in ORDERS:
        wrong = run(folder / "planted", case, "wrong", order=order)
        assert wrong.returncode != 0, f"{case} passes in the order {order}"
        assert said in wrong.stderr, f"{order}: {wrong.stdout}{wrong.stderr}"
        assert said or "the result is wrong" in wrong.stdout or "emulation:" in wrong.stderr


def test_orders_are_checked(programs):
    _, folder = programs
    assert (
        "is unknown; it is one of forward, reverse, random"
        in run(folder / "planted", "list", order="x").stderr
    )
