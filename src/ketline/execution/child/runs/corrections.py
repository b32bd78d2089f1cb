"""Corrects the counts of a task for readout errors; called for each point of a sweep."""

from collections.abc import Mapping
from typing import NamedTuple

from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulation
from ketline.execution.simulators.estimation import Calibration, CorrectedBits

# The most characters of an entry beside its bits; an outcome has an entry in each of two objects.
_CHARACTERS_OF_A_NUMBER = 27
_NUMBERS = 2


class CorrectedSimulation(NamedTuple):
    """A simulation whose reason names the correction, the corrected counts, and their approximate size as JSON."""

    simulation: Simulation
    result: Mapping[str, object] | None = None
    characters: int = 0


def corrected(program: Program, simulation: Simulation, calibration: Calibration | None) -> CorrectedSimulation:
    """The simulation of a program with its counts corrected; unchanged without a calibration.

    Raises:
        ProgramUnsupported, ProgramTooLarge: the counts cannot be corrected.
    """
    if calibration is None:
        return CorrectedSimulation(simulation)
    found = CorrectedBits(program, calibration).corrected(simulation.counts)
    said = f"readout errors of {found.qubits} qubits corrected{calibration.how}: {simulation.reason}"
    width = len(next(iter(simulation.counts), ""))
    characters = _NUMBERS * len(simulation.counts) * (width + _CHARACTERS_OF_A_NUMBER)
    return CorrectedSimulation(simulation._replace(reason=said), found.result, characters)


def readout_result(found: list[CorrectedSimulation], *, swept: bool) -> Mapping[str, object] | None:
    """The `mitigation` of a result, of the corrected counts of all points; None if nothing was corrected."""
    results = [one.result for one in found]
    if results[0] is None:
        return None
    return {"readout": results if swept else results[0]}
