"""Formats times, durations, sizes, observables, noise and devices for people; the templates use it as filters."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ketline.domain.devices.device_run import DEFAULT_LEVEL, DeviceRun

MAX_TERMS = 6
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def duration(seconds: float | None) -> str:
    """A duration with two or three significant digits."""
    if seconds is None:
        return "–"
    if not seconds:
        return "0 s"
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    return long_duration(seconds)


def figure(value: float) -> str:
    """A number with its thousands separated, and at most two decimals."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def long_duration(seconds: float) -> str:
    """A duration in its two largest units of days, hours, minutes and seconds."""
    whole = round(seconds)
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    found = [(name, size) for name, size in units if whole >= size][:2] or [("s", 1)]
    words = []
    for name, size in found:
        words.append(f"{whole // size} {name}")
        whole %= size
    return " ".join(words)


def round_duration(seconds: float) -> str:
    """A duration that is round in its largest unit, such as `5 min`."""
    number, unit, *_ = duration(seconds).split()
    return f"{number} {unit}"


def relative(moment: datetime, now: datetime) -> str:
    """A time relative to now: `3 min ago`, `in 2 h`."""
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 2:
        return "now"
    return f"{long_duration(seconds)} ago" if seconds > 0 else f"in {long_duration(-seconds)}"


def absolute(moment: datetime) -> str:
    """A time in UTC, to the millisecond."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "milliseconds") + " UTC"


def size(count: int | None) -> str:
    """A number of bytes with a binary unit."""
    if count is None:
        return "–"
    value, unit = float(count), 0
    while value >= 1024 and unit < len(_SIZES) - 1:
        value, unit = value / 1024, unit + 1
    return f"{value:.3g} {_SIZES[unit]}"


def observable(terms: Mapping[str, float]) -> str:
    """A sum of Pauli operators, such as `0.5·XX - IZ`; of more than `MAX_TERMS` terms the rest is counted."""
    shown = [f"{_factor(factor)}{paulis}" for paulis, factor in list(terms.items())[:MAX_TERMS]]
    more = [f"{len(terms) - MAX_TERMS} more"] if len(terms) > MAX_TERMS else []
    return " + ".join([*shown, *more]).replace("+ -", "- ") or "0"


def noise(models: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """Models of noise in order, such as `depolarizing (one_qubit 0.001), readout (p01 0.01, p10 0.02)`."""
    return ", ".join(map(_noise_model, [models] if isinstance(models, Mapping) else models))


def device(run: DeviceRun) -> str:
    """A device with how its task is transpiled for it, such as `line-27, level 3, without noise`."""
    level = "" if run.optimization_level == DEFAULT_LEVEL else f", level {run.optimization_level}"
    seed = "" if run.seed is None else f", transpiler's seed {run.seed}"
    return f"{run.name}{level}{seed}{'' if run.noise else ', without noise'}"


def _noise_model(model: Mapping[str, Any]) -> str:
    if "model" in model:
        number = len(model["model"]["errors"])
        return f"a model of {number} error{'s' if number != 1 else ''}"
    parameters = ", ".join(f"{name} {value:g}" for name, value in model.items() if name != "name")
    return f"{model['name']} ({parameters})" if parameters else str(model["name"])


def _factor(factor: float) -> str:
    return {1.0: "", -1.0: "-"}.get(factor, f"{factor:g}·")
