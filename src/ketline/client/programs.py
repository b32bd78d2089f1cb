"""Programs and their options, and how they are encoded in a request.

A program is its text, or a circuit of another library, which is converted.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict, cast

from ketline.client.convert import ConvertedProgram, convert
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.observable import Observables
from ketline.domain.tasks.inputs import Inputs

# Values that JSON has as they are.
_PLAIN = frozenset({str, int, float, bool, type(None)})


class Options(TypedDict, total=False):
    """The options of a program; for one that is left out, or None, the service's default applies.

    `inputs`: values for the program's `input` declarations: a string for bits (bit 0 rightmost), `{"array": [1, 2]}`
    for an array; lists of equal length make a sweep. `memory`: the result has the outcome of every shot.
    `time_limit_seconds` limits the run, not the time in the queue. `observables`: sums of Pauli operators, as
    coefficients by label; the result has their expectation values instead of counts: exact ones, or with `shots` or
    `precision`, a standard error, estimates. `gradient`: the result also has
    their derivatives by the inputs of types `float` and `angle`, with True, or by those of a list of names, or as a
    mapping with `inputs` and `method` ("adjoint" or "parameter_shift"). `outputs`: values of the state in
    which the program ends, as types ("counts", "statevector", "density_matrix", "probabilities", "unitary", "entropy")
    or mappings with `type`, and perhaps `qubits` and `name`. `hold`: the task does not run
    before `enqueue` releases it. `format`: "openqasm3", "openqasm2", or "qpy" for a circuit in QPY, encoded as base64;
    by default the program's header decides. `program_format` is another name for `format`.

    `kind`: "simulate" by default, "convert" or "run". A conversion has a `target` ("openqasm3", "openqasm2", "qpy" or
    "qir"), and for QIR a `profile` ("base" or "adaptive") and, with `bitcode`, bitcode as base64 instead of text.
    `backend`: the external backend of a task of kind "run".

    `mitigation`: what is done against errors of noise or a device in values and counts: {"zne": {"scale_factors":
    [1, 3, 5], "extrapolation": "linear", "folding": "global"}}, {"readout": True}, or both.

    `noise`: errors of gates and readout: a named model with its parameters, such as
    {"name": "depolarizing", "one_qubit": 1e-3}, a `NoiseModel` of Aer, or a list of these, which apply in order.

    `callback`: the URL that a signed message is sent to when the task has ended.

    `device`: the name of a device, for which the program is transpiled and with whose errors it runs; or a mapping with
    its `name`, and perhaps `optimization_level`, `seed` (of the transpiler), `initial_layout`, and `noise`: False.
    """

    shots: int | None
    seed: int | None
    method: str | None
    memory: bool | None
    inputs: Inputs | None
    observables: Observables | None
    gradient: bool | Sequence[str] | Mapping[str, Any] | None
    outputs: Sequence[str | Mapping[str, Any]] | None
    format: str | None
    program_format: str | None
    name: str | None
    tags: Sequence[str] | None
    metadata: Mapping[str, Any] | None
    scheduled_for: datetime | None
    time_limit_seconds: float | None
    max_attempts: int | None
    priority: int | None
    hold: bool | None
    kind: str | None
    target: str | None
    profile: str | None
    bitcode: bool | None
    backend: str | None
    noise: Any
    device: str | Mapping[str, Any] | None
    precision: float | None
    mitigation: Mapping[str, Any] | None
    callback: str | None


# A program's text, a circuit of another library, or what one was converted to.
Program = str | ConvertedProgram | Any
# A program of a batch, or a mapping with `program` and its own options.
BatchItem = Program | Mapping[str, Any]


def as_text(program: Program, options: Options) -> tuple[str, Options]:
    """The text of a program, and its options with the format and the names of inputs that the text has.

    Raises:
        TypeError: it is neither text nor a circuit of a known library, or `format` is given for a circuit.
        CircuitNotConvertible: a part of the circuit is not supported.
    """
    if isinstance(program, str):
        return program, options
    shows_phase, relaxes = bool(options.get("outputs")), options.get("device") is not None
    converted = (
        program
        if isinstance(program, ConvertedProgram)
        else convert(program, with_phase=shows_phase, with_delays=relaxes)
    )
    if (given := options.get("format") or options.get("program_format")) not in (None, converted.format):
        raise TypeError(f"A circuit is sent as {converted.format}: leave out the format {given!r}.")
    inputs = {converted.inputs.get(name, name): value for name, value in (options.get("inputs") or {}).items()}
    return converted.text, {**options, "format": converted.format, "inputs": inputs or None}


def body_of(program: str, options: Options) -> dict[str, object]:
    """The body of `POST /tasks` for a program.

    Raises:
        TypeError: the program is not text, or an option does not exist.
    """
    if not isinstance(program, str):
        raise TypeError(f"A program is OpenQASM text, not {type(program).__name__}.")
    if unknown := sorted(set(options) - Options.__optional_keys__):
        raise TypeError(
            f"There is no option {', '.join(unknown)}; there are {', '.join(sorted(Options.__annotations__))}."
        )
    fields = dict(_fields(options))
    form = fields.pop("program_format", None)
    form = fields.pop("format", form)
    if form == ProgramFormat.QPY:
        return {"qpy": program, **fields}
    return {"qc": program, **fields} if form is None else {"qc": program, "format": form, **fields}


def items_of(programs: Iterable[BatchItem], shared: Options) -> list[tuple[str, Options]]:
    """The text of each program of a batch with its options; its own options override the shared ones."""
    return [as_text(*_item(item, shared)) for item in programs]


def changes_of(changes: Mapping[str, object]) -> dict[str, object]:
    """The body of `PATCH /tasks/{id}` for these changes."""
    return {name: _json_value(value) for name, value in changes.items()}


def _item(item: BatchItem, shared: Options) -> tuple[Program, Options]:
    if not isinstance(item, Mapping):
        return item, shared
    if "program" not in item:
        raise TypeError("An item of a batch is a program, or a mapping with `program` and its options.")
    own = {name: value for name, value in item.items() if name != "program"}
    return item["program"], cast("Options", {**shared, **own})


def _fields(options: Options) -> Iterator[tuple[str, object]]:
    for name, value in options.items():
        if value is None:
            continue
        if name == "time_limit_seconds":
            yield "timeout_s", value
        elif name == "noise":
            layers = value if isinstance(value, (list, tuple)) else [value]
            models = list(map(_noise_model, layers))
            yield name, _json_value(models if layers is value else models[0])
        else:
            yield name, _json_value(value)


def _noise_model(layer: Any) -> object:
    """A model as the service takes it; Aer's are known by their conversion, since Aer need not be installed here."""
    return {"model": layer.to_dict(serializable=True)} if hasattr(layer, "to_dict") else layer


def _json_value(value: object) -> object:
    """Convert times, NumPy numbers and arrays, and collections to values that JSON can represent."""
    # First what a large model of noise consists of: checks of abstract classes take ten times as long.
    if type(value) in _PLAIN:
        return value
    if type(value) is dict:
        return {key: _json_value(item) for key, item in value.items()}
    if type(value) is list:
        return [_json_value(item) for item in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {key: _json_value(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [_json_value(item) for item in value]
    return value
