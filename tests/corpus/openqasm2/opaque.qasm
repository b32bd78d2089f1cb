// counts: 1
OPENQASM 2.0;
include "qelib1.inc";
opaque magic(theta) a,b;
gate never a,b { magic(pi/2) a,b; }
qreg q[2];
creg c[1];
x q[0];
id q[1];
u0(1) q[0];
measure q[0] -> c[0];
