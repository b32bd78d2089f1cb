// A Bell pair: two qubits that always agree, though each alone is a fair coin.
OPENQASM 3.0;
include "stdgates.inc";

qubit[2] q;
bit[2] c;

h q[0];
cx q[0], q[1];

c = measure q;   // 00 and 11, half of the time each
