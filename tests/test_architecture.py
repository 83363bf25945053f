"""The rules of the source tree that a compiler does not check: who may import whom, file sizes, bans, registries."""

import ast
import importlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pylearn"

# C++ rooms and what each may include of the others.
CPP_ROOMS = {
    "core": {"core"},
    "kernels": {"kernels", "core"},
    "ops": {"ops", "kernels", "core"},
    "autograd": {"autograd", "ops", "core"},
    "text": {"text", "core"},
    "bindings": {"bindings", "text", "autograd", "ops", "kernels", "core"},
}
# What a kernel may know of core: no Tensor, no exception. What chooses the kernels is ordinary code.
KERNEL_CORE = {"core/dtype.h", "core/device.h", "core/parallel.h"}

# Python rooms (modules and packages directly under pylearn), lowest first. A room imports rooms of its own level
# or below, and never in a circle. A new room is placed here.
PYTHON_LEVELS = [
    {"_core", "_lazy", "registry", "structure", "mixed_precision"},
    {"tensor", "ops", "autograd", "devices", "replay", "sparse", "random", "threads", "reference"},
    {"base", "utils", "config", "files", "validation", "align", "progress", "constraints", "embeddings"},
    {"initializers", "regularizers", "activations", "schedules", "losses", "metrics", "optimizers", "layers"},
    {"callbacks", "training", "preprocessing", "datasets", "plots", "blocks"},
    {"models", "linear_model", "export"},
    {
        "wrappers",
        "adversarial",
        "generative",
        "bayes",
        "text",
        "vision",
        "transfer",
        "tree",
        "ensemble",
        "mixture",
    },
    {"curriculum", "benchmark", "cli"},
    {"__init__", "__main__"},
]
# These load what they need when they are asked for it, from closed lists of names.
LAZY_ROOMS = {"__init__", "__main__", "_lazy", "cli", "curriculum", "benchmark"}
LEVEL = {room: level for level, rooms in enumerate(PYTHON_LEVELS) for room in rooms}

# Import name of every library that an installation may lack, and of the run-time needs `import pylearn` does not load.
OPTIONAL = {
    "sklearn", "scipy", "pandas", "matplotlib", "torch", "jax", "keras", "wandb", "PIL", "h5py", "onnx",
    "onnxruntime", "tokenizers", "threadpoolctl", "IPython", "ipywidgets", "yaml",
}  # fmt: skip
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}


def sources(*suffixes: str) -> list[Path]:
    """The project's own source files."""
    folders = [ROOT / name for name in ("pylearn", "cpp", "cuda", "tests", "bench", "cmake", ".ci")]
    found = [
        p for folder in folders for p in sorted(folder.rglob("*")) if p.suffix in suffixes and p.is_file()
    ]
    return [p for p in found if p.name != "_core.pyi"]


def python_files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def where(path: Path, line: int | None = None) -> str:
    return f"{path.relative_to(ROOT)}" + (f":{line}" if line else "")


def includes(path: Path) -> list[tuple[int, str]]:
    """(line, name) of the quoted includes of a C++ file."""
    lines = path.read_text(encoding="utf-8").splitlines()
    matches = [(n, re.match(r'\s*#\s*include\s+"([^"]+)"', line)) for n, line in enumerate(lines, 1)]
    return [(n, m[1]) for n, m in matches if m]


def imports(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[int, str, bool]]:
    """(line, absolute module, at module level?) of every import that runs; TYPE_CHECKING blocks do not.

    optional("name", ...) of pylearn._lazy is an import too.
    """

    def visit(node: ast.AST, top: bool) -> Iterator[tuple[int, str, bool]]:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for child in node.orelse:
                yield from visit(child, top)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, top
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                parts = parts[: len(parts) - node.level + is_package]
                base = ".".join([*parts, base]) if base else ".".join(parts)
            if base == "pylearn":  # from pylearn import ops: the room is in the names
                for alias in node.names:
                    yield node.lineno, f"pylearn.{alias.name}", top
            else:
                yield node.lineno, base, top
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("optional", "_lazy.optional"):
            assert isinstance(node.args[0], ast.Constant), (
                f"{module}:{node.lineno}: optional() of a name made up"
            )
            yield node.lineno, node.args[0].value, top
        inner = top and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inner)

    yield from visit(tree, True)


def module_name(path: Path) -> tuple[str, bool]:
    """Dotted name, and whether it is a package."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return (".".join(parts[:-1]), True) if parts[-1] == "__init__" else (".".join(parts), False)


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def python_imports() -> Iterator[tuple[Path, int, str, bool]]:
    for path in python_files():
        module, is_package = module_name(path)
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
        for line, target, top in imports(tree, module, is_package):
            yield path, line, target, top


# -- C++ ------------------------------------------------------------------------------------------------------------


def test_cpp_includes_go_one_way():
    wrong = []
    for room, allowed in CPP_ROOMS.items():
        for path in sorted((ROOT / "cpp" / room).glob("*")):
            if path.suffix in (".h", ".cpp", ".def"):
                for line, name in includes(path):
                    target = name.split("/")[0] if "/" in name else room
                    if target not in allowed:
                        wrong.append(
                            f"{where(path, line)} includes {name}: {room} may include {sorted(allowed)}"
                        )
    assert not wrong, "\n".join(wrong)


def test_every_cpp_room_is_known():
    rooms = {p.name for p in (ROOT / "cpp").iterdir() if p.is_dir() and any(p.iterdir())}
    assert rooms <= set(CPP_ROOMS), f"place {rooms - set(CPP_ROOMS)} in CPP_ROOMS"


def test_kernels_know_no_tensor():
    wrong = []
    for path in sorted((ROOT / "cpp" / "kernels").glob("*.*")):
        if path.name in ("dispatch.cpp", "backend.cpp", "backend.h"):
            continue
        for line, name in includes(path):
            if name.startswith("core/") and name not in KERNEL_CORE:
                wrong.append(f"{where(path, line)} includes {name}: kernels see only {sorted(KERNEL_CORE)}")
    assert not wrong, "\n".join(wrong)


def test_intrinsics_live_in_simd_h():
    pattern = re.compile(r"#\s*include\s+<(immintrin|arm_neon|x86intrin|emmintrin)\.h>|\b_mm\d*_\w+\(")
    wrong = []
    for path in sorted((ROOT / "cpp").rglob("*.*")):
        if path.name != "simd.h" and path.suffix in (".h", ".cpp"):
            lines = path.read_text(encoding="utf-8").splitlines()
            explained = any("intrinsic" in line for line in lines[:40])
            used = [n for n, line in enumerate(lines, 1) if pattern.search(line)]
            if used and not explained:
                wrong.append(where(path, used[0]))
    assert not wrong, "intrinsics belong in simd.h; elsewhere the file's head says what was measured: " + str(
        wrong
    )


# -- Python ---------------------------------------------------------------------------------------------------------


def test_every_python_room_has_a_level():
    rooms = {room_of(module_name(p)[0]) for p in python_files()}
    assert rooms <= set(LEVEL), f"place {sorted(rooms - set(LEVEL))} in PYTHON_LEVELS"


def test_python_imports_go_one_way():
    wrong = []
    edges: dict[str, set[str]] = {}
    for path, line, target, _ in python_imports():
        if target.split(".")[0] != "pylearn":
            continue
        source, room = room_of(module_name(path)[0]), room_of(target)
        # from pylearn import Tensor: a name of the root, which loads every lower room on demand
        if room not in LEVEL:
            room = "__init__"
        if source == room or source in LAZY_ROOMS:
            continue
        if LEVEL.get(room, 99) > LEVEL.get(source, 0):
            wrong.append(f"{where(path, line)}: {source} imports {target}, which stands above it")
        edges.setdefault(source, set()).add(room)
    assert not wrong, "\n".join(wrong)

    done: set[str] = set()

    def walk(room: str, trail: list[str]) -> None:
        assert room not in trail, "rooms import each other in a circle: " + " -> ".join([*trail, room])
        if room not in done:
            for below in sorted(edges.get(room, ())):
                walk(below, [*trail, room])
            done.add(room)

    for room in sorted(edges):
        walk(room, [])


def test_own_modules_are_imported_at_the_top():
    """An import inside a function is for optional libraries; for our own it hides a circle. The root is lazy."""
    wrong = [
        f"{where(path, line)}: import of {target} inside a function"
        for path, line, target, top in python_imports()
        if not top and target.split(".")[0] == "pylearn" and room_of(module_name(path)[0]) not in LAZY_ROOMS
    ]
    assert not wrong, "\n".join(wrong)


def test_optional_libraries_are_imported_where_used():
    wrong = [
        f"{where(path, line)}: {target} at module level"
        for path, line, target, top in python_imports()
        if top and target.split(".")[0] in OPTIONAL
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_but_declared_libraries_is_imported():
    allowed = set(sys.stdlib_module_names) | OPTIONAL | {"numpy", "safetensors", "tqdm", "pooch", "pylearn"}
    wrong = [
        f"{where(path, line)}: {target}"
        for path, line, target, _ in python_imports()
        if target.split(".")[0] not in allowed
    ]
    assert not wrong, "not in pyproject.toml's dependencies or extras:\n" + "\n".join(wrong)


def test_no_code_is_loaded_from_data():
    """No pickle, marshal, eval, exec or import by name: a file that pylearn reads is never run."""
    wrong = [
        f"{where(path, line)}: import of {target}"
        for path, line, target, _ in python_imports()
        if target.split(".")[0] in UNSAFE_MODULES
    ]
    for path in python_files():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call):
                continue
            if isinstance(node.func, ast.Name) and node.func.id in UNSAFE_CALLS:
                wrong.append(f"{where(path, node.lineno)}: call of {node.func.id}")
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    wrong.append(f"{where(path, node.lineno)}: allow_pickle")
            lazy = room_of(module_name(path)[0]) in LAZY_ROOMS
            if ast.unparse(node.func).endswith("import_module") and not lazy:
                literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
                own = any("__name__" in ast.unparse(a) or "pylearn" in ast.unparse(a) for a in node.args)
                if not (literal or own):
                    wrong.append(
                        f"{where(path, node.lineno)}: import_module of a name that is not pylearn's own"
                    )
    assert not wrong, "\n".join(wrong)


# -- the tree -------------------------------------------------------------------------------------------------------


def test_files_are_at_most_600_lines():
    suffixes = (".py", ".cpp", ".h", ".cu", ".cuh", ".cmake", ".def", ".sh")
    sizes = {p: len(p.read_text(encoding="utf-8").splitlines()) for p in sources(*suffixes)}
    long = [f"{where(p)}: {n} lines; split it by family" for p, n in sizes.items() if n > 600]
    assert not long, "\n".join(long)


def test_nothing_is_left_for_later():
    pattern = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError\(?\)?\s*$")
    wrong = [
        f"{where(path, n)}: {line.strip()}"
        for path in sources(".py", ".cpp", ".h", ".cu", ".cuh")
        if path != Path(__file__).resolve()
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
    assert not wrong, "\n".join(wrong)


# -- registries -----------------------------------------------------------------------------------------------------


def importable_modules() -> list[str]:
    return [name for name, _ in map(module_name, python_files()) if not name.endswith("__main__")]


@pytest.mark.parametrize("name", importable_modules())
def test_all_names_are_real(name):
    module = importlib.import_module(name)
    names = list(getattr(module, "__all__", ()))
    assert len(names) == len(set(names)), f"{name}.__all__ has duplicates"
    missing = [n for n in names if not hasattr(module, n)]
    assert not missing, f"{name}.__all__ names what is not there: {missing}"


def registry(name: str) -> dict[str, object]:
    """Public name -> what a package's ALL says of it: the object, its module's name, or the name alone."""
    found = getattr(importlib.import_module(name), "ALL", ())
    if isinstance(found, dict):
        return dict(found)
    names = [item if isinstance(item, str) else getattr(item, "__name__", repr(item)) for item in found]
    assert len(names) == len(set(names)), f"{name}.ALL has duplicates: {sorted(names)}"
    return dict(zip(names, found, strict=True))


REGISTRIES = [name for name in importable_modules() if name.count(".") == 1]


@pytest.mark.parametrize("name", REGISTRIES)
def test_registries_hold_public_names(name):
    """What ALL lists can be reached under the package by its own name."""
    module = importlib.import_module(name)
    for key, item in registry(name).items():
        reached = getattr(module, key, None)
        assert reached is not None, f"{name}.ALL lists {key!r}, but {name} has no such name"
        assert isinstance(item, str) or reached is item, f"{name}.{key} is not what {name}.ALL lists"


def test_lessons_are_listed():
    """Every file of pylearn/curriculum/<heading>/ stands in that heading's LESSONS, and nothing else does."""
    for folder in sorted(p for p in (PACKAGE / "curriculum").glob("*") if (p / "__init__.py").exists()):
        heading = importlib.import_module(f"pylearn.curriculum.{folder.name}")
        listed = set(heading.LESSONS)
        files = {p.stem for p in folder.glob("*.py") if not p.stem.startswith("_")}
        assert listed == files, f"curriculum/{folder.name}: LESSONS {sorted(listed)}, files {sorted(files)}"
