// A hardware-efficient variational ansatz: layers of rotations and a ring of CNOTs, with angles as an optimizer left them.
OPENQASM 3.0;
include "stdgates.inc";

gate rotations(a, b, c, d) q0, q1, q2, q3 {
  ry(a) q0; rz(a / 2) q0;
  ry(b) q1; rz(b / 2) q1;
  ry(c) q2; rz(c / 2) q2;
  ry(d) q3; rz(d / 2) q3;
}

gate ring q0, q1, q2, q3 {
  cx q0, q1;
  cx q1, q2;
  cx q2, q3;
  cx q3, q0;
}

qubit[4] q;
bit[4] c;

rotations(0.412, -1.207, 2.318, 0.873) q[0], q[1], q[2], q[3];
ring q[0], q[1], q[2], q[3];
rotations(1.571, 0.334, -0.719, 1.102) q[0], q[1], q[2], q[3];
ring q[0], q[1], q[2], q[3];
rotations(-0.255, 0.981, 0.127, -1.640) q[0], q[1], q[2], q[3];

c = measure q;
