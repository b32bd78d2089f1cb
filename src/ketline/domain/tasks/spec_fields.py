"""The fields of a spec, for code that handles them one by one, and the digest of a submission."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.devices.noise_layers import Noise, NoiseLayer
from ketline.domain.devices.stored_noise import StoredNoise
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import TaskSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecField:
    """A row of `SPEC_FIELDS`: one field of a `TaskSpec`, for all code that handles fields one by one.

    `name` is its name in the body of a submission and `option` that of the client's option, if these have it; `column`
    is that of its column. `stored` gives its value as the column holds it, with None for one that is empty, and
    `digested` its value as fingerprints of submissions hold it. A fingerprint leaves out what is empty.
    """

    name: str
    stored: Callable[[TaskSpec], object]
    column: str
    option: str
    digested: Callable[[TaskSpec], object]


def _field(
    name: str,
    stored: Callable[[TaskSpec], object],
    *,
    column: str | None = None,
    option: str | None = None,
    digested: Callable[[TaskSpec], object] | None = None,
) -> SpecField:
    return SpecField(
        name=name, stored=stored, column=column or name, option=option or name, digested=digested or stored
    )


# The order is that of fingerprints, which must not change for stored keys.
SPEC_FIELDS: Sequence[SpecField] = (
    _field("qc", lambda spec: spec.circuit, column="circuit", option="program"),
    _field("shots", lambda spec: spec.shots),
    _field(
        "timeout_s",
        lambda spec: spec.time_limit_seconds,
        column="time_limit_seconds",
        option="time_limit_seconds",
    ),
    _field("max_attempts", lambda spec: spec.max_attempts),
    _field("seed", lambda spec: spec.options.seed, digested=lambda spec: _text(spec.options.seed)),
    _field(
        "method",
        lambda spec: spec.options.method.value,
        digested=lambda spec: _unless(spec.options.method, Method.AUTOMATIC),
    ),
    _field("memory", lambda spec: spec.options.memory),
    _field(
        "format",
        lambda spec: spec.options.format.value,
        column="program_format",
        option="program_format",
        digested=lambda spec: _explicit_format(spec),
    ),
    _field(
        "observables",
        lambda spec: list(spec.options.observables) or None,
        digested=lambda spec: _sorted_json(spec.options.observables),
    ),
    _field("inputs", lambda spec: dict(spec.inputs) or None, digested=lambda spec: sorted(spec.inputs.items())),
    _field("name", lambda spec: spec.labels.name),
    _field("tags", lambda spec: list(spec.labels.tags) or None),
    _field(
        "metadata",
        lambda spec: dict(spec.labels.metadata) or None,
        digested=lambda spec: _sorted_json(spec.labels.metadata),
    ),
    _field(
        "scheduled_for",
        lambda spec: spec.scheduled_for,
        digested=lambda spec: spec.scheduled_for and spec.scheduled_for.isoformat(),
    ),
    _field("priority", lambda spec: spec.priority),
    _field("hold", lambda spec: spec.hold),
    _field("kind", lambda spec: spec.kind.value, digested=lambda spec: _unless(spec.kind, TaskKind.SIMULATE)),
    _field("target", lambda spec: spec.target and spec.target.value),
    _field("profile", lambda spec: spec.profile and spec.profile.value, column="qir_profile"),
    _field("bitcode", lambda spec: spec.bitcode),
    _field("backend", lambda spec: spec.backend),
    _field("max_qubits", lambda spec: spec.max_qubits),
    _field(
        "noise",
        lambda spec: _noise_column(spec.options.noise),
        digested=lambda spec: _sorted_json(_noise_column(spec.options.noise)),
    ),
    _field(
        "outputs",
        lambda spec: [dict(one.as_json()) for one in spec.options.outputs] or None,
        digested=lambda spec: _sorted_json([one.as_json() for one in spec.options.outputs]),
    ),
    _field(
        "gradient",
        lambda spec: spec.options.gradient and dict(spec.options.gradient.as_json()),
        digested=lambda spec: _sorted_json(spec.options.gradient.as_json() if spec.options.gradient else None),
    ),
    _field(
        "device",
        lambda spec: None if spec.options.device is None else spec.options.device.as_stored(),
        # Not what the device is: a repeated submission is the same one, also when the device has changed meanwhile.
        digested=lambda spec: None if spec.options.device is None else _sorted_json(spec.options.device.as_requested()),
    ),
    _field("sampled", lambda spec: spec.options.sampled),
    _field("precision", lambda spec: spec.options.precision),
    _field(
        "mitigation",
        lambda spec: spec.options.mitigation and dict(spec.options.mitigation.as_json()),
        digested=lambda spec: _sorted_json(spec.options.mitigation.as_json() if spec.options.mitigation else None),
    ),
    _field("callback", lambda spec: spec.callback),
)


# Every fingerprint has these fields by position: fingerprints are older than the other fields.
_UNNAMED = 4


def digest_of(spec: TaskSpec) -> list[object]:
    """The JSON values of which the fingerprint of a submission is computed; they differ if two submissions do."""
    named = ((one.name, one.digested(spec)) for one in SPEC_FIELDS[_UNNAMED:])
    return [*(one.digested(spec) for one in SPEC_FIELDS[:_UNNAMED]), *(pair for pair in named if pair[1])]


def _noise_column(noise: Noise | None) -> NoiseLayer | Sequence[NoiseLayer] | None:
    return noise.as_json() if isinstance(noise, StoredNoise) else noise


def _explicit_format(spec: TaskSpec) -> str | None:
    """The format, unless the text implies it; older digests, from before the format of version 2, have none."""
    written = spec.options.format
    is_explicit = written is ProgramFormat.QPY or written is not format_by_header(spec.circuit)
    return written.value if is_explicit else None


def _text(number: int | None) -> str | None:
    return None if number is None else str(number)


def _unless(value: StrEnum, default: StrEnum) -> str | None:
    return None if value is default else value.value


def _sorted_json(value: Mapping[str, object] | Sequence[object] | None) -> str | None:
    return json.dumps(value, sort_keys=True) if value else None
