"""Fails the build when the joined object of an ISA defines a weak symbol, or lacks a kernel table.

A weak symbol (an inline function or template that was not inlined, a variable template, a vtable) may be merged
with its namesake from another ISA, after which a baseline kernel runs AVX-512 code.

    python check_symbols.py [--nm NM] OBJECT [TABLE...]      tables by their mangled names
"""

import argparse
import re
import subprocess
import sys


def symbols(nm: str, path: str, *options: str) -> list[tuple[str, str]]:
    """(kind, name) of the symbols that `path` defines."""
    command = [nm, "--defined-only", *options, path]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return re.findall(r"^[0-9a-fA-F]+ (\S) (.+)$", text, re.MULTILINE)


def problems(nm: str, path: str, tables: list[str]) -> list[str]:
    """One line for each weak symbol and each missing table."""
    weak = [name for kind, name in symbols(nm, path, "--demangle") if kind in "VWu"]
    defined = {name for kind, name in symbols(nm, path) if kind in "BDRS"}
    found = [f"weak symbol in {path}: {name}" for name in weak]
    found += [
        f"no table {name} in {path}: no source of this ISA defines it"
        for name in tables
        if name not in defined
    ]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nm", default="nm")
    parser.add_argument("object")
    parser.add_argument("tables", nargs="*")
    args = parser.parse_args()
    found = problems(args.nm, args.object, args.tables)
    for line in found:
        print(line, file=sys.stderr)
    if any(line.startswith("weak") for line in found):
        print(
            "Put the function into the kernel's anonymous namespace, or mark it PL_INLINE.", file=sys.stderr
        )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
