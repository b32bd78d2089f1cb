"""A program to run, with what may be asked for along with it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

from ketline.domain.spec import Inputs, Observables, ProgramFormat


class Options(TypedDict, total=False):
    """What may be asked for with a program; what is left out, or None, is as the service has it.

    `inputs`: values for the program's `input` declarations, a string for bits, bit 0 rightmost, `{"array": [1, 2]}` for
    an array; lists of one length make a sweep. `memory` keeps the outcome of every shot. `time_limit_seconds` limits
    the run, not the wait for it.
    `observables`: sums of Pauli operators, coefficients by label, whose expectation values are wanted, not counts.
    With `hold` the task is stored and not run before `enqueue` releases it.
    `program_format`: "qpy" says that the program is a circuit in QPY, as base64.
    """

    shots: int | None
    seed: int | None
    method: str | None
    memory: bool | None
    inputs: Inputs | None
    observables: Observables | None
    program_format: str | None
    name: str | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None
    scheduled_for: datetime | None
    time_limit_seconds: float | None
    max_attempts: int | None
    priority: int | None
    hold: bool | None


# A program of a batch: its text, or `program` and options of its own.
BatchItem = str | Mapping[str, Any]


def body_of(program: str, options: Options) -> dict[str, object]:
    """The program as `POST /tasks` takes it.

    Raises:
        TypeError: it is not text, or there is no such option.
    """
    if not isinstance(program, str):
        raise TypeError(f"A program is OpenQASM 3 text, not {type(program).__name__}.")
    if unknown := sorted(set(options) - Options.__optional_keys__):
        raise TypeError(
            f"There is no option {', '.join(unknown)}; there are {', '.join(sorted(Options.__annotations__))}."
        )
    written = dict(_fields(options))
    form = ProgramFormat(str(written.pop("program_format", ProgramFormat.OPENQASM3)))
    return {"qpy" if form is ProgramFormat.QPY else "qc": program, **written}


def items_of(programs: Iterable[BatchItem], shared: Options) -> list[tuple[str, Options]]:
    """Each program of a batch with its options, the shared ones where it has none of its own."""
    return [_item(item, shared) for item in programs]


def changes_of(changes: Mapping[str, object]) -> dict[str, object]:
    """What is to be changed of a task, as `PATCH /tasks/{id}` takes it."""
    return {name: _written(value) for name, value in changes.items()}


def _item(item: BatchItem, shared: Options) -> tuple[str, Options]:
    if isinstance(item, str):
        return item, shared
    if "program" not in item:
        raise TypeError("An item of a batch is a program's text, or a mapping with `program` and its options.")
    own = {name: value for name, value in item.items() if name != "program"}
    return item["program"], cast("Options", {**shared, **own})


def _fields(options: Options) -> Iterator[tuple[str, object]]:
    for name, value in options.items():
        if value is None:
            continue
        if name == "time_limit_seconds":
            yield "timeout_s", value
        else:
            yield name, _written(value)


def _written(value: object) -> object:
    """Times, numbers and arrays of NumPy, and collections, as JSON has them."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {key: _written(one) for key, one in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_written(one) for one in value]
    return value
