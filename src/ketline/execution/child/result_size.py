"""Checks requested and computed results against the maximum size of a result."""

from collections.abc import Mapping, Sequence

from ketline.domain.errors import ProgramTooLarge
from ketline.domain.results.outputs import RequestedOutput
from ketline.execution.circuit.observables.final_state import numbers_in
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulation

_CHARACTERS_OF_A_VALUE = 25


def check_values(values: int, limits: ExecutionLimits) -> None:
    """Check the number of expectation values before anything is simulated.

    Raises:
        ProgramTooLarge: there are more values than a result may contain.
    """
    most = limits.max_result_bytes // _CHARACTERS_OF_A_VALUE
    if values > most:
        raise ProgramTooLarge(f"{values} expectation values are more than {most}: ask for fewer, or for fewer points")


def check_gradients(sizes: Mapping[str, int], observables: int, limits: ExecutionLimits) -> None:
    """Check the size of gradients before anything is simulated.

    `sizes` are the numbers of elements of the inputs by name, `observables` is their number, summed over all points.

    Raises:
        ProgramTooLarge: the gradients have more numbers than a result may contain.
    """
    # 4 for the quotes, colon and comma around a name.
    each = sum(len(name) + 4 + _CHARACTERS_OF_A_VALUE * size for name, size in sizes.items())
    if observables * (each + _CHARACTERS_OF_A_VALUE) > limits.max_result_bytes:
        most = limits.max_result_bytes // _CHARACTERS_OF_A_VALUE
        raise ProgramTooLarge(
            f"the gradients of {observables} expectation values by {sum(sizes.values())} numbers are more than the "
            f"{most} numbers of a result: ask for fewer inputs, observables or points"
        )


def check_outputs(outputs: Sequence[RequestedOutput], qubits: int, points: int, limits: ExecutionLimits) -> None:
    """Check the size of outputs of a program by its number of qubits, before anything is simulated.

    Raises:
        ProgramTooLarge: the outputs have more numbers than a result may contain.
    """
    most = limits.max_result_bytes // _CHARACTERS_OF_A_VALUE
    if points * sum(numbers_in(one, qubits) for one in outputs) > most:
        raise ProgramTooLarge(
            f"the outputs have more numbers than the {most} that a result may have: ask for the probabilities or "
            "the density matrix of fewer qubits, or for fewer points"
        )


def check_size(characters: int, simulation: Simulation, limits: ExecutionLimits) -> None:
    """Check the size of a result; the message describes `simulation`, the last one in it.

    Raises:
        ProgramTooLarge: the result exceeds the maximum size.
    """
    if characters <= limits.max_result_bytes:
        return
    width, outcomes, shots = _dimensions(simulation)
    memory = f" and {shots} shots" if shots else ""
    raise ProgramTooLarge(
        f"{outcomes} different outcomes{memory} of {width} characters are more than "
        f"{limits.max_result_bytes / 2**20:g} MiB: measure fewer bits or take fewer shots"
    )


def characters_of(simulation: Simulation) -> int:
    """The approximate size of counts and memory as JSON."""
    width, outcomes, shots = _dimensions(simulation)
    # Quotes, colon, comma and a count of up to six digits take about 12 characters; in a list, quotes and comma take 3.
    return outcomes * (width + 12) + shots * (width + 3)


def _dimensions(simulation: Simulation) -> tuple[int, int, int]:
    """The number of characters in an outcome, the number of outcomes, and the number of shots in `memory`."""
    return len(next(iter(simulation.counts), "")), len(simulation.counts), len(simulation.memory or ())
