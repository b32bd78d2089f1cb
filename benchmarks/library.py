"""Qiskit's circuit library, each of its circuits, gates and functions at a small size."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from qiskit import qasm3
from qiskit.circuit import QuantumCircuit, library
from qiskit.qasm3.exceptions import QASM3Error
from qiskit.quantum_info import Pauli, SparsePauliOp

_FLIP = np.array([[0, 1], [1, 0]])
_SIGN = np.array([[1, 0], [0, -1]])
_HAMILTONIAN = SparsePauliOp(["ZZI", "IZZ", "XII"], [1.0, 0.5, -0.25])
_GRAPH = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
_INTERACTIONS = [[6, 5, 3], [5, 4, 5], [3, 5, 1]]
_MAX_DECOMPOSITIONS = 4

# What names no circuit, gate or instruction of its own.
NOT_CIRCUITS = {
    "BlueprintCircuit": "the base of others",
    "FunctionalPauliRotations": "the base of others",
    "get_standard_gate_name_mapping": "a table",
}


def _entangled() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    return circuit


def _marked() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.ccz(0, 1, 2)
    return circuit


# The arguments of those that need some; all others are made with none.
_ARGUMENTS: Mapping[str, tuple[Any, ...]] = {
    "AND": (3,),
    "AndGate": (3, [1, -1, 0]),
    "Barrier": (3,),
    "BitFlipOracleGate": ("(a & b) | ~c",),
    "BitwiseXorGate": (3, 5),
    "CDKMRippleCarryAdder": (2,),
    "CPhaseGate": (0.5,),
    "CRXGate": (0.5,),
    "CRYGate": (0.5,),
    "CRZGate": (0.5,),
    "CU1Gate": (0.5,),
    "CU3Gate": (0.5, -1.25, 2.75),
    "CUGate": (0.5, -1.25, 2.75, 0.125),
    "Diagonal": ([1, -1, 1j, 1],),
    "DiagonalGate": ([1, -1, 1j, 1],),
    "DraperQFTAdder": (2,),
    "EfficientSU2": (3,),
    "EvolvedOperatorAnsatz": (_HAMILTONIAN,),
    "ExactReciprocal": (3, 0.5),
    "ExactReciprocalGate": (3, 0.5),
    "ExcitationPreserving": (3,),
    "FourierChecking": ([1, -1, -1, -1], [1, 1, -1, -1]),
    "FullAdderGate": (2,),
    "GMS": (3, [[0, 0.5, 0.25], [0.5, 0, 0.125], [0.25, 0.125, 0]]),
    "GR": (3, 0.5, 0.25),
    "GRX": (3, 0.5),
    "GRY": (3, 0.5),
    "GRZ": (3, 0.5),
    "GlobalPhaseGate": (0.5,),
    "GraphState": (_GRAPH,),
    "GraphStateGate": (_GRAPH,),
    "GroverOperator": (_marked(),),
    "HRSCumulativeMultiplier": (2,),
    "HalfAdderGate": (2,),
    "HamiltonianGate": (_FLIP, 0.5),
    "HiddenLinearFunction": (_GRAPH,),
    "IQP": (_INTERACTIONS,),
    "Initialize": ([1, 0, 0, 1j], None, True),
    "InnerProduct": (2,),
    "InnerProductGate": (2,),
    "IntegerComparator": (3, 5),
    "IntegerComparatorGate": (3, 5),
    "Isometry": (np.eye(4)[:, :2], 0, 0),
    "LinearAmplitudeFunction": (3, 0.5, 0.25, (0, 1), (0, 1)),
    "LinearAmplitudeFunctionGate": (3, 0.5, 0.25, (0, 1), (0, 1)),
    "LinearFunction": ([[1, 1, 0], [0, 1, 0], [0, 1, 1]],),
    "LinearPauliRotations": (3, 0.5, 0.25),
    "LinearPauliRotationsGate": (3, 0.5, 0.25),
    "MCGupDiag": (_FLIP, 2, 0, 0),
    "MCMT": (library.ZGate(), 2, 2),
    "MCMTGate": (library.ZGate(), 2, 2),
    "MCMTVChain": (library.ZGate(), 2, 2),
    "MCPhaseGate": (0.5, 3),
    "MCU1Gate": (0.5, 3),
    "MCXGate": (3,),
    "MCXGrayCode": (4,),
    "MCXRecursive": (5,),
    "MCXVChain": (4,),
    "MSGate": (3, 0.5),
    "ModularAdderGate": (2,),
    "MultiplierGate": (2,),
    "NLocal": (3, library.RYGate(0.5), library.CXGate()),
    "OR": (3,),
    "OrGate": (3, [1, -1, 0]),
    "PauliEvolutionGate": (_HAMILTONIAN, 0.5),
    "PauliFeatureMap": (3,),
    "PauliGate": ("XYZ",),
    "PauliProductMeasurement": (Pauli("XYZ"),),
    "PauliProductRotationGate": (Pauli("XYZ"), 0.5),
    "PauliTwoDesign": (3, 3, 7),
    "Permutation": (4, [2, 0, 3, 1]),
    "PermutationGate": ([2, 0, 3, 1],),
    "PhaseEstimation": (3, _entangled()),
    "PhaseGate": (0.5,),
    "PhaseOracle": ("(a & b) | ~c",),
    "PhaseOracleGate": ("(a & b) | ~c",),
    "PiecewiseChebyshev": (1.0, 2, [0, 2, 4], 3),
    "PiecewiseChebyshevGate": (1.0, 3, 2, [0, 2, 4]),
    "PiecewiseLinearPauliRotations": (3, [0, 4], [0.5, 0.25], [0.125, 1.0]),
    "PiecewiseLinearPauliRotationsGate": (3, [0, 4], [0.5, 0.25], [0.125, 1.0]),
    "PiecewisePolynomialPauliRotations": (3, [0, 4], [[0.5, 0.25], [1.0, -0.5, 0.125]]),
    "PiecewisePolynomialPauliRotationsGate": (3, [0, 4], [[0.5, 0.25], [1.0, -0.5, 0.125]]),
    "PolynomialPauliRotations": (3, [0.5, 0.25, 0.125]),
    "PolynomialPauliRotationsGate": (3, [0.5, 0.25, 0.125]),
    "QAOAAnsatz": (_HAMILTONIAN, 2),
    "QFT": (4,),
    "QFTGate": (4,),
    "QuadraticForm": (3, [[1, 2], [-1, 0]], [1, -2], 3),
    "QuadraticFormGate": (3, [[1, 2], [-1, 0]], [1, -2], 3),
    "QuantumVolume": (3, 3, 7),
    "RGQFTMultiplier": (2,),
    "RGate": (0.5, 0.25),
    "RVGate": (0.5, 0.25, 0.125),
    "RXGate": (0.5,),
    "RXXGate": (0.5,),
    "RYGate": (0.5,),
    "RYYGate": (0.5,),
    "RZGate": (0.5,),
    "RZXGate": (0.5,),
    "RZZGate": (0.5,),
    "RealAmplitudes": (3,),
    "StatePreparation": ([1, 0, 0, 1j], None, False, None, True),
    "TwoLocal": (3, "ry", "cz"),
    "U1Gate": (0.5,),
    "U2Gate": (0.5, 0.25),
    "U3Gate": (0.5, -1.25, 2.75),
    "UCGate": ([_FLIP, _SIGN],),
    "UCPauliRotGate": ([0.5, 0.25, 0.125, 1.0], "X"),
    "UCRXGate": ([0.5, 0.25, 0.125, 1.0],),
    "UCRYGate": ([0.5, 0.25, 0.125, 1.0],),
    "UCRZGate": ([0.5, 0.25, 0.125, 1.0],),
    "UGate": (0.5, -1.25, 2.75),
    "UniformSuperpositionGate": (5,),
    "UnitaryGate": (_FLIP,),
    "UnitaryOverlap": (_entangled(), _entangled()),
    "VBERippleCarryAdder": (2,),
    "WeightedAdder": (3, [1, 2, 1]),
    "WeightedSumGate": (3, [1, 2, 1]),
    "XOR": (3, 5),
    "XXMinusYYGate": (0.5, 0.25),
    "XXPlusYYGate": (0.5, 0.25),
    "ZFeatureMap": (3,),
    "ZZFeatureMap": (3,),
    "efficient_su2": (3,),
    "evolved_operator_ansatz": (_HAMILTONIAN,),
    "excitation_preserving": (3,),
    "fourier_checking": ([1, -1, -1, -1], [1, 1, -1, -1]),
    "grover_operator": (_marked(),),
    "hamiltonian_variational_ansatz": (_HAMILTONIAN,),
    "hidden_linear_function": (_GRAPH,),
    "iqp": (_INTERACTIONS,),
    "n_local": (3, "ry", "cx"),
    "pauli_feature_map": (3,),
    "pauli_two_design": (3, 3, 7),
    "phase_estimation": (3, _entangled()),
    "qaoa_ansatz": (_HAMILTONIAN, 2),
    "quantum_volume": (3, 3, 7),
    "random_bitwise_xor": (3, 7),
    "random_iqp": (3, 7),
    "real_amplitudes": (3,),
    "unitary_overlap": (_entangled(), _entangled()),
    "z_feature_map": (3,),
    "zz_feature_map": (3,),
}


def library_names() -> list[str]:
    """The public names of the library that make something: classes and functions, no modules."""
    public = [name for name in dir(library) if not name.startswith("_")]
    return [name for name in public if callable(getattr(library, name)) and name not in NOT_CIRCUITS]


def library_program(name: str) -> str:
    """What Qiskit exports of one of them, its parameters bound to numbers, measured where it measures nothing.

    Raises:
        CircuitError, QASM3Error: it cannot be made, or Qiskit cannot export it.
    """
    return exported(_measured(library_circuit(name)))


def library_circuit(name: str) -> QuantumCircuit:
    """A circuit of one of them, its parameters bound to numbers.

    Raises:
        CircuitError: it cannot be made.
    """
    return _bound(_circuit(getattr(library, name)(*_ARGUMENTS.get(name, ()))))


def _circuit(made: Any) -> QuantumCircuit:
    if isinstance(made, QuantumCircuit):
        return made.copy()
    circuit = QuantumCircuit(made.num_qubits, made.num_clbits)
    circuit.append(made, range(made.num_qubits), range(made.num_clbits))
    return circuit


def _bound(circuit: QuantumCircuit) -> QuantumCircuit:
    return circuit.assign_parameters([0.125 * (place + 1) for place in range(circuit.num_parameters)])


def _measured(circuit: QuantumCircuit) -> QuantumCircuit:
    if not circuit.num_clbits and circuit.num_qubits:
        circuit.measure_all()
    return circuit


def exported(circuit: QuantumCircuit) -> str:
    """The circuit's text, taken apart only as far as the exporter needs it."""
    for _ in range(_MAX_DECOMPOSITIONS):
        try:
            return str(qasm3.dumps(circuit))
        except (QASM3Error, TypeError):  # of gates with matrices it raises TypeError
            circuit = circuit.decompose()
    return str(qasm3.dumps(circuit))
