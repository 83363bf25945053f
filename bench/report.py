"""Tables of a run: on the terminal while it goes, and bench/RESULTS.md from the records."""

from __future__ import annotations

import math
from collections.abc import Sequence

from bench import ROOT
from bench.cases import Row, geometric_mean
from bench.records import Record

RESULTS_FILE = ROOT / "bench" / "RESULTS.md"
PEERS = ("numpy", "torch", "jax")
TITLES = {"kernels": "Kernels", "train": "Training steps and one-row predictions"}


def time_text(seconds: float) -> str:
    """Microseconds with three or four digits."""
    us = seconds * 1e6
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 1000 else f"{us:,.0f}"


def rate_text(row: Row) -> str:
    """Best rate and its fraction of the ceiling."""
    parts = []
    if row.flops:
        parts.append(
            f"{row.flops / row.best['pylearn'] / 1e9:.0f} GFLOP/s ({row.fractions['fma']:.2f} of peak)"
        )
    if "bandwidth" in row.fractions:
        rate = row.nbytes / row.best["pylearn"] / 1e9
        parts.append(f"{rate:.0f} GB/s ({row.fractions['bandwidth']:.2f} of stream)")
    return ", ".join(parts)


def extra_sides(row: Row) -> list[str]:
    """Sides of pylearn itself beside the main one."""
    return [name for name in row.seconds if name not in ("pylearn", *PEERS)]


def peers_of(rows: Sequence[Row]) -> list[str]:
    return [peer for peer in PEERS if any(peer in row.seconds for row in rows)]


def header(peers: Sequence[str]) -> str:
    columns = "".join(f"{peer + ' µs':>14}{'ratio':>8}" for peer in peers)
    return f"{'case':<58}{'threads':>8}{'pylearn µs':>14}{columns}  rate"


def line(row: Row, peers: Sequence[str]) -> str:
    """One row of the terminal's table; ratios above 1 say that pylearn is faster."""
    columns = "".join(
        f"{time_text(row.seconds[peer]):>14}{row.ratio(peer):>8.2f}"
        if peer in row.seconds
        else f"{'–':>14}{'–':>8}"
        for peer in peers
    )
    text = f"{row.name + ' ' + row.label:<58}{row.threads:>8}{time_text(row.seconds['pylearn']):>14}{columns}"
    lines = [f"{text}  {rate_text(row)}".rstrip()]
    for name in extra_sides(row):
        lines.append(f"{'  ' + name:<58}{row.threads:>8}{time_text(row.seconds[name]):>14}")
    return "\n".join(lines)


def means(rows: Sequence[Row]) -> list[str]:
    """Geometric mean and minimum of the ratios, by group of cases, peer and number of threads."""
    found = []
    groups = {"all cases": rows, "matmul": [row for row in rows if row.name == "matmul"]}
    for threads in sorted({row.threads for row in rows}):
        for title, group in groups.items():
            for peer in PEERS:
                ratios = [row.ratio(peer) for row in group if row.threads == threads]
                ratios = [ratio for ratio in ratios if not math.isnan(ratio)]
                if len(ratios) > 1:
                    found.append(
                        f"{title} over {peer}, threads {threads}: geometric mean {geometric_mean(ratios):.2f}, "
                        f"least {min(ratios):.2f} ({len(ratios)} cases)"
                    )
    return found


def about(record: Record) -> list[str]:
    """Where and with what the run was made."""
    env = record.environment
    versions = ", ".join(f"{name} {version}" for name, version in env["versions"].items())
    lines = [
        f"{env['cpu']}, {env['processors']} processors, device {env['device']}, ISA {env['isa']}; {env['when']}, "
        f"commit {env['commit']}",
        f"Python {env['python']}, {versions}; NumPy's BLAS: {env['blas']}",
    ]
    for threads, ceiling in record.ceilings.items():
        streams = ", ".join(
            f"{name.removeprefix('stream_')} {rate / 1e9:.1f}"
            for name, rate in ceiling.items()
            if name.startswith("stream_")
        )
        lines.append(
            f"ceilings, threads {threads}: {ceiling['fma'] / 1e9:.0f} GFLOP/s float32; GB/s {streams}"
        )
    if record.absent:
        lines.append(f"not installed, so not measured: {', '.join(record.absent)}")
    lines += [f"NOT TIMED: {text}" for text in record.wrong]
    if record.quick:
        lines.append("a quick run: too short for conclusions")
    return lines


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown: time and, in brackets, how many times pylearn's it is."""
    peers = peers_of(rows)
    lines = [
        f"| case | threads | pylearn, µs | {' | '.join(f'{peer}, µs' for peer in peers)} | rate |",
        f"|---|---|---|{'---|' * len(peers)}---|",
    ]
    for row in rows:
        cells = [
            f"{time_text(row.seconds[p])} ({row.ratio(p):.2f}×)" if p in row.seconds else "–" for p in peers
        ]
        lines.append(
            f"| {row.name} {row.label} | {row.threads} | {time_text(row.seconds['pylearn'])} | {' | '.join(cells)} | "
            f"{rate_text(row)} |"
        )
        for name in extra_sides(row):
            lines.append(
                f"| – {name} | {row.threads} | {time_text(row.seconds[name])} |{' |' * len(peers)} |"
            )
    return lines


def markdown(records: Sequence[Record]) -> str:
    """RESULTS.md: of each machine the latest run of each kind."""
    latest = {(r.environment["machine"], r.what): r for r in records}  # oldest first, so the last one stays
    lines = [
        "# Results",
        "",
        "Written by `python -m bench report` from the records in `bench/results/`: do not edit. The latest run of each",
        "kind on each machine. Times are medians of alternating rounds after the results were verified; in brackets",
        "the peer's time over pylearn's of the same run, above 1 where pylearn is faster. Compare ratios, not times of",
        "different runs. Rates are those of the best round. On a machine that is shared with others, libraries whose",
        "threads wait by spinning (torch here) can take a thousand times longer when a processor is taken away from",
        "them: such rows say nothing of the kernel. JAX does not always keep to the one thread it is asked for.",
    ]
    if not latest:
        lines += ["", "No records yet."]
    for machine, what in sorted(latest):
        record = latest[machine, what]
        lines += ["", f"## {TITLES[what]}, {machine}", ""]
        lines += [f"- {text}" for text in about(record)]
        lines += ["", *table(record.rows), "", *(f"- {text}" for text in means(record.rows))]
        if record.checks:
            lines += ["", "What must hold:", "", *(f"- {check.text()}" for check in record.checks)]
    return "\n".join(lines) + "\n"
