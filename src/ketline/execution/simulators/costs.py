"""The costs of simulation by every method, for the estimates in `durations.py`.

Seconds of one core, here, in `state_costs.py` and in the modules of the methods, were fitted to the programs of
`python -m benchmarks.estimates` with qiskit-aer 0.18, pennylane-lightning 0.45 and stim 1.16; see specs/validate.md.
"""

# The seconds that any task takes in a simulator process, beside its reading and its simulation.
FIXED = 7e-4
PER_OPERATION = 5e-6
_PER_OUTCOME = 5e-6


def seconds_of(operations: int, each: float, repeats: int, outcomes: int) -> float:
    """The time of `operations` that take `each`, simulated `repeats` times, and of `outcomes` of Aer."""
    return FIXED + operations * each * repeats + outcomes * _PER_OUTCOME
