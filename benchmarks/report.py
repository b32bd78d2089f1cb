"""The figures of one run as a markdown page."""

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.figures import (
    BareRound,
    Figures,
    FrontendFigures,
    LoadRound,
    Machine,
    PauseFigures,
    ServiceFigures,
    Spread,
    StartFigures,
    typical,
)


def render(figures: Figures) -> str:
    """All tables of a run, with the ratios between its parts."""
    sections = [_machine(figures.machine), _rates(figures)]
    if figures.services:
        sections += [_latencies(figures.services), _stages(figures.services), _processor_time(figures.services)]
    if figures.pause:
        sections.append(_pause(figures.pause))
    if figures.start:
        sections.append(_start(figures.start))
    if figures.frontend:
        sections.append(_frontend(figures.frontend))
    return "\n\n".join(filter(None, sections)) + "\n"


def _machine(machine: Machine) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"Taken {machine.started_at} on {machine.cores} cores of {machine.processor}, {machine.memory_gib:.0f} GiB, "
        f"load average {machine.load_average:.2f} at the start. {versions}."
    )


def _rates(figures: Figures) -> str:
    bare = typical(figures.bare) if figures.bare else None
    rows = [_rate_row("bare Aer loop", figures.bare, bare)] if bare else []
    rows += [_rate_row(service.mode, service.rounds, bare) for service in figures.services]
    heads = ["Bell, 1,024 shots", "tasks/s", "ratio to bare", "ms a task", "overhead a task, ms", "others had"]
    return _table("Sustained load (median round)", heads, rows) if rows else ""


def _rate_row(name: str, rounds: Sequence[BareRound] | Sequence[LoadRound], bare: float | None) -> list[str]:
    rate = typical(rounds)
    per_task = 1000 / rate
    compared = [f"{rate / bare:.3f}", f"{per_task:.2f}", f"{per_task - 1000 / bare:.2f}"] if bare else ["", "", ""]
    return [name, f"{rate:.0f}", *compared, ", ".join(f"{entry.others:.0%}" for entry in rounds)]


def _latencies(services: Sequence[ServiceFigures]) -> str:
    rows = [
        [service.mode, seen, f"{spread.samples}", *_milliseconds(spread)]
        for service in services
        for seen, spread in (("client, waiting", service.latency), ("recorded", service.recorded))
    ]
    return _table("Submit to completed on an idle system", ["mode", "seen by", "tasks", "p50", "p99", "max"], rows)


def _stages(services: Sequence[ServiceFigures]) -> str:
    rows = [
        [service.mode, state, stage, *_milliseconds(spread)]
        for service in services
        for state, stages in (("idle", service.idle_stages), ("load", service.load_stages))
        for stage, spread in stages.items()
    ]
    return _table("Time per stage, ms", ["mode", "system", "stage", "p50", "p99", "max"], rows)


def _processor_time(services: Sequence[ServiceFigures]) -> str:
    rows = [
        [
            service.mode,
            str(number),
            str(entry.tasks),
            str(entry.unfinished),
            f"{entry.tasks_per_second:.0f}",
            f"{entry.others:.0%}",
            _parts(entry),
        ]
        for service in services
        for number, entry in enumerate(service.rounds, start=1)
    ]
    heads = ["mode", "round", "tasks", "unfinished", "tasks/s", "others", "processor ms a task"]
    return _table("Rounds, and where their processor time went", heads, rows)


def _parts(entry: LoadRound) -> str:
    return ", ".join(f"{name} {spent:.2f}" for name, spent in entry.cpu_ms.items())


def _pause(pause: PauseFigures) -> str:
    rows = [["idle", *_milliseconds(pause.idle)], ["simulating", *_milliseconds(pause.simulating)]]
    title = (
        f"Pauses of the worker's event loop beside a simulation of {pause.simulating_seconds:.1f} s, ms "
        f"(leases of {pause.lease_seconds:g} s, finished in attempt {pause.attempts}; others had {pause.others:.0%})"
    )
    return _table(title, ["worker", "p50", "p99", "longest"], rows)


def _start(start: StartFigures) -> str:
    rows = [
        ["API process, to its first answer", *_milliseconds(start.answer)],
        ["its libraries imported, nothing else", *_milliseconds(start.libraries)],
    ]
    return _table(f"Start, ms ({start.answer.samples} times each)", ["process", "p50", "p99", "longest"], rows)


def _frontend(frontend: FrontendFigures) -> str:
    rows = [
        [
            reading.program,
            f"{reading.loads_ms:.3f}",
            f"{reading.scanner_ms:.4f}",
            f"{reading.loads_ms / reading.scanner_ms:.0f}",
            f"{reading.first_ms:.4f}",
            f"{reading.loads_ms / reading.first_ms:.0f}",
        ]
        for reading in frontend.readings
    ]
    heads = ["program", "qasm3.loads", "scanner", "ratio", "scanner, nothing remembered", "ratio"]
    return _table(f"Text to circuit, ms of processor time, medians (others had {frontend.others:.0%})", heads, rows)


def _milliseconds(spread: Spread) -> list[str]:
    return [f"{value:.2f}" for value in (spread.p50_ms, spread.p99_ms, spread.max_ms)]


def _table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return f"### {title}\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def summarize(figures: Figures) -> Mapping[str, float]:
    """The ratios to the bare loop; empty without one."""
    if not figures.bare:
        return {}
    bare = typical(figures.bare)
    return {f"{service.mode}/bare": typical(service.rounds) / bare for service in figures.services}
