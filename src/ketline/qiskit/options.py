"""The options of the backend's runs and of the primitives, and what of them each task has."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from numbers import Integral
from typing import Any

import numpy as np
from qiskit.exceptions import QiskitError
from qiskit.providers import Options

from ketline.domain.devices.backend import METHODS
from ketline.domain.tasks.seeds import SEED_BITS
from ketline.qiskit.aer_options import REJECTED

# Seeds that numpy accepts, as in Qiskit's own primitives.
Seed = int | np.integer[Any] | Sequence[int] | np.random.Generator | None

# Options of AerSimulator with the values that ask for what this backend does anyway: libraries pass them to any one.
_FIXED: Mapping[str, tuple[Sequence[Any], str]] = {
    "meas_level": ((2, None), "measurements have classified outcomes"),
    "meas_return": (("single", "avg", None), "it concerns other levels of measurements than 2"),
    "device": (("CPU",), "the service's workers simulate"),
    "precision": (("double",), "amplitudes have double precision"),
}


# Methods of AerSimulator for a single `save_*` instruction, which here compute it as every other.
METHODS_OF_SAVES = frozenset({"unitary"})


@dataclass(slots=True, kw_only=True)
class TaskOptions:
    """Options of each task of a primitive's jobs.

    `method` is the simulation method, `time_limit_seconds` limits the run of each task, `priority` is from -100 to 100;
    jobs are found by `tags` and `name`.
    """

    method: str | None = None
    time_limit_seconds: float | None = None
    priority: int | None = None
    name: str | None = None
    tags: Sequence[str] = ()

    def for_tasks(self) -> dict[str, Any]:
        """These options as those of a task."""
        return {each.name: getattr(self, each.name) for each in fields(TaskOptions)}


@dataclass(slots=True, kw_only=True)
class SamplerOptions(TaskOptions):
    """The options of a `KetlineSampler`."""

    default_shots: int = 1024
    seed: Seed = None


@dataclass(slots=True, kw_only=True)
class EstimatorOptions(TaskOptions):
    """The options of a `KetlineEstimator`."""

    default_precision: float = 0.0
    seed: Seed = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The checked options of one run of the backend.

    `seeds` has one for each circuit, or one for the first. `noise` is Aer's model, or noise as a task has it. `device`
    is the name of the device on which the circuits run.
    """

    shots: int
    memory: bool
    seeds: int | Sequence[int] | None
    noise: Any = None
    device: str | None = None
    for_tasks: Mapping[str, Any] = field(default_factory=dict)


def default_run_options() -> Any:
    """The options of a new backend; each can be set by `set_options` or given to a run."""
    fixed = {name: values[0] for name, (values, _) in _FIXED.items()}
    own = {"shots": 1024, "memory": False, "seed_simulator": None, "noise_model": None}
    return Options(**own, **TaskOptions().for_tasks(), **fixed)


def run_options(options: Mapping[str, Any]) -> RunOptions:
    """Check the values of all options of a run.

    Raises:
        QiskitError: a value is not possible; the message names the option.
    """
    for name, (values, reason) in _FIXED.items():
        if options[name] not in values:
            raise QiskitError(f"The option {name!r} cannot be {options[name]!r}: {reason}.")
    shots = options["shots"]
    if not isinstance(shots, Integral) or shots < 1:
        raise QiskitError(f"The option 'shots' must be a positive integer, not {shots!r}.")
    _check_method(options["method"])
    return RunOptions(
        shots=int(shots),
        memory=bool(options["memory"]),
        seeds=_seeds(options["seed_simulator"]),
        noise=_noise(options["noise_model"]),
        for_tasks={each.name: options[each.name] for each in fields(TaskOptions)},
    )


def known_options(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options with those given instead of the defaults.

    Raises:
        QiskitError: an option does not exist; the message names it.
    """
    require_supported(given)
    if unknown := sorted(given.keys() - defaults.keys()):
        raise QiskitError(f"There is no option {unknown[0]!r}; there are {', '.join(sorted(defaults))}.")
    return {**defaults, **given}


def require_supported(names: Iterable[str]) -> None:
    """Reject options of AerSimulator that a run on a service does not have.

    Raises:
        QiskitError: there is one; the message names it, and says why.
    """
    if rejected := sorted(REJECTED.keys() & set(names)):
        raise QiskitError(f"Leave the option {rejected[0]!r} of AerSimulator out: {REJECTED[rejected[0]]}.")


def number_of(seed: Seed) -> int | None:
    """The number from which the seeds of a job's tasks are derived; a generator gives another one for each job."""
    if seed is None or isinstance(seed, Integral):
        return None if seed is None else int(seed)
    return int(np.random.default_rng(seed).integers(1 << SEED_BITS))


def _check_method(method: Any) -> None:
    offered = [one.value for one in METHODS]
    if method is not None and method not in offered and method not in METHODS_OF_SAVES:
        raise QiskitError(f"The option 'method' cannot be {method!r}: this service has {', '.join(offered)}.")


def _noise(given: Any) -> Any:
    """Noise as the client takes it; None for a model without errors."""
    if given is None or isinstance(given, (Mapping, list, tuple)):
        return given or None
    if not (hasattr(given, "to_dict") and hasattr(given, "is_ideal")):
        raise QiskitError(f"The option 'noise_model' takes a NoiseModel of qiskit_aer, not {given!r}.")
    return None if given.is_ideal() else given


def _seeds(given: Any) -> int | Sequence[int] | None:
    if given is None:
        return None
    several = isinstance(given, (Sequence, np.ndarray)) and not isinstance(given, str)
    numbers = list(given) if several else [given]
    if not all(isinstance(number, Integral) for number in numbers):
        raise QiskitError(f"The option 'seed_simulator' must be an integer, or one for each circuit, not {given!r}.")
    seeds = [int(number) for number in numbers]
    return seeds if several else seeds[0]
