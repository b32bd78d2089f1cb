"""The second front end: converts most OpenQASM 3 programs, on top of qiskit-qasm3-import."""
