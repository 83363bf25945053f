"""What is installed, what importing it costs, and the build steps that guard the kernels."""

import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOT_LOADED = [
    "sklearn", "scipy", "pandas", "matplotlib", "torch", "jax", "tqdm", "pooch", "safetensors", "wandb", "PIL",
    "h5py", "onnx", "requests", "threadpoolctl",
]  # fmt: skip


def run_python(code: str, cwd: Path, **env: str) -> str:
    """Standard output of a fresh interpreter that sees the installed package only."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_editable() -> bool:
    text = importlib.metadata.distribution("pylearn").read_text("direct_url.json") or "{}"
    return bool(json.loads(text).get("dir_info", {}).get("editable"))


def is_sanitized() -> bool:
    return "asan" in os.environ.get("LD_PRELOAD", "")


def installed_files() -> list[Path]:
    if is_editable():
        pytest.skip("an editable install has no files of its own")
    distribution = importlib.metadata.distribution("pylearn")
    files = [Path(str(distribution.locate_file(f))) for f in distribution.files or []]
    return [f for f in files if f.suffix != ".pyc"]


# -- import ---------------------------------------------------------------------------------------------------------


def test_import_costs_at_most_50_ms_over_numpy(tmp_path):
    if is_editable():
        pytest.skip("an editable install asks the build tool on every import")
    if is_sanitized():
        pytest.skip("a sanitizer build is slow by design")
    code = "import time, numpy; t = time.perf_counter(); import pylearn; print(time.perf_counter() - t)"
    seconds = [float(run_python(code, tmp_path)) for _ in range(5)]
    assert min(seconds) <= 0.05, f"import pylearn takes {min(seconds):.3f} s over numpy (best of {seconds})"


def test_import_loads_no_optional_package(tmp_path):
    out = run_python("import sys, pylearn; print(*sorted({m.split('.')[0] for m in sys.modules}))", tmp_path)
    loaded = set(out.split()) & set(NOT_LOADED)
    assert not loaded, f"import pylearn loads {sorted(loaded)}"


def test_one_version(tmp_path):
    import pylearn

    declared = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]
    assert pylearn.__version__ == importlib.metadata.version("pylearn") == declared


@pytest.mark.parametrize("isa", ["baseline", "v3", "v4", "neon"])
def test_every_isa_has_a_full_kernel_table(isa, tmp_path):
    """Choosing an ISA walks its table: clang lets a field that was forgotten pass as null."""
    done = subprocess.run(
        [sys.executable, "-c", "import pylearn; pylearn.ops.exp([1.0]); print(pylearn._core.info()['isa'])"],
        cwd=tmp_path,
        env={**os.environ, "PYLEARN_ISA": isa},
        capture_output=True,
        text=True,
        timeout=120,
    )
    elsewhere = "is not an ISA of this build" in done.stderr or "this processor cannot run it" in done.stderr
    assert done.stdout.strip() == isa or elsewhere, done.stderr


# -- wheel and sdist ------------------------------------------------------------------------------------------------


def test_wheel_holds_the_package_and_no_sources():
    names = [f.name for f in installed_files()]
    assert "py.typed" in names and "_core.pyi" in names and "LICENSE" in names
    wrong = [
        n for n in names if n.endswith((".cpp", ".h", ".cu", ".cuh", ".o", ".cmake")) or n == "CMakeLists.txt"
    ]
    assert not wrong


def test_wheel_is_under_5_mb():
    if is_sanitized():
        pytest.skip("a sanitizer build carries debug information")
    size = sum(len(zlib.compress(f.read_bytes(), 6)) for f in installed_files() if f.exists())
    assert size < 5e6, f"the wheel takes {size / 1e6:.1f} MB"


def test_sdist_holds_what_a_build_needs(tmp_path):
    pytest.importorskip("scikit_build_core", reason="building an sdist needs scikit-build-core")
    code = (
        f"import os, sys; os.chdir({str(ROOT)!r}); from scikit_build_core.build import build_sdist; "
        f"print(build_sdist({str(tmp_path)!r}), file=sys.stderr)"
    )
    run_python(code, tmp_path)
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        names = [name.split("/", 1)[1] for name in archive.getnames()]
    tracked = [p for p in (ROOT / "cpp").rglob("*") if p.suffix in (".h", ".cpp", ".def")]
    wanted = [
        "CMakeLists.txt",
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "cmake/isa.cmake",
        "cmake/check_symbols.py",
    ]
    wanted += [str(p.relative_to(ROOT)) for p in tracked]
    assert not [name for name in wanted if name not in names]
    assert not [
        name for name in names if name.endswith((".so", ".o", ".pyc")) or name.startswith((".git/", "build/"))
    ]


# -- build steps ----------------------------------------------------------------------------------------------------

PROJECT = """
cmake_minimum_required(VERSION 3.25)
project(check LANGUAGES CXX)
set(Python_EXECUTABLE "{python}")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include("{root}/cmake/isa.cmake")
pylearn_add_isa(object {isa} INCLUDE "${{CMAKE_CURRENT_SOURCE_DIR}}" SOURCES kernel.cpp FAMILIES linalg)
add_custom_target(all_kernels ALL DEPENDS ${{object}})
"""
TABLE = """
namespace pl {{ struct LinalgKernels {{ int (*gemm)(int); }}; }}
{extra}
namespace pl::PL_ISA {{
namespace {{ int gemm(int x) {{ return {call}; }} }}
extern const LinalgKernels {name};
const LinalgKernels {name} = {{.gemm = gemm}};
int stray(int x) {{ return x; }}
}}
"""
# A function that the compiler will not inline: the weak symbol that joins two ISAs.
WEAK = "namespace pl { template <class T> __attribute__((noinline)) T twice(T x) { return x + x; } }"


def build_kernel(folder: Path, **parts: str) -> subprocess.CompletedProcess:
    """Configures and builds one kernel source as one ISA, with the project's own build step."""
    for tool in ("cmake", "nm", "objcopy"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    if not any(shutil.which(c) for c in (os.environ.get("CXX", ""), "c++", "g++", "clang++")):
        pytest.skip("needs a C++ compiler")
    isa = "neon" if os.uname().machine == "aarch64" else "v3"
    (folder / "CMakeLists.txt").write_text(PROJECT.format(python=sys.executable, root=ROOT, isa=isa))
    parts = {"extra": "", "call": "x", "name": "linalg", **parts}
    (folder / "kernel.cpp").write_text(TABLE.format(**parts))
    env = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}
    generator = ["-G", "Ninja"] if shutil.which("ninja") else []
    configure = ["cmake", "-S", str(folder), "-B", str(folder / "build"), *generator]
    subprocess.run(configure, check=True, capture_output=True, env=env)
    build = ["cmake", "--build", str(folder / "build")]
    return subprocess.run(build, capture_output=True, text=True, env=env)


def test_a_kernel_object_shows_only_its_tables(tmp_path):
    done = build_kernel(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    objects = [p for p in (tmp_path / "build").glob("kernels_*.o") if "joined" not in p.name]
    shown = subprocess.run(["nm", "-gC", "--defined-only", *objects], capture_output=True, text=True).stdout
    assert re.findall(r"pl::\w+::(\w+)", shown) == ["linalg"]


def test_a_weak_symbol_stops_the_build(tmp_path):
    done = build_kernel(tmp_path, extra=WEAK, call="pl::twice(x)")
    assert done.returncode != 0
    assert "weak symbol" in done.stdout + done.stderr and "pl::twice<int>" in done.stdout + done.stderr


def test_a_missing_table_stops_the_build(tmp_path):
    done = build_kernel(tmp_path, name="linalgebra")
    assert done.returncode != 0
    assert "no table" in done.stdout + done.stderr


def test_the_module_is_built_from_checked_objects():
    text = (ROOT / "CMakeLists.txt").read_text()
    assert (
        "pylearn_add_isa(objects ${isa}" in text
        and "dispatch.cpp cpp/kernels/backend.cpp ${isa_objects})" in text
    )


# -- type stubs -----------------------------------------------------------------------------------------------------


def test_the_committed_stub_is_up_to_date(tmp_path):
    pytest.importorskip("pybind11_stubgen", reason="pip install 'pylearn[test]' brings pybind11-stubgen")
    spec = importlib.util.spec_from_file_location("stubs", ROOT / "cpp" / "bindings" / "stubs.py")
    stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stubs)
    committed = stubs.STUB.read_text(encoding="utf-8")
    if committed.splitlines()[0] != stubs.header():
        pytest.skip("the stub was made with another version of pybind11-stubgen")
    assert committed == stubs.generate(), "run: python cpp/bindings/stubs.py"


# -- documents ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_documents_name_real_files(name):
    text = re.sub(r"```.*?```", "", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL)
    paths = re.findall(r"`([\w.]+/[\w./]*)`", text) + re.findall(r"\]\(([\w./]+)\)", text)
    missing = [p for p in paths if not p.startswith(("build/", "ops/")) and not (ROOT / p).exists()]
    assert paths and not missing, f"{name} names {missing}"


def test_readme_example_runs(tmp_path):
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)[
        1
    ]
    assert len(example.strip().splitlines()) <= 12
    scores = [float(x) for x in re.findall(r"\d\.\d+", run_python(example, tmp_path).splitlines()[-1])]
    assert max(scores) >= 0.9, f"the example's accuracy: {scores}"
