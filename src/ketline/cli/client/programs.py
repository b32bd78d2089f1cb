"""The commands that submit programs and wait for their tasks: `run`, `submit` and `wait`."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from uuid import UUID

import typer

from ketline.cli.client.device import DeviceOption
from ketline.cli.client.noise import NoiseOption
from ketline.cli.client.observables import MitigationOption, ObservableOption, PrecisionOption
from ketline.cli.client.sources import STDIN, Source, read_sources
from ketline.cli.exit_codes import SUCCESS, TASK_FAILED, USAGE_ERROR, fail, require_server_libraries
from ketline.cli.options import (
    AsJson,
    Backend,
    Callback,
    Given,
    Hold,
    Memory,
    Name,
    Outputs,
    OwnUrl,
    Priority,
    Programs,
    Seed,
    Shots,
    SimulationMethod,
    Tags,
    TaskIds,
    TimeLimit,
    Timeout,
    Url,
    client_of,
    program_options,
    read_id,
)
from ketline.cli.server.commands import configured, run_loop
from ketline.client import BatchIncomplete, Client, Task, TaskHandle
from ketline.client.programs import Options
from ketline.domain.limits import MAX_NAME_CHARACTERS

Key = Annotated[
    str | None,
    typer.Option("--key", help="Idempotency key: sending the same key and programs again gives the same tasks."),
]


def submit(
    programs: Programs,
    shots: Shots = None,
    seed: Seed = None,
    method: SimulationMethod = None,
    given: Given = None,
    name: Name = None,
    tags: Tags = None,
    memory: Memory = False,
    outputs: Outputs = None,
    time_limit: TimeLimit = None,
    priority: Priority = None,
    backend: Backend = None,
    noise: NoiseOption = None,
    device: DeviceOption = None,
    observables: ObservableOption = None,
    precision: PrecisionOption = None,
    mitigation: MitigationOption = None,
    callback: Callback = None,
    hold: Hold = False,
    key: Key = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Submit programs and print their task ids, one per line, without waiting for results."""
    from ketline.cli.show import show_json

    options = program_options(
        shots=shots,
        seed=seed,
        method=method,
        given=given,
        name=name,
        tags=tags,
        memory=memory,
        outputs=outputs,
        time_limit=time_limit,
        priority=priority,
        backend=backend,
        noise=noise,
        device=device,
        observables=observables,
        precision=precision,
        mitigation=mitigation,
        callback=callback,
        hold=hold,
    )
    sources = read_sources(programs)
    with client_of(url) as client:
        try:
            handles = _submit(client, sources, options, key)
        except BatchIncomplete as error:
            print(*(handle.task_id for handle in error.tasks), sep="\n")
            raise
    if as_json:
        show_json(
            [
                {"file": source.name, "task_id": str(handle.task_id)}
                for source, handle in zip(sources, handles, strict=True)
            ]
        )
    else:
        print(*(handle.task_id for handle in handles), sep="\n")


def run(
    programs: Programs,
    shots: Shots = None,
    seed: Seed = None,
    method: SimulationMethod = None,
    given: Given = None,
    name: Name = None,
    tags: Tags = None,
    memory: Memory = False,
    outputs: Outputs = None,
    time_limit: TimeLimit = None,
    priority: Priority = None,
    backend: Backend = None,
    noise: NoiseOption = None,
    device: DeviceOption = None,
    observables: ObservableOption = None,
    precision: PrecisionOption = None,
    mitigation: MitigationOption = None,
    callback: Callback = None,
    url: OwnUrl = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Run programs and print their counts or values: a table for one program, a line for each of several."""
    options = program_options(
        shots=shots,
        seed=seed,
        method=method,
        given=given,
        name=name,
        tags=tags,
        memory=memory,
        outputs=outputs,
        time_limit=time_limit,
        priority=priority,
        backend=backend,
        noise=noise,
        device=device,
        observables=observables,
        precision=precision,
        mitigation=mitigation,
        callback=callback,
    )
    sources = read_sources(programs)

    def use(client: Client) -> int:
        return _run(client, sources, options, as_json=as_json, timeout_seconds=timeout)

    if url:
        with client_of(url) as client:
            raise typer.Exit(use(client))
    with require_server_libraries("ketline run without --url or KETLINE_URL"):
        from ketline.cli.client.ephemeral_server import with_ephemeral_server

    raise typer.Exit(run_loop(with_ephemeral_server(configured(embedded=True, log_level="error"), len(sources), use)))


def wait(tasks: TaskIds, timeout: Timeout = None, url: Url = None, as_json: AsJson = False) -> None:
    """Wait until tasks have ended and print their outcomes; exit 1 if one did not complete."""
    ids = list(dict.fromkeys(map(read_id, tasks)))
    with client_of(url) as client:
        handles = [client.task(task_id) for task_id in ids]
        names = {task_id: str(task_id) for task_id in ids}
        _wait_for_all(client, handles, names, {}, as_json=as_json, timeout_seconds=timeout)
    if as_json:
        _print_json(handles, [])
    raise typer.Exit(_status(handles))


def _run(
    client: Client, sources: Sequence[Source], options: Options, *, as_json: bool, timeout_seconds: float | None
) -> int:
    handles = _submit(client, sources, options, None)
    if len(sources) == 1:
        task = _wait_for(handles[0], timeout_seconds)
        _report(task, sources[0], as_json=as_json)
        return _status(handles)
    names = {handle.task_id: source.name for source, handle in zip(sources, handles, strict=True)}
    texts = {handle.task_id: source.text for source, handle in zip(sources, handles, strict=True)}
    _wait_for_all(client, handles, names, texts, as_json=as_json, timeout_seconds=timeout_seconds)
    if as_json:
        _print_json(handles, [source.name for source in sources])
    return _status(handles)


def _submit(client: Client, sources: Sequence[Source], options: Options, key: str | None) -> list[TaskHandle]:
    if len(sources) == 1:
        source = sources[0]
        return [client.submit(source.text, idempotency_key=key, **_named(source, options))]
    if options.get("name"):
        fail("--name is for one program; --tag names several.", USAGE_ERROR)
    items: list[Mapping[str, Any]] = [{"program": source.text, **_named(source, options)} for source in sources]
    return client.submit_batch(items, idempotency_key=key)


def _named(source: Source, options: Options) -> Options:
    nameable = source.name != STDIN and source.name.isprintable() and source.name.strip()
    name = options.get("name") or (source.name[-MAX_NAME_CHARACTERS:] if nameable else None)
    return {**options, "name": name}


def _wait_for(handle: TaskHandle, timeout_seconds: float | None) -> Task:
    try:
        return handle.wait(timeout_seconds=timeout_seconds)
    except KeyboardInterrupt:
        print(f"ketline: task {handle.task_id} is still running; ketline cancel stops it.", file=sys.stderr)
        raise


def _wait_for_all(
    client: Client,
    handles: Sequence[TaskHandle],
    names: Mapping[UUID, str],
    texts: Mapping[UUID, str],
    *,
    as_json: bool,
    timeout_seconds: float | None,
) -> None:
    # Imported late, because rich takes half as long to import as everything else.
    from ketline.cli.client.progress import BatchProgress

    with BatchProgress(names) as progress:
        try:
            for handle, status in client.watch(handles, timeout_seconds=timeout_seconds):
                progress.record(handle.task_id, status)
                if not as_json and (status is None or status.terminal):
                    _print_outcome(handle, names[handle.task_id], texts.get(handle.task_id, ""))
        except BaseException:
            progress.__exit__(None, None, None)
            print(f"ketline: {progress.summary}; the service continues to run them.", file=sys.stderr)
            raise


def _print_outcome(handle: TaskHandle, name: str, text: str) -> None:
    from ketline.cli.show import error_console, outcome_line, show_failure, show_warnings

    task = handle.task
    if task is not None:
        show_warnings(task, name=name, program=text)
    if task is not None and task.error is not None and text:
        show_failure(error_console(), task.error, name=name, program=text)
    else:
        print(outcome_line(name, task), flush=True)


def _report(task: Task, source: Source, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(task.data, indent=2))
        return
    from ketline.cli.show import error_console, output_console, show_counts, show_failure, show_warnings

    show_warnings(task, name=source.name, program=source.text)
    if task.result is not None:
        show_counts(output_console(), task.result)
    elif task.error is not None:
        show_failure(error_console(), task.error, name=source.name, program=source.text)


def _print_json(handles: Sequence[TaskHandle], files: Sequence[str]) -> None:
    documents = [
        {"task_id": str(handle.task_id), "status": "not_found"} if handle.task is None else handle.task.data
        for handle in handles
    ]
    named = (
        [{"file": file, **document} for file, document in zip(files, documents, strict=True)] if files else documents
    )
    print(json.dumps(named, indent=2))


def _status(handles: Sequence[TaskHandle]) -> int:
    completed = all(handle.task is not None and handle.task.result is not None for handle in handles)
    return SUCCESS if completed else TASK_FAILED
