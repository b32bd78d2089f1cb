"""Draws the shots of a circuit of few qubits from its exact probabilities, which are computed once."""

from functools import lru_cache

from ketline.domain.spec import RunOptions
from ketline.execution.circuit.lowering import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.costs import PER_OPERATION, seconds_of
from ketline.execution.simulators.engine import AerEngine, Counted, key_of
from ketline.execution.simulators.methods.statevector import PER_AMPLITUDE, Statevector, state_of
from ketline.execution.simulators.sampling import Distribution, distribution_of

# Beyond this an exact distribution costs more than drawing shots does; measured, see docs/performance.md.
EXACT_QUBITS = 12
# Sampling from the 2^n probabilities is quicker than Aer's own while there are not many more of them than shots.
_OUTCOMES_PER_SHOT = 4
_OUTCOMES = 16
_DISTRIBUTIONS_KEPT = 64


class ExactProbabilities(Statevector):
    """A statevector of few qubits, and one draw from its probabilities. It is chosen, and no task can request it."""

    def is_quick(self, lowered: Lowered, shots: int) -> bool:
        """Whether a circuit measures at its end, and drawing its shots here takes less time than by Aer."""
        qubits = lowered.circuit.num_qubits
        few = qubits <= EXACT_QUBITS and 1 << qubits <= max(_OUTCOMES, _OUTCOMES_PER_SHOT * shots)
        return few and lowered.final_measurements is not None

    def seconds(self, lowered: Lowered, shots: int) -> float:
        each = PER_OPERATION + PER_AMPLITUDE * 2.0**lowered.circuit.num_qubits
        return seconds_of(sum(lowered.operations.values()), each, repeats=1, outcomes=0)

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        distribution = _kept(program) if likely_repeated else _distribution(program)
        return distribution.draw(shots, options.seed, key_of(program), memory=options.memory)


def _distribution(program: Program) -> Distribution:
    measured = program.lowered.final_measurements or ()
    return distribution_of(state_of(program.lowered).probabilities([qubit for qubit, _ in measured]), measured)


# By program, not by text: what gives the same program again gives the same distribution.
_kept = lru_cache(_DISTRIBUTIONS_KEPT)(_distribution)
