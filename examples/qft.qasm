// The quantum Fourier transform on four qubits finds the period of a superposition.
OPENQASM 3.0;
include "stdgates.inc";

qubit[4] q;   // q[3] is the most significant
bit[4] c;

// |0> + |4> + |8> + |12>: period 4.
h q[2];
h q[3];

barrier q;

h q[3];
cp(pi / 2) q[2], q[3];
cp(pi / 4) q[1], q[3];
cp(pi / 8) q[0], q[3];

h q[2];
cp(pi / 2) q[1], q[2];
cp(pi / 4) q[0], q[2];

h q[1];
cp(pi / 2) q[0], q[1];

h q[0];

swap q[0], q[3];
swap q[1], q[2];

c = measure q;   // multiples of 16 / 4: 0000, 0100, 1000, 1100
