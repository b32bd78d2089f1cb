"""States of qubits that are built gate by gate: `aer_state` on Aer, `lightning_state` on PennyLane-Lightning.

Methods build the final state of a circuit that measures at its end here, on the engine that `engines.py` picks.
"""
