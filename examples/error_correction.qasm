// One round of the three-qubit bit-flip code: encode, suffer an error, find it by its syndrome, correct it.
OPENQASM 3.0;
include "stdgates.inc";

qubit[3] data;
qubit ancilla;
bit[2] syndrome;
bit[3] readout;

// The logical state: cos(pi/3)|0> + sin(pi/3)|1>, so three quarters of the readouts should be 111.
ry(2 * pi / 3) data[0];
cx data[0], data[1];
cx data[0], data[2];

// The error: a bit flip on the middle qubit.
x data[1];

// Parity of the first two qubits, then of the last two, with the same ancilla.
cx data[0], ancilla;
cx data[1], ancilla;
syndrome[0] = measure ancilla;
reset ancilla;
cx data[1], ancilla;
cx data[2], ancilla;
syndrome[1] = measure ancilla;

// Each syndrome names the qubit to flip back.
if (syndrome == 1) { x data[0]; }
if (syndrome == 2) { x data[2]; }
if (syndrome == 3) { x data[1]; }

readout = measure data;
