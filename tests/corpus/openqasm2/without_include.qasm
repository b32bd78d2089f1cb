// counts: 11
OPENQASM 2.0;
qreg q[2];
creg c[2];
U(pi,0,pi) q[0];
CX q[0],q[1];
h q[0];
rz(2^3*pi/8) q[0];
h q[0];
x q[0];
measure q -> c;
