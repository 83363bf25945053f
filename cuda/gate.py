"""What can be asserted of the compiled kernels without a GPU: registers, spills, and the instructions that matter.

    python cuda/gate.py libpylearn_cuda.so            compare with cuda/gate.txt; exit status 1 when something got worse
    python cuda/gate.py libpylearn_cuda.so --write    write cuda/gate.txt anew; read the difference before committing it

The table has a line per architecture and kernel (its instantiations together): the most registers a thread uses, the
most bytes of stack, and which of INSTRUCTIONS some instantiation has. A kernel without stack must not touch local
memory at all, so that nothing spills. cuobjdump and nvdisasm are those of the PATH or of the wheels
nvidia-cuda-cuobjdump and nvidia-cuda-nvdisasm.
"""

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

TABLE = Path(__file__).with_name("gate.txt")
# Products on the tensor cores (wgmma, mma.sync), TMA, cp.async, ldmatrix.
INSTRUCTIONS = ("HGMMA", "HMMA", "UTMALDG", "UTMASTG", "LDGSTS", "LDSM")
LOCAL = ("LDL", "STL")
INSTRUCTION = re.compile(r"\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_]*)")
SLACK = 8  # registers: ptxas allocates in eights


@dataclass
class Kernel:
    """All instantiations of a kernel for one architecture."""

    registers: int = 0
    stack: int = 0
    instructions: set[str] = field(default_factory=set)

    def line(self, arch: str, name: str) -> str:
        kinds = ",".join(sorted(self.instructions & set(INSTRUCTIONS))) or "-"
        return f"{arch:8} {self.registers:4} {self.stack:5}  {kinds:24} {name}"


Kernels = dict[tuple[str, str], Kernel]


def find_cuobjdump() -> str | None:
    """From the PATH, or from the wheels in this Python's environment."""
    if path := shutil.which("cuobjdump"):
        return path
    spec = importlib.util.find_spec("nvidia.cu13") if importlib.util.find_spec("nvidia") else None
    for folder in spec.submodule_search_locations or [] if spec else []:
        path = Path(folder) / "bin" / "cuobjdump"
        if path.exists():
            return str(path)
    return None


def lines_of(*command: str) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield from process.stdout
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with exit status {process.returncode}")


def short_names(mangled: set[str]) -> dict[str, str]:
    """Of each symbol its name without namespaces of ours, template arguments and parameters."""
    order = sorted(mangled)
    text = subprocess.run(
        ["c++filt"], input="\n".join(order), check=True, capture_output=True, text=True
    ).stdout.splitlines()
    names = {}
    for symbol, readable in zip(order, text, strict=True):
        readable = readable.replace("(anonymous namespace)::", "").removeprefix("void ")
        names[symbol] = re.split(r"[<(]", readable.removeprefix("pl::cuda::"))[0]
    return names


def read(library: str, cuobjdump: str) -> Kernels:
    """The kernels that a library holds."""
    raw: Kernels = {}
    arch = symbol = ""
    for line in lines_of(cuobjdump, "-res-usage", library):
        if found := re.match(r"arch = (\w+)", line):
            arch = found[1]
        elif found := re.match(r"\s*Function (\S+):", line):
            symbol = found[1]
        elif found := re.search(r"REG:(\d+) STACK:(\d+)", line):
            raw[arch, symbol] = Kernel(int(found[1]), int(found[2]))
    for line in lines_of(cuobjdump, "-sass", library):
        if found := re.match(r"\s+code for (\w+)", line):
            arch = found[1]
        elif found := re.match(r"\s+Function : (\S+)", line):
            symbol = found[1]
        elif (found := INSTRUCTION.match(line)) and found[1] in INSTRUCTIONS + LOCAL:
            raw[arch, symbol].instructions.add(found[1])
    names = short_names({symbol for _, symbol in raw})
    kernels: Kernels = {}
    for (arch, symbol), one in raw.items():
        together = kernels.setdefault((arch, names[symbol]), Kernel())
        together.registers = max(together.registers, one.registers)
        together.stack = max(together.stack, one.stack)
        together.instructions |= one.instructions
    return kernels


def read_table(text: str) -> Kernels:
    table: Kernels = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            arch, registers, stack, kinds, name = line.split(maxsplit=4)
            found = set() if kinds == "-" else set(kinds.split(","))
            table[arch, name] = Kernel(int(registers), int(stack), found)
    return table


def problems(kernels: Kernels, table: Kernels) -> list[str]:
    """One line for everything that is worse than the table, or not in it."""
    found = []
    for (arch, name), k in sorted(kernels.items()):
        allowed = table.get((arch, name))
        if allowed is None:
            found.append(f"{arch} {name}: not in the table")
            continue
        if k.registers > allowed.registers + SLACK:
            found.append(f"{arch} {name}: {k.registers} registers, the table says {allowed.registers}")
        if k.stack > allowed.stack:
            found.append(f"{arch} {name}: {k.stack} bytes of stack, the table says {allowed.stack}")
        if not allowed.stack and k.instructions & set(LOCAL):
            found.append(
                f"{arch} {name}: touches local memory ({', '.join(sorted(k.instructions & set(LOCAL)))})"
            )
        if lost := allowed.instructions - k.instructions:
            found.append(f"{arch} {name}: has no {', '.join(sorted(lost))} any more")
    built = {arch for arch, _ in kernels}
    found += [
        f"{arch} {name}: in the table, but not in the library"
        for arch, name in sorted(table.keys() - kernels.keys())
        if arch in built
    ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("library")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--cuobjdump", default=find_cuobjdump())
    args = parser.parse_args()
    if args.cuobjdump is None:
        parser.error("no cuobjdump: pip install nvidia-cuda-cuobjdump nvidia-cuda-nvdisasm")
    kernels = read(args.library, args.cuobjdump)
    if not kernels:
        parser.error(f"{args.library} holds no kernels")
    if args.write:
        head = "# arch  registers  stack  instructions  kernel; written by cuda/gate.py --write\n"
        TABLE.write_text(head + "".join(k.line(*key) + "\n" for key, k in sorted(kernels.items())))
        print(f"{len(kernels)} kernels in {TABLE}")
        return 0
    found = problems(kernels, read_table(TABLE.read_text()) if TABLE.exists() else {})
    print(*found, sep="\n", end="\n" if found else "")
    print(f"{len(kernels)} kernels, {len(found)} problems")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
