"""What simulating costs by every method, for the estimates in `durations.py`.

Seconds of one core, here and in the modules of the methods, were fitted to some thirty programs with qiskit-aer 0.18
and stim 1.16; see specs/validate.md.
"""

FIXED = 1e-3
PER_OPERATION = 5e-6
_PER_OUTCOME = 5e-6


def seconds_of(operations: int, each: float, repeats: int, outcomes: int) -> float:
    """For so many operations that take `each`, simulated so often, and so many outcomes that are written."""
    return FIXED + operations * each * repeats + outcomes * _PER_OUTCOME
