// A GHZ state on eight qubits, made with a loop: all zeros or all ones.
OPENQASM 3.0;
include "stdgates.inc";

qubit[8] q;
bit[8] c;

h q[0];
for int i in [0:6] {   // ranges include both ends
  cx q[i], q[i + 1];
}

c = measure q;
