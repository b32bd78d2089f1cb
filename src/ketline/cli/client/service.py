"""The commands that query or measure a running service: its workers, backends, statistics, and the key's principal."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any

import typer

from ketline.cli.client.device import DeviceOption
from ketline.cli.client.noise import NoiseOption
from ketline.cli.client.sources import Source, read_sources
from ketline.cli.exit_codes import SUCCESS, TASK_FAILED
from ketline.cli.options import AsJson, Given, Programs, Shots, SimulationMethod, Url, client_of, program_options
from ketline.client import Client, Validation
from ketline.domain.access.usage import UsageGroup

BELL = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'

HISTORY_COLUMNS = (
    "minutes",
    "waiting",
    "most_waiting",
    "processing",
    "submitted",
    "completed",
    "failed",
    "cancelled",
    "waiting_seconds",
    "running_seconds",
    "workers",
)


def workers(url: Url = None, as_json: AsJson = False) -> None:
    """List the live workers and the tasks that they run."""
    from ketline.cli.show import show_json, show_rows

    with client_of(url) as client:
        found = client.workers()
    if as_json:
        show_json([worker.data for worker in found])
        return
    rows = [
        (
            worker.worker_id,
            str(worker.slots),
            worker.version,
            ", ".join(map(str, worker.task_ids)),
            ", ".join(worker.queues or ()),
            str(worker.conversion_slots),
            "drained" if "drained_at" in worker.data else "draining" if "draining_since" in worker.data else "",
        )
        for worker in found
    ]
    show_rows(("worker", "slots", "version", "runs", "queues", "conversion slots", "state"), rows)


def whoami(url: Url = None, as_json: AsJson = False) -> None:
    """Show the project, the role and the owner of the key in KETLINE_API_KEY, and when it ends."""
    from ketline.cli.show import show_json, show_rows

    with client_of(url) as client:
        found = client.whoami()
    if as_json:
        show_json(found.data)
    else:
        show_rows(("property", "value"), [(name, str(value)) for name, value in found.data.items()])


def stats(url: Url = None, as_json: AsJson = False) -> None:
    """Show the number of tasks of each status and queue, and how many end per minute."""
    from ketline.cli.show import show_json, show_rows

    with client_of(url) as client:
        found = client.statistics()
    if as_json:
        show_json(found.data)
        return
    rows = [(str(status), str(count)) for status, count in found.counts.items()]
    rows += [
        (f"{kind} per minute, last {rate['minutes']} min", f"{rate[f'{kind}_per_minute']:.1f}")
        for rate in found.data.get("rates", ())
        for kind in ("completed", "failed")
    ]
    rows += [
        (f"{state} in queue {name}", str(counts[state]))
        for name, counts in found.queues.items()
        for state in ("waiting", "processing")
    ]
    rows += [(f"claims of {pause['queue']} paused since", pause["since"]) for pause in found.data.get("pauses", ())]
    show_rows(("tasks", "number"), rows)


def usage(
    first_day: Annotated[str | None, typer.Option("--from", help="First day in UTC; default: 29 days before.")] = None,
    last_day: Annotated[str | None, typer.Option("--to", help="Last day in UTC; default: today.")] = None,
    by: Annotated[list[UsageGroup] | None, typer.Option(help="May be repeated; default: day.")] = None,
    project: Annotated[str | None, typer.Option(help="For administrators: another project, or '*' for all.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show what the tasks of the project took, by day or owner."""
    from ketline.cli.show import show_json, show_rows

    first, last = _day(first_day), _day(last_day)
    with client_of(url) as client:
        found = client.usage(first, last, by or [UsageGroup.DAY], project)
    if as_json:
        show_json(found)
        return
    columns = ("project", "day", "owner", *found["total"])
    show_rows(columns, [[str(row.get(name, "")) for name in columns] for row in found["rows"]])


def history(
    hours: Annotated[float, typer.Option(min=1 / 60, max=24 * 366, help="How far back.")] = 24.0,
    step: Annotated[int | None, typer.Option(min=1, max=1440, help="Minutes of a line; default: as fits.")] = None,
    queue: Annotated[str | None, typer.Option(help="One queue only, such as simulate.")] = None,
    project: Annotated[str | None, typer.Option(help="For administrators: another project, or '*' for all.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show how many tasks waited, ran and ended in the last hours, a line for each period that was recorded."""
    from ketline.cli.show import show_json, show_rows

    end = datetime.now(UTC)
    length = None if step is None else timedelta(minutes=step)
    with client_of(url) as client:
        found = client.history(end - timedelta(hours=hours), end, length, queue=queue, project=project)
    if as_json:
        show_json(found)
        return
    rows = [[point["at"][:16].replace("T", " "), *_figures(point)] for point in found["points"]]
    show_rows(("from, UTC", *HISTORY_COLUMNS), rows)


def _figures(point: Mapping[str, Any]) -> Sequence[str]:
    values = (point.get(name) for name in HISTORY_COLUMNS)
    return ["" if value is None else str(round(value, 3)) for value in values]


def _day(text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-11-30.") from error


def backends(url: Url = None, as_json: AsJson = False) -> None:
    """List what programs run on: the service's own simulators, and the external backends for --backend."""
    from ketline.cli.show import show_json, show_rows

    with client_of(url) as client:
        found = client.backends()
    if as_json:
        show_json(found)
        return
    show_rows(("backend", "where", "status", "qubits", "shots", "description"), map(_backend_row, found))


def _backend_row(backend: Mapping[str, Any]) -> Sequence[str]:
    is_own = "queue" not in backend
    limits = backend["limits"] if is_own else {**backend, "max_qubits": backend.get("num_qubits")}
    status = "online" if backend.get("online", is_own) else f"offline: {backend.get('offline_reason', '')}"
    return (
        backend["name"],
        "own" if is_own else "external",
        status,
        *(str(limits.get(name) or "") for name in ("max_qubits", "max_shots")),
        backend["description"],
    )


def validate(
    programs: Programs,
    shots: Shots = None,
    method: SimulationMethod = None,
    given: Given = None,
    noise: NoiseOption = None,
    device: DeviceOption = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show errors in programs, or how they would be run, without running them; exit 1 if one is not valid."""
    from ketline.cli.show import show_json

    options = program_options(shots=shots, method=method, given=given, noise=noise, device=device)
    sources = read_sources(programs)
    with client_of(url) as client:
        found = [(source, client.validate(source.text, **options)) for source in sources]
    if as_json:
        show_json([{"file": source.name, **validation.data} for source, validation in found])
    else:
        for source, validation in found:
            _show_validation(source, validation)
    raise typer.Exit(SUCCESS if all(validation.valid for _, validation in found) else TASK_FAILED)


def bench(
    program: Annotated[str | None, typer.Argument(help="An OpenQASM 3 file; default: a Bell pair.")] = None,
    tasks: Annotated[int, typer.Option(min=1, max=100_000, help="Tasks to submit at once.")] = 200,
    alone: Annotated[int, typer.Option(min=1, max=10_000, help="Tasks to run one after the other.")] = 20,
    shots: Shots = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Measure how many tasks per second a service runs, and how long one takes from submission to result."""
    from ketline.cli.show import show_json, show_rows

    text = BELL if program is None else read_sources([program])[0].text
    with client_of(url) as client:
        figures = _measure(client, text, tasks, alone, shots)
    if as_json:
        show_json(figures)
    else:
        show_rows(("measured", "figure"), [(name.replace("_", " "), f"{figure:g}") for name, figure in figures.items()])


def _measure(client: Client, program: str, tasks: int, alone: int, shots: int | None) -> dict[str, float]:
    # This run is not measured, because the first task also starts processes.
    client.run(program, shots=shots)
    seconds = sorted(_timed(client, program, shots) for _ in range(alone))
    began = time.perf_counter()
    handles = client.submit_batch([program] * tasks, shots=shots, tags=["bench"])
    submitted = time.perf_counter() - began
    for handle in client.as_completed(handles):
        handle.result()
    elapsed = time.perf_counter() - began
    return {
        "tasks": tasks,
        "tasks_per_second": round(tasks / elapsed, 1),
        "submitted_per_second": round(tasks / submitted, 1),
        "milliseconds_alone_p50": round(1000 * _quantile(seconds, 0.5), 2),
        "milliseconds_alone_p95": round(1000 * _quantile(seconds, 0.95), 2),
    }


def _timed(client: Client, program: str, shots: int | None) -> float:
    began = time.perf_counter()
    client.run(program, shots=shots)
    return time.perf_counter() - began


def _quantile(ordered: Sequence[float], fraction: float) -> float:
    return ordered[min(len(ordered) - 1, int(fraction * len(ordered)))]


def _show_validation(source: Source, validation: Validation) -> None:
    from ketline.cli.show import error_console, output_console, show_failure

    for diagnostic in validation.diagnostics:
        show_failure(error_console(), diagnostic, name=source.name, program=source.text)
    if validation.valid:
        facts = [f"{validation.qubits} qubits", f"depth {validation.depth}", validation.method or ""]
        if validation.estimated_seconds is not None:
            facts.append(f"about {validation.estimated_seconds:.2g} s")
        output_console().print(f"{source.name}: valid: {', '.join(facts)}", soft_wrap=True, markup=False)
