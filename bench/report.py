"""Tables of a run: on the terminal while it goes, and bench/RESULTS.md from the records."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from bench import ROOT, peers
from bench.cases import Row, geometric_mean
from bench.checks import checks
from bench.memory import SIDES, Peak
from bench.records import Record

RESULTS_FILE = ROOT / "bench" / "RESULTS.md"
TITLES = {
    "gemm": "Matrix products",
    "conv": "Convolution",
    "rnn": "LSTM",
    "attention": "Attention",
    "norm": "Normalisation",
    "loss": "Softmax cross-entropy",
    "optim": "Optimizers",
    "elementwise": "Elementwise, sums, small calls",
    "pool": "Pooling",
    "embedding": "Embedding",
    "step": "Training steps",
    "small": "One-row predictions",
}
MISSED = 1.5  # times its limit, beyond which a step's profile is shown
KEY = """\
Written by `python -m bench report` from the records in `bench/results/`: do not edit. Of each case on each machine the
latest figure.

How to read it. Every side computes the same thing on the same data and is compared with a float64 computation before
it is timed; then all sides of a case are timed in one process, in turns. A time is the median over the turns, in µs;
**(2.00×)** beside a peer's time says that pylearn takes half of it, below 1 pylearn is slower. Compare ratios, not
times of different cases' runs. *Best peer* is the fastest of them. *Ceiling* is how much of the machine's measured
limit the best turn of pylearn reaches: multiply-adds for products, memory bandwidth for what streams more than 32 MB.
*Cold* is a first call after 64 MB of other data were read: pylearn's time, and the best peer's over it. A row marked ~
was disturbed (a median above twice the best turn: on a shared machine, threads that wait by spinning can take a
thousand times longer when a processor is taken away) and counts in no mean.

NumPy is NumPy as installed; *best core* is NumPy in a process whose OpenBLAS was told to use its fastest kernels for
this processor. oneDNN is called directly for products; torch's convolution and LSTM are oneDNN's.""".splitlines()


def time_text(seconds: float) -> str:
    """Microseconds with three or four digits."""
    us = seconds * 1e6
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 1000 else f"{us:,.0f}"


def rate_text(row: Row) -> str:
    """Best rate, and the fraction of the ceiling that binds."""
    if not row.fractions:
        return ""
    ceiling = max(row.fractions, key=row.fractions.__getitem__)
    unit, amount = ("GB/s", row.nbytes) if ceiling == "bandwidth" else ("GFLOP/s", row.flops)
    best = row.best["pylearn"]
    return f"{amount / best / 1e9:.0f} {unit}, {row.fractions[ceiling]:.2f} of {ceiling}"


def beside(row: Row, peer: str, cold: bool = False) -> str:
    return f"{time_text((row.cold if cold else row.seconds)[peer])} ({row.ratio(peer, cold):.2f}×)"


def extra_sides(row: Row) -> list[str]:
    """Sides of pylearn itself beside the main one."""
    return [name for name in row.seconds if name.startswith("pylearn ")]


def peers_of(rows: Sequence[Row]) -> list[str]:
    return [peer for peer in peers.ALL if any(peer in row.seconds for row in rows)]


# -- the terminal ----------------------------------------------------------------------------------


def header(sides: Sequence[str]) -> str:
    return (
        f"{'case':<52}{'threads':>8}{'pylearn µs':>13}"
        + "".join(f"{side:>20}" for side in sides)
        + "  ceiling"
    )


def line(row: Row, sides: Sequence[str]) -> str:
    """One row of the terminal's table; ratios above 1 say that pylearn is faster."""
    columns = "".join(f"{beside(row, side) if side in row.seconds else '–':>20}" for side in sides)
    mark = "~" if row.disturbed else ""
    text = f"{row.title + mark:<52}{row.threads:>8}{time_text(row.seconds['pylearn']):>13}{columns}  {rate_text(row)}"
    lines = [text.rstrip()]
    if row.cold:
        colds = "".join(f"{beside(row, side, True) if side in row.cold else '–':>20}" for side in sides)
        lines.append(f"{'  cold':<60}{time_text(row.cold['pylearn']):>13}{colds}")
    lines += [f"{'  ' + name:<60}{time_text(row.seconds[name]):>13}" for name in extra_sides(row)]
    lines += [f"  without {name}: {why}" for name, why in row.absent.items()]
    return "\n".join(lines)


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
        bf16 = f", {ceiling['bf16'] / 1e9:.0f} bfloat16" if "bf16" in ceiling else ""
        lines.append(
            f"ceilings, threads {threads}: {ceiling['fma'] / 1e9:.0f} GFLOP/s float32{bf16}; GB/s {streams}"
        )
    lines += [f"not measured: {peers.TITLES[name]}, {why}" for name, why in record.absent.items()]
    lines += [f"left out: {text}" for text in record.left_out]
    lines += [f"NOT TIMED: {text}" for text in record.wrong]
    if record.quick:
        lines.append("a quick run: too short for conclusions")
    return lines


# -- means -----------------------------------------------------------------------------------------


def mean_text(rows: Sequence[Row], peer: str) -> str:
    ratios = [row.ratio(peer) for row in rows if peer in row.seconds and not row.disturbed]
    return f"{geometric_mean(ratios):.2f}×" if ratios else "–"


def means(rows: Sequence[Row]) -> list[str]:
    """Markdown: of each family the geometric mean over each peer, and the worst cell beside the best peer."""
    sides = peers_of(rows)
    if not sides:
        return []
    lines = [
        f"| family | threads | cases | {' | '.join(peers.TITLES[side] for side in sides)} | best peer | worst cell |",
        f"|---|---|---|{'---|' * len(sides)}---|---|",
    ]
    for family, title in TITLES.items():
        for threads in sorted({row.threads for row in rows}):
            group = [row for row in rows if row.family == family and row.threads == threads]
            compared = [row for row in group if row.best_peer()[0] and not row.disturbed]
            if not compared:
                continue
            worst = min(compared, key=lambda row: row.best_peer()[1])
            overall = geometric_mean([row.best_peer()[1] for row in compared])
            cells = " | ".join(mean_text(group, side) for side in sides)
            peer, ratio = worst.best_peer()
            lines.append(
                f"| {title} | {threads} | {len(group)} | {cells} | {overall:.2f}× | {ratio:.2f}× {peers.TITLES[peer]}: "
                f"{worst.title} |"
            )
    return lines


# -- RESULTS.md ------------------------------------------------------------------------------------


def table(rows: Sequence[Row]) -> list[str]:
    """Markdown: time and, in brackets, how many times pylearn's it is."""
    sides, cold = peers_of(rows), any(row.cold for row in rows)
    titles = ["case", "threads", "pylearn", *(peers.TITLES[side] for side in sides), "best peer", "ceiling"]
    titles += ["cold (best peer)"] if cold else []
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for row in rows:
        cells = [beside(row, side) if side in row.seconds else "–" for side in sides]
        ratio = row.best_peer()[1]
        cells = [
            row.title + ("~" if row.disturbed else ""), str(row.threads), time_text(row.seconds["pylearn"]), *cells,
            "–" if math.isnan(ratio) else f"{ratio:.2f}×", rate_text(row),
        ]  # fmt: skip
        if cold:
            known = row.cold and not math.isnan(row.best_peer(True)[1])
            ratio_text = f" ({row.best_peer(True)[1]:.2f}×)" if known else ""
            cells.append(f"{time_text(row.cold['pylearn'])}{ratio_text}" if row.cold else "")
        lines.append(f"| {' | '.join(cells)} |")
        for name in extra_sides(row):
            more = ["–", str(row.threads), time_text(row.seconds[name]), *[""] * (len(titles) - 3)]
            lines.append(f"| {name} | {' | '.join(more[1:])} |")
    return lines


def limits(rows: Sequence[Row]) -> list[str]:
    """Each step beside its multiply-adds at the measured peak, and where the time of those far from it goes."""
    limited = [row for row in rows if row.flops]
    if not limited:
        return []
    lines = [
        "", "The limit of a step is its multiply-adds at the measured peak (no memory traffic, no updates).", "",
        "| step | threads | pylearn | limit | times the limit |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in limited:
        found = row.seconds["pylearn"]
        lines.append(
            f"| {row.label} | {row.threads} | {time_text(found)} | {time_text(row.limit)} | {found / row.limit:.2f} |"
        )
    missed = [row for row in limited if row.profile and row.seconds["pylearn"] > MISSED * row.limit]
    if missed:
        lines += [
            "", f"Where the time goes in steps above {MISSED:g} times their limit: shares of the launches of the "
            "recorded step, timed one by one; *outside* is the rest of `fit`.", "",
            "| step | threads | launches | kernels |", "|---|---|---|---|",
        ]  # fmt: skip
        lines += [f"| {row.label} | {row.threads} | {len(row.profile)} | {shares(row)} |" for row in missed]
    return lines


def shares(row: Row, at_most: int = 8) -> str:
    """The kernels of a profile, largest first, with their part of the step's time."""
    total: dict[str, float] = defaultdict(float)
    for name, seconds in row.profile:
        total[name] += seconds
    inside, whole = sum(total.values()), row.seconds["pylearn"]
    parts = sorted(total.items(), key=lambda part: -part[1])
    texts = [f"{name} {seconds / max(inside, whole):.0%}" for name, seconds in parts[:at_most]]
    rest = sum(seconds for _, seconds in parts[at_most:])
    texts += (
        [f"{len(parts) - at_most} others {rest / max(inside, whole):.0%}"] if len(parts) > at_most else []
    )
    if whole > inside:
        texts.append(f"outside {1 - inside / whole:.0%}")
    return ", ".join(texts)


def memory_table(peaks: Sequence[Peak]) -> list[str]:
    sides = [side for side in SIDES if any(side in peak.over_imports for peak in peaks)]
    titles = ["step", *(peers.TITLES.get(side, side) for side in sides)]
    lines = [f"| {' | '.join(titles)} |", f"|{'---|' * len(titles)}"]
    for peak in peaks:
        cells = []
        for side in sides:
            if side not in peak.over_imports:
                cells.append("–")
                continue
            levels = [peak.over_small_step[side], peak.over_imports[side]]
            text = " / ".join(f"{level / 2**20:,.1f}" for level in levels)
            both = not side.startswith("pylearn") and "pylearn" in peak.over_imports
            cells.append(f"{text} ({peak.ratio(side):.2f}×)" if both else text)
        lines.append(f"| {peak.name} | {' | '.join(cells)} |")
    return lines


def latest(records: Iterable[Record], what: str) -> list[Any]:
    """Of each row (or peak) the one of the newest record that has it, in the order of the cases."""
    found: dict[Any, Any] = {}
    for record in records:  # oldest first, so the last one stays
        for item in getattr(record, what):
            found[
                (getattr(item, "family", ""), getattr(item, "title", item.__dict__.get("name")), item.threads)
            ] = item
    return list(found.values())


def markdown(records: Sequence[Record], order: Sequence[str] = ()) -> str:
    """RESULTS.md. ``order`` are the titles of the cases that there are: a row of another is left out."""
    lines = ["# Results", "", *KEY]
    if not records:
        lines += ["", "No records yet."]
    for machine in sorted({record.environment["machine"] for record in records}):
        mine = [record for record in records if record.environment["machine"] == machine]
        rows, peaks = latest(mine, "rows"), latest(mine, "peaks")
        if order:
            place = {title: i for i, title in enumerate(order)}
            rows = sorted((r for r in rows if r.title in place), key=lambda r: (place[r.title], r.threads))
        used = [r for r in mine if any(x in rows for x in r.rows) or any(x in peaks for x in r.peaks)]
        lines += [
            "",
            f"## {machine}",
            "",
            "Geometric means of the peers' times over pylearn's, by family:",
            "",
            *means(rows),
        ]
        for record in used:
            lines += ["", f"Run of {len(record.rows) or len(record.peaks)} rows:", ""]
            lines += [f"- {text}" for text in about(record)]
        for family, title in TITLES.items():
            group = [row for row in rows if row.family == family]
            if group:
                lines += ["", f"### {title}, {machine}", "", *table(group)]
                lines += limits(group) if family == "step" else []
        if peaks:
            lines += [
                "", f"### Peak memory of training, {machine}", "",
                "MiB that a fresh process reaches in a few steps, over what it held after one of the smallest network",
                "(in brackets a peer's over pylearn's), and / over that after its imports; pylearn is `fit`.", "",
                *memory_table(peaks),
            ]  # fmt: skip
        if demands := checks(rows, peaks):
            lines += ["", f"### What must hold, {machine}", "", *(f"- {check.text()}" for check in demands)]
    return "\n".join(lines) + "\n"
