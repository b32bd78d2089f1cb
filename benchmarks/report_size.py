"""Tables about what is large: what is stored and waits, many workers, long programs, memory, event streams, a mix."""

from collections.abc import Iterator, Sequence
from statistics import median

from benchmarks.figures import (
    READER,
    BacklogFigures,
    LoadRound,
    MemoryFigures,
    MixFigures,
    OverheadFigures,
    ScalingFigures,
    StreamsFigures,
    StreamTotals,
    WorkRound,
    typical,
)
from benchmarks.tables import shares, table


def backlog_table(backlog: Sequence[BacklogFigures]) -> str:
    """The rates with few and with many tasks stored and waiting."""
    rows = [row for figures in backlog for row in _backlog_rows(figures)]
    heads = ["mode", "measured", "tasks in the database", "tasks/s", "ratio", "processor ms a task", "others had"]
    return table("Tasks stored and waiting (median round)", heads, rows)


def _backlog_rows(figures: BacklogFigures) -> Iterator[list[str]]:
    for there, loads, ratio in (
        ("none at first", figures.empty, None),
        (f"{figures.stored:,} that ended", figures.full, figures.stored_ratio),
    ):
        spent = median(entry.all_cpu_ms for entry in loads)
        yield [figures.mode, "load", there, *_rate_cells(loads, ratio, spent)]
    for there, works, ratio in (
        ("few waiting", figures.few, None),
        (f"{figures.waiting:,} waiting", figures.many, figures.waiting_ratio),
    ):
        if works:
            spent = median(entry.cpu_ms for entry in works)
            yield [figures.mode, "work on what waits", there, *_rate_cells(works, ratio, spent)]


def _rate_cells(rounds: Sequence[LoadRound] | Sequence[WorkRound], ratio: float | None, spent: float) -> list[str]:
    compared = "" if ratio is None else f"{ratio:.2f}"
    return [f"{typical(rounds):.0f}", compared, f"{spent:.2f}", shares(entry.others for entry in rounds)]


def scaling_table(scaling: ScalingFigures) -> str:
    """The rates of more and more workers."""
    rows = [
        [
            str(entry.workers),
            str(entry.tasks),
            f"{entry.tasks_per_second:.2f}",
            f"{scaling.times(entry):.2f}",
            f"{entry.others:.0%}",
        ]
        for entry in scaling.rounds
    ]
    title = f"Workers of {scaling.slots} slots on tasks that only wait for {scaling.task_seconds:g} s"
    return table(title, ["workers", "tasks", "tasks/s", "times one worker", "others had"], rows)


def overhead_table(overhead: Sequence[OverheadFigures]) -> str:
    """What the service added to long programs, round by round."""
    rows = [row for figures in overhead for row in _overhead_rows(figures)]
    heads = ["mode", "round", "Aer alone, s", "simulator, s", "recorded, s", "client, s", "over simulator", "over Aer"]
    return table("A long program, alone and through the service", [*heads, "others had"], rows)


def _overhead_rows(figures: OverheadFigures) -> Iterator[list[str]]:
    for number, entry in enumerate(figures.rounds, start=1):
        seconds = (entry.bare, entry.simulator, entry.recorded, entry.client)
        added = (entry.over_simulator, entry.over_bare)
        yield [figures.mode, str(number), *(f"{value:.3f}" for value in seconds), *map(_percent, added), ""]
    medians = [
        median(entry.over_simulator for entry in figures.rounds),
        median(entry.over_bare for entry in figures.rounds),
    ]
    yield [figures.mode, "median", "", "", "", "", *map(_percent, medians), f"{figures.others:.0%}"]


def _percent(value: float) -> str:
    return f"{value:.2%}"


def memory_table(memory: Sequence[MemoryFigures]) -> str:
    """The memory of each kind of process; of several alike, the largest."""
    rows = [
        [row.mode, row.process, str(row.count), str(row.tasks), f"{row.peak_mb:.0f}", f"{row.resident_mb:.0f}"]
        for row in memory
    ]
    heads = ["mode", "process", "number", "tasks run", "peak", "after the load"]
    return table("Resident memory after a round of load, 10^6 bytes", heads, rows)


def streams_table(streams: Sequence[StreamsFigures]) -> str:
    """The rates without and with many event streams; the processor time of the process that reads them is apart."""
    rows = [row for figures in streams for row in _streams_rows(figures)]
    heads = ["mode", "streams", "tasks/s", "ratio", "processor ms a task", "of its reader", "events of a stream"]
    return table("Followed by many event streams of all tasks (median round)", [*heads, "others had"], rows)


def _streams_rows(figures: StreamsFigures) -> Iterator[list[str]]:
    for streams, rounds, ratio, events in (
        (0, figures.without, "", ""),
        (figures.streams, figures.followed, f"{figures.ratio:.2f}", ", ".join(map(_events, figures.totals))),
    ):
        read = [entry.cpu_ms.get(READER, 0.0) for entry in rounds]
        served = median(entry.all_cpu_ms - spent for entry, spent in zip(rounds, read, strict=True))
        cells = [f"{typical(rounds):.0f}", ratio, f"{served:.2f}", f"{median(read):.2f}" if streams else "", events]
        yield [figures.mode, str(streams), *cells, shares(entry.others for entry in rounds)]


def mix_table(mix: Sequence[MixFigures]) -> str:
    """The rate of each workload, of Aer alone and of the service."""
    rows = [
        [
            figures.mode,
            figures.workload,
            f"{typical(figures.bare):.0f}",
            f"{typical(figures.loads):.0f}",
            f"{figures.ratio:.2f}",
            f"{median(entry.cpu_ms for entry in figures.bare):.2f}",
            f"{median(entry.all_cpu_ms for entry in figures.loads):.2f}",
            f"{figures.cpu_ratio:.2f}",
            ", ".join(
                f"{name} {median(entry.cpu_ms[name] for entry in figures.loads):.2f}"
                for name in figures.loads[0].cpu_ms
            ),
            shares(entry.others for entry in figures.loads),
        ]
        for figures in mix
    ]
    heads = [
        "mode",
        "programs",
        "Aer alone, tasks/s",
        "service",
        "ratio",
        "processor ms a task, Aer alone",
        "service",
        "ratio",
        "of it",
        "others had",
    ]
    return table("Longer programs, and a mix (median rounds)", heads, rows)


def _events(totals: StreamTotals) -> str:
    return f"{totals.events:,}"
