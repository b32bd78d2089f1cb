// counts: 111 11
OPENQASM 2.0;
include "qelib1.inc";
opaque delay(param0) q0;
gate rzx(param0) q0,q1 { h q1; cx q0,q1; rz(param0) q1; cx q0,q1; h q1; }
gate ecr q0,q1 { rzx(pi/4) q0,q1; x q0; rzx(-pi/4) q0,q1; }
gate gate_QFT_dg(param0) q0,q1 { swap q0,q1; h q0; cu1(param0) q0,q1; h q1; }
gate circuit_140213 q0 { u3(pi,0.0,pi) q0; }
qreg q[3];
qreg ancilla[2];
creg c[2];
creg meas[3];
u2(0,pi) q[0];
u2(-pi,0) q[0];
delay(160) q[0];
circuit_140213 q[1];
u1(pi/8) q[1];
barrier q[0],q[1],q[2],ancilla[0],ancilla[1];
cu3(pi,0,pi) q[1],q[2];
ecr ancilla[0],ancilla[1];
x ancilla[0];
gate_QFT_dg(-pi/2) ancilla[0],ancilla[1];
reset ancilla[0];
reset ancilla[1];
x ancilla[0];
x ancilla[1];
measure ancilla[0] -> c[0];
measure ancilla[1] -> c[1];
measure q[0] -> meas[0];
measure q[1] -> meas[1];
measure q[2] -> meas[2];
