"""The method of small circuits: draws all shots from exact probabilities, which are computed once."""

from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.methods.statevector import Statevector, drawn

# Beyond this an exact distribution costs more than drawing shots does; measured, see docs/performance.md.
EXACT_QUBITS = 12
# Sampling from the 2^n probabilities is quicker than Aer's own while there are not many more of them than shots.
_OUTCOMES_PER_SHOT = 4
_OUTCOMES = 16


class ExactProbabilities(Statevector):
    """A statevector of few qubits, and one draw from its probabilities. It is chosen, and no task can request it."""

    def is_quick(self, lowered: Lowered, shots: int) -> bool:
        """Whether a circuit measures at its end, and drawing its shots here takes less time than by Aer."""
        qubits = lowered.num_qubits
        few = qubits <= EXACT_QUBITS and 1 << qubits <= max(_OUTCOMES, _OUTCOMES_PER_SHOT * shots)
        return few and lowered.final_measurements is not None

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        return drawn(engines, program, shots, options, exact=True, likely_repeated=likely_repeated)
