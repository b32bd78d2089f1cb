// Benchmark was created by MQT Bench on 2024-03-18
// For more information about MQT Bench, please visit https://www.cda.cit.tum.de/mqtbench/
// MQT Bench version: 1.1.0
// Qiskit version: 1.0.2
// counts: 1011

OPENQASM 2.0;
include "qelib1.inc";
gate mcphase(param0) q0,q1,q2 { cu1(param0/2) q1,q2; cx q1,q0; cu1(-param0/2) q0,q2; cx q1,q0; cu1(param0/2) q0,q2; }
gate gate_oracle q0,q1,q2,q3,q4 { x q4; h q4; cx q0,q4; cx q1,q4; cx q3,q4; h q4; x q4; }
qreg q[5];
creg c[4];
h q[0];
h q[1];
h q[2];
h q[3];
gate_oracle q[0],q[1],q[2],q[3],q[4];
h q[0];
h q[1];
h q[2];
h q[3];
mcphase(pi/3) q[0],q[1],q[2];
barrier q[0],q[1],q[2],q[3],q[4];
measure q[0] -> c[0];
measure q[1] -> c[1];
measure q[2] -> c[2];
measure q[3] -> c[3];
