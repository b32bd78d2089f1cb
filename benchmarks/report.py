"""The figures of one run as a markdown page."""

from collections.abc import Iterator, Mapping, Sequence

from benchmarks.doors.report import doors_section
from benchmarks.execution.report import cost_section, counts_section, suite_section
from benchmarks.figures import (
    BareRound,
    Figures,
    FrontendFigures,
    LoadRound,
    Machine,
    PauseFigures,
    ServiceFigures,
    StartFigures,
    SubmitPauseFigures,
    typical,
)
from benchmarks.report_size import (
    backlog_table,
    memory_table,
    mix_table,
    overhead_table,
    scaling_table,
    streams_table,
)
from benchmarks.tables import milliseconds, shares, table


def render(figures: Figures) -> str:
    """All tables of a run, with the ratios between its parts."""
    sections = [_machine(figures.machine), _rates(figures)]
    if figures.services:
        sections += [_latencies(figures.services), _stages(figures.services)]
    sections.append(_processor_time(figures))
    sections += _sizes(figures)
    if figures.pause:
        sections.append(_pause(figures.pause))
    if figures.submit_pauses:
        sections.append(_submit_pauses(figures.submit_pauses))
    if figures.start:
        sections.append(_start(figures.start))
    if figures.frontend:
        sections.append(_frontend(figures.frontend))
    return "\n\n".join(filter(None, [*sections, *_execution(figures)])) + "\n"


def _sizes(figures: Figures) -> Iterator[str]:
    if figures.backlog:
        yield backlog_table(figures.backlog)
    if figures.scaling:
        yield scaling_table(figures.scaling)
    if figures.overhead:
        yield overhead_table(figures.overhead)
    if figures.memory:
        yield memory_table(figures.memory)
    if figures.streams:
        yield streams_table(figures.streams)
    if figures.mix:
        yield mix_table(figures.mix)
    if figures.doors:
        yield doors_section(figures.doors)


def _execution(figures: Figures) -> Iterator[str]:
    if figures.counts:
        yield counts_section(figures.counts)
    if figures.suite:
        yield suite_section(figures.suite)
    if figures.cost:
        yield cost_section(figures.cost)


def _machine(machine: Machine) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    return (
        f"Taken {machine.started_at} on {machine.cores} cores of {machine.processor}, {machine.memory_gib:.0f} GiB, "
        f"load average {machine.load_average:.2f} at the start. {versions}."
    )


def _rates(figures: Figures) -> str:
    bare = typical(figures.bare) if figures.bare else None
    naive = typical(figures.naive) if figures.naive else None
    measured: list[tuple[str, Sequence[BareRound] | Sequence[LoadRound]]] = [
        ("bare Aer loop", figures.bare),
        *((service.mode, service.rounds) for service in figures.services),
        ("naive design", figures.naive),
    ]
    rows = [_rate_row(name, rounds, bare, naive) for name, rounds in measured if rounds]
    heads = ["Bell, 1,024 shots", "tasks/s", "ratio to bare", "ms a task", "overhead a task, ms", "times naive"]
    return table("Sustained load (median round)", [*heads, "others had"], rows) if rows else ""


def _rate_row(
    name: str, rounds: Sequence[BareRound] | Sequence[LoadRound], bare: float | None, naive: float | None
) -> list[str]:
    rate = typical(rounds)
    per_task = 1000 / rate
    compared = [f"{rate / bare:.3f}", f"{per_task:.2f}", f"{per_task - 1000 / bare:.2f}"] if bare else ["", "", ""]
    times = f"{rate / naive:.1f}" if naive else ""
    return [name, f"{rate:.0f}", *compared, times, shares(entry.others for entry in rounds)]


def _latencies(services: Sequence[ServiceFigures]) -> str:
    rows = [
        [service.mode, seen, f"{spread.samples}", *milliseconds(spread)]
        for service in services
        for seen, spread in (("client, waiting", service.latency), ("recorded", service.recorded))
    ]
    return table("Submit to completed on an idle system", ["mode", "seen by", "tasks", "p50", "p99", "max"], rows)


def _stages(services: Sequence[ServiceFigures]) -> str:
    rows = [
        [service.mode, state, stage, *milliseconds(spread)]
        for service in services
        for state, stages in (("idle", service.idle_stages), ("load", service.load_stages))
        for stage, spread in stages.items()
    ]
    return table("Time per stage, ms", ["mode", "system", "stage", "p50", "p99", "max"], rows)


def _processor_time(figures: Figures) -> str:
    named = [(service.mode, service.rounds) for service in figures.services] + [("naive design", figures.naive)]
    rows = [
        [
            name,
            str(number),
            str(entry.tasks),
            str(entry.unfinished),
            f"{entry.tasks_per_second:.0f}",
            f"{entry.others:.0%}",
            _parts(entry),
        ]
        for name, rounds in named
        for number, entry in enumerate(rounds, start=1)
    ]
    heads = ["mode", "round", "tasks", "unfinished", "tasks/s", "others", "processor ms a task"]
    return table("Rounds, and where their processor time went", heads, rows) if rows else ""


def _parts(entry: LoadRound) -> str:
    return ", ".join(f"{name} {spent:.2f}" for name, spent in entry.cpu_ms.items())


def _pause(pause: PauseFigures) -> str:
    rows = [["idle", *milliseconds(pause.idle)], ["simulating", *milliseconds(pause.simulating)]]
    title = (
        f"Pauses of the worker's event loop beside a simulation of {pause.simulating_seconds:.1f} s, ms "
        f"(leases of {pause.lease_seconds:g} s, finished in attempt {pause.attempts}; others had {pause.others:.0%})"
    )
    return table(title, ["worker", "p50", "p99", "longest"], rows)


def _submit_pauses(pauses: Sequence[SubmitPauseFigures]) -> str:
    rows = [
        [pause.mode, state, *milliseconds(spread), f"{pause.others:.0%}"]
        for pause in pauses
        for state, spread in (
            ("idle", pause.idle),
            (f"{pause.submits} programs of {pause.program_bytes:,} bytes", pause.submitting),
        )
    ]
    heads = ["mode", "submitted meanwhile", "p50", "p99", "longest", "others had"]
    return table("Pauses of the event loop that serves the API, ms", heads, rows)


def _start(start: StartFigures) -> str:
    rows = [
        ["API process, to its first answer", *milliseconds(start.answer)],
        ["its libraries imported, nothing else", *milliseconds(start.libraries)],
    ]
    return table(f"Start, ms ({start.answer.samples} times each)", ["process", "p50", "p99", "longest"], rows)


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
    title = f"Text to circuit, ms of processor time, medians (others had {frontend.others:.0%})"
    return table(title, heads, rows) + _openqasm2(frontend)


def _openqasm2(frontend: FrontendFigures) -> str:
    rows = [
        [
            reading.program,
            f"{reading.loads_ms:.3f}",
            f"{reading.reader_ms:.3f}",
            f"{reading.reader_ms / reading.loads_ms:.2f}",
        ]
        for reading in frontend.openqasm2
    ]
    heads = ["program", "qasm2.loads", "Ketline", "ratio"]
    return table("OpenQASM 2 to circuit, ms of processor time, medians", heads, rows)


def summarize(figures: Figures) -> Mapping[str, float]:
    """The ratios to the bare loop, the naive design and the other broker, where the run has both sides of them."""
    on_rabbitmq = next((service.rounds for service in figures.services if service.mode == "distributed"), [])
    others = (("bare", figures.bare), ("naive", figures.naive), ("distributed", on_rabbitmq))
    return {
        f"{service.mode}/{name}": typical(service.rounds) / typical(rounds)
        for name, rounds in others
        if rounds
        for service in figures.services
        if name != "distributed" or service.mode == "redis"
    }
