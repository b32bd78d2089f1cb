"""How results of tasks become results of Qiskit's, and what tasks store so that another process can make them."""
