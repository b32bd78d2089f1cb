// Grover's search for one of eight items, |101>, with two iterations: found 94.5 % of the time.
OPENQASM 3.0;
include "stdgates.inc";

// Flips the sign of |101>.
gate oracle a, b, c {
  x b;
  ctrl(2) @ z a, b, c;
  x b;
}

// Reflects about the uniform superposition.
gate diffusion a, b, c {
  h a; h b; h c;
  x a; x b; x c;
  ctrl(2) @ z a, b, c;
  x a; x b; x c;
  h a; h b; h c;
}

qubit[3] q;
bit[3] found;

h q;

oracle q[0], q[1], q[2];
diffusion q[0], q[1], q[2];

oracle q[0], q[1], q[2];
diffusion q[0], q[1], q[2];

found = measure q;
