"""Chooses how the states of outputs are simulated, and computes the outputs. Used by the simulator."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.results.outputs import OF_ONE_STATE, Output, Outputs, OutputType, RequestedOutput
from ketline.execution.circuit.observables.final_state import as_values, require_cut, value_of
from ketline.execution.circuit.passes.lowering import is_averaged
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.memory import require_room
from ketline.execution.simulators.methods import SIMULATION_METHODS, Choice
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors
from ketline.execution.simulators.saving.averaged import averaged_states
from ketline.execution.simulators.saving.averaged_method import AveragedStates

# The state, the copy of it that Aer returns, and another in the order of an output's qubits; measured. Each further
# place takes a copy more, twice.
_STATES_OF_OUTPUTS = 3
_STATES_OF_A_PLACE = 2
_METHODS = (Method.AUTOMATIC, Method.STATEVECTOR, Method.DENSITY_MATRIX)


class Saved(NamedTuple):
    """Outputs by name, the method's name, why it was chosen, and the engine."""

    outputs: Outputs
    method: str
    reason: str
    engine: Engine


def choose_for_outputs(
    program: Program,
    outputs: Sequence[RequestedOutput],
    method: Method,
    limits: ExecutionLimits,
    noise: NoiseModel | None = None,
) -> Choice:
    """How to simulate the states of outputs; nothing has been allocated when this returns or raises.

    Raises:
        ProgramUnsupported: the method does not give the outputs.
        ProgramTooLarge: the states do not fit into the memory, or an entropy cannot be computed.
    """
    if method not in _METHODS:
        raise ProgramUnsupported(
            f"method '{method}' computes no outputs of a state; choose 'statevector', 'density_matrix', or none"
        )
    averaged = noise is not None or is_averaged(program.lowered)
    for one in outputs:
        require_cut(one, program.declared_qubits, averaged=averaged)
    if not averaged and method is not Method.DENSITY_MATRIX:
        statevector = SIMULATION_METHODS[Method.STATEVECTOR]
        states = _STATES_OF_OUTPUTS + _STATES_OF_A_PLACE * (len({one.at for one in outputs}) - 1)
        needed = states * statevector.bytes_needed(program.lowered)
        require_room(program.lowered, needed, limits.memory_bytes, " with outputs")
        return Choice(statevector, "outputs are computed from every amplitude")
    if method is Method.STATEVECTOR:
        raise ProgramUnsupported(
            "method 'statevector' computes outputs of one state, and this program has one for each outcome or error; "
            "choose 'density_matrix', or none"
        )
    of_one = next((one.type for one in outputs if one.type in OF_ONE_STATE), None)
    if of_one is not None and (method is Method.DENSITY_MATRIX or noise is not None):
        raise ProgramUnsupported(f"method 'density_matrix' gives no {of_one}; choose 'statevector', or none")
    errors = None if noise is None else CircuitErrors(program.lowered, noise)
    choice = Choice(AveragedStates(errors), "the states of all outcomes and errors are added up")
    choice.method.require(program.lowered, limits.memory_bytes)
    return choice


def saved_outputs(engines: Engines, program: Program, outputs: Sequence[RequestedOutput], choice: Choice) -> Saved:
    """The outputs of a program that was read for them, by a choice of `choose_for_outputs`.

    Raises:
        ProgramTooLarge, ProgramUnsupported, MemoryLimitExceeded, SimulationFailed: as a run does.
    """
    averaged = choice.method if isinstance(choice.method, AveragedStates) else None
    sources = {one.name: _source_of(one, averaged=averaged is not None) for one in outputs}
    places = {source: {one.at for one in outputs if sources[one.name] is source} for source in sources.values()}
    computed = {source: _computed(engines, program, source, places[source], averaged) for source in places}
    found: dict[str, Output] = {}
    for one in outputs:
        qubits = range(program.declared_qubits) if one.qubits is None else one.qubits
        value = computed[sources[one.name]][one.at]
        if one.type is not OutputType.UNITARY:
            value = value_of(one, value, program.positions(one.at), qubits)
        found[one.name] = Output(one.type, qubits=list(qubits), values=as_values(value))
    engine = Engine.AER if averaged is None else Engine.NUMPY
    return Saved(found, choice.method.name.value, choice.reason, engine)


class _Source(Enum):
    """The source from which an output is computed."""

    UNITARY = "unitary"
    STATE = "state"
    MIXTURE = "mixture"


def _source_of(output: RequestedOutput, *, averaged: bool) -> _Source:
    """A program with outcomes has a single state at places before all of them."""
    if output.type is OutputType.UNITARY:
        return _Source.UNITARY
    return _Source.MIXTURE if averaged and output.type is not OutputType.STATEVECTOR else _Source.STATE


def _computed(
    engines: Engines, program: Program, source: _Source, places: set[str | None], averaged: AveragedStates | None
) -> Mapping[str | None, Any]:
    """Unitaries at places, or pure states: complex128 of shape (states, 2^n), whose squares are their probabilities."""
    circuit = program.lowered.circuit
    match source:
        case _Source.UNITARY:
            return engines.unitaries(circuit, places)
        case _Source.STATE:
            return {place: state[None, :] for place, state in engines.states(circuit, places).items()}
        case _Source.MIXTURE:
            return averaged_states(engines, program, places, None if averaged is None else averaged.errors)
