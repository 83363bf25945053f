"""``python -m bench kernels|train|memory|all|report``; see the package's docstring."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import ROOT, cases, environment, kernels, memory, nets, peers, records, report, timing, train
from bench.cases import Case, Mismatch, Missing
from bench.records import Record

CASES: dict[str, Sequence[Case]] = {
    "kernels": kernels.CASES,
    "train": train.CASES,
    "memory": (),
    "all": (*kernels.CASES, *train.CASES),
}
MEASURES_MEMORY = ("memory", "all")


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(
        prog="python -m bench", description="Verify, then time, against the peers."
    )
    commands = main.add_subparsers(dest="command", required=True)
    for command in CASES:
        p = commands.add_parser(command)
        p.add_argument(
            "names", nargs="*", metavar="NAME", help="words that a case's name must contain; all by default"
        )
        p.add_argument(
            "--only", default="", metavar="FAMILY,…", help=f"of {', '.join(report.TITLES)}; all by default"
        )
        p.add_argument(
            "--threads", type=_counts, default=None, metavar="N,…", help="default: 1 and all processors"
        )
        p.add_argument("--quick", action="store_true", help="light cases, few rounds: to see that it works")
        p.add_argument(
            "--verify", action="store_true", help="compare every side with its oracle, time nothing"
        )
        p.add_argument(
            "--check", action="store_true", help="exit 1 unless the speeds of bench/checks.py are reached"
        )
        p.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
        p.add_argument("--record", action="store_true", help="write the record into bench/results/")
        p.add_argument("--list", action="store_true", help="name the cases")
        p.add_argument(
            "--here", action="store_true", help=argparse.SUPPRESS
        )  # one number of threads, in this process
    commands.add_parser("report", help="write bench/RESULTS.md from bench/results/")
    return main


def _counts(text: str) -> list[int]:
    try:
        counts = [int(word) for word in text.split(",")]
    except ValueError:
        counts = []
    if not counts or not all(1 <= n <= 256 for n in counts):
        raise argparse.ArgumentTypeError(f"numbers of threads, 1 to 256, with commas: got {text!r}")
    return counts


def chosen(command: str, names: Sequence[str], quick: bool, only: str = "") -> list[Case]:
    """The cases of these families whose title contains every word of one of ``names``; all without names.

    Raises:
        ValueError: a name or family that no case has.
    """
    families = set(only.split(",")) - {""}
    if unknown := families - report.TITLES.keys():
        raise ValueError(f"no family is called {min(unknown)!r}; there are {', '.join(report.TITLES)}")
    known = [case for case in CASES[command] if not families or case.family in families]
    found = []
    for name in names:
        match = [case for case in known if all(word in case.title for word in name.split())]
        if not match and not (command in MEASURES_MEMORY and chosen_nets([name])):
            titles = ", ".join(dict.fromkeys(case.name for case in known))
            raise ValueError(
                f"no case of '{command}' is called {name!r}; there are {titles} (--list names all)"
            )
        found += match
    if not names:
        found = [case for case in known if not (quick and case.heavy)]
    return [case for case in known if case in found]


def chosen_nets(names: Sequence[str]) -> list[str]:
    """Networks of which the memory is measured."""
    return [net for net in nets.NETS if not names or any(all(w in net for w in n.split()) for n in names)]


def verify(todo: Sequence[Case]) -> int:
    """Prints the errors of every side; 1 when one is wrong. Sides that are absent are named."""
    wrong = 0
    for case in todo:
        try:
            found = cases.verified(case, pylearn_needed=False)
        except (Mismatch, Missing) as e:
            wrong += isinstance(e, Mismatch)
            print(f"{case.title}: {e}", flush=True)
            continue
        errors = ", ".join(f"{name} {error:.1e}" for name, error in found.errors.items())
        absent = "".join(f"; without {name}: {why}" for name, why in found.absent.items())
        print(f"{case.title}: {errors}{absent}", flush=True)
    return 1 if wrong else 0


def run_here(command: str, todo: Sequence[Case], threads: int, quick: bool) -> Record:
    """Measures in this process, printing as it goes; a case that does not compute what it should is noted instead."""
    effort = timing.QUICK if quick else timing.FULL
    peers.compiles = peers.compiles and not quick
    with environment.threads_set(threads):
        ceilings = cases.ceilings(quick)
        record = Record(
            environment.describe(), {str(threads): ceilings}, [], quick=quick, absent=peers.absent()
        )
        sides = [name for name in peers.ALL if name not in record.absent]
        print("\n".join(report.about(record)))
        print(report.header(sides), flush=True)
        for case in todo:
            try:
                row = cases.measure(case, threads, effort, ceilings)
            except Missing as e:
                record.left_out.append(f"{case.title}: {e}")
                print(f"left out: {case.title}: {e}", flush=True)
                continue
            except Mismatch as e:
                record.wrong.append(str(e))
                print(f"NOT TIMED: {e}", flush=True)
                continue
            record.rows.append(row)
            print(report.line(row, sides), flush=True)
        record.rows[:] = [cases.related(row, ceilings) for row in record.rows]
    return record


def run(args: argparse.Namespace, todo: Sequence[Case]) -> Record:
    """A process for each number of threads: most libraries read theirs when they are loaded."""
    parts = []
    for threads in args.threads or sorted({1, environment.processors()}):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "record.json"
            command = [
                sys.executable,
                "-m",
                "bench",
                args.command,
                *args.names,
                "--only",
                args.only,
                "--here",
            ]
            command += ["--threads", str(threads), "--json", str(path), *(["--quick"] if args.quick else [])]
            done = subprocess.run(command, cwd=ROOT, env=environment.thread_environment(threads), check=False)
            if done.returncode:
                print(f"python -m bench: the process ended with status {done.returncode}", file=sys.stderr)
                sys.exit(2)
            parts.append(records.load(path))
        print(flush=True)
    first = parts[0]
    return Record(
        first.environment,
        {threads: ceiling for part in parts for threads, ceiling in part.ceilings.items()},
        sorted((row for part in parts for row in part.rows), key=lambda row: _place(todo, row)),
        quick=first.quick,
        absent=first.absent,
        left_out=list(dict.fromkeys(text for part in parts for text in part.left_out)),
        wrong=[text for part in parts for text in part.wrong],
    )


def _place(todo: Sequence[Case], row: cases.Row) -> tuple[int, int]:
    return [case.title for case in todo].index(row.title), row.threads


def measure_memory(names: Sequence[str], quick: bool) -> list[memory.Peak]:
    """Peaks of the networks, with all processors."""
    absent = peers.absent()
    sides = [side for side in memory.SIDES if side != "compiled" and side not in absent]
    found = []
    for net in chosen_nets(names)[: 2 if quick else None]:
        found.append(memory.measure(net, environment.processors(), sides))
        print("\n".join(report.memory_table(found[-1:])[2:]), flush=True)
        print("".join(f"  without {side}: {why}\n" for side, why in found[-1].absent.items()), end="")
    return found


def main(argv: Sequence[str] | None = None) -> int:
    args = parser().parse_args(argv)
    if args.command == "report":
        report.RESULTS_FILE.write_text(results_page(), encoding="utf-8")
        print(f"wrote {report.RESULTS_FILE.relative_to(ROOT)}")
        return 0
    try:
        todo = chosen(args.command, args.names, args.quick, args.only)
        if args.quick and args.record:
            raise ValueError("--record keeps whole runs: without --quick")
    except ValueError as e:
        print(f"python -m bench: {e}", file=sys.stderr)
        return 2
    if args.list:
        print("\n".join(f"{case.family}: {case.title}" for case in todo))
        return 0
    if args.verify:
        return verify(todo)
    if args.here:
        environment.keep_to(args.threads[0])
        run_here(args.command, todo, args.threads[0], args.quick).save(args.json)
        return 0
    if todo:
        record = run(args, todo)
    else:
        record = Record(environment.describe(), {}, [], quick=args.quick, absent=peers.absent())
    if args.command in MEASURES_MEMORY and not args.only:
        record.peaks.extend(measure_memory(args.names, args.quick))
    print("\n".join(report.means(record.rows)))
    for check in record.checks:
        print(check.text())
    paths = [args.json] if args.json else []
    paths += [records.RESULTS / record.file_name()] if args.record else []
    for path in paths:
        record.save(path)
        print(f"wrote {path}")
    for text in record.wrong:
        print(f"NOT TIMED: {text}", file=sys.stderr)
    if record.wrong:
        return 2
    if args.check and not record.checks:
        print("--check: none of these cases has a speed to reach", file=sys.stderr)
        return 2
    return 1 if args.check and not all(check.holds for check in record.checks) else 0


def results_page() -> str:
    """What bench/RESULTS.md should hold."""
    return report.markdown(records.load_all(), [case.title for case in CASES["all"]])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the processes started here end too
    sys.exit(main())
