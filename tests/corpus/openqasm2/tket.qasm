// counts: 01 1 1
OPENQASM 2.0;
include "qelib1.inc";

gate zzphase(alpha) q0,q1 { cx q0,q1; rz(alpha*1.0) q1; cx q0,q1; }
qreg q[2];
qreg node[2];
creg c[1];
creg tk_SCRATCH_BIT[1];
creg out[2];
rz(0.5*pi) q[0];
rx(1.0*pi) q[0];
rz(3.5*pi) q[0];
measure q[0] -> c[0];
if(c==1) x node[0];
if(c==0) x node[1];
if(c==1) u3(3.0*pi,0.5*pi,1.5*pi) q[1];
zzphase(0.25*pi) node[0],node[1];
barrier node[0],node[1];
measure q[1] -> tk_SCRATCH_BIT[0];
measure node[0] -> out[0];
measure node[1] -> out[1];
