"""Chooses the method of a circuit with noise, and says why."""

from collections.abc import Sequence
from dataclasses import replace

from ketline.domain.circuits.method import Method
from ketline.domain.devices.noise import NOISY_METHODS
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.passes.lowering import without_last_measurements
from ketline.execution.circuit.passes.reduction import without_resets_at_start
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.methods import Choice, SimulationMethod
from ketline.execution.simulators.noise.aer_methods import (
    DensityMatrixWithNoise,
    StabilizerWithNoise,
    StatevectorWithNoise,
)
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors
from ketline.execution.simulators.noise.stim_method import StimWithNoise
from ketline.execution.simulators.sizes import readable


def prepared(program: Program, model: NoiseModel) -> Program:
    """The program without what has no effect unless it has errors.

    That are resets of untouched qubits and, where observables are computed, the measurements after which nothing else
    uses their qubits and bits.
    """
    if not model.has_errors_on("reset"):
        program = replace(program, lowered=without_resets_at_start(program.lowered))
    if not program.is_observed or model.has_errors_on("measure"):
        return program
    lowered, dephased = without_last_measurements(program.lowered, program.checked_bits)
    return replace(program, lowered=lowered, dephased=program.declared_of(dephased))


def choose_with_noise(
    lowered: Lowered, shots: int, requested: Method, limits: ExecutionLimits, model: NoiseModel
) -> Choice:
    """How to simulate a circuit with the errors of a model; nothing has been allocated when this returns or raises.

    Raises:
        ProgramTooLarge: with every method that may be used, its state would take more than `limits.memory_bytes`.
        ProgramUnsupported: the requested method does not have an operation or an error of the circuit.
        NoiseInvalid: an error acts on another number of qubits than its operation.
    """
    errors = CircuitErrors(lowered, model)
    errors.require_widths()
    methods: Sequence[SimulationMethod] = [
        StimWithNoise(errors),
        DensityMatrixWithNoise(errors),
        StatevectorWithNoise(errors),
        StabilizerWithNoise(errors),
    ]
    if requested is not Method.AUTOMATIC:
        return _requested(lowered, requested, methods, limits)
    stim, *others = methods
    if _can_run(stim, lowered, limits):
        return Choice(stim, "Clifford gates and Pauli errors only, without branches")
    if errors.are_repeated:
        return _for_while_loops(lowered, DensityMatrixWithNoise(errors), limits)
    return _fastest(lowered, shots, others, limits)


def _requested(
    lowered: Lowered, requested: Method, methods: Sequence[SimulationMethod], limits: ExecutionLimits
) -> Choice:
    method = next((method for method in methods if method.name is requested), None)
    if method is None:
        raise ProgramUnsupported(f"method '{requested}' has no noise; choose {', '.join(NOISY_METHODS)}")
    method.require(lowered, limits.memory_bytes)
    return Choice(method, "as requested")


def _for_while_loops(lowered: Lowered, method: SimulationMethod, limits: ExecutionLimits) -> Choice:
    try:
        method.require(lowered, limits.memory_bytes)
    except (ProgramTooLarge, ProgramUnsupported) as error:
        why, others = "that method cannot compute on bits, as this program does", ""
        if isinstance(error, ProgramTooLarge):
            why, others = error.message, ", or use fewer qubits"
        raise ProgramUnsupported(
            f"a 'while' loop with errors needs a density matrix, and {why}: write a 'for' loop without 'break'{others}"
        ) from error
    return Choice(method, "a 'while' loop with errors needs a density matrix")


def _fastest(lowered: Lowered, shots: int, methods: Sequence[SimulationMethod], limits: ExecutionLimits) -> Choice:
    """Of the methods that can run a circuit the one that is predicted to take least time."""
    possible = [method for method in methods if _can_run(method, lowered, limits)]
    if not possible:
        # It can run every circuit for which there is room; its error says how much that is.
        _requested(lowered, Method.STATEVECTOR, methods, limits)
    seconds = {method.name: method.seconds(lowered, shots, limits) or 0.0 for method in possible}
    best, *rest = sorted(possible, key=lambda method: seconds[method.name])
    costs = "; ".join(
        [f"{_what(best)} takes {readable(best.state_bytes(lowered) or 0)} and about {seconds[best.name]:.2g} s"]
        + [f"{_what(method)} about {seconds[method.name]:.2g} s" for method in rest]
    )
    return Choice(best, costs)


def _what(method: SimulationMethod) -> str:
    return "a density matrix" if method.name is Method.DENSITY_MATRIX else f"a {method.name} for each shot"


def _can_run(method: SimulationMethod, lowered: Lowered, limits: ExecutionLimits) -> bool:
    try:
        method.require(lowered, limits.memory_bytes)
    except (ProgramTooLarge, ProgramUnsupported):
        return False
    return True
