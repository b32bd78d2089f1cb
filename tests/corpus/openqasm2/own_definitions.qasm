// counts: 11
// Names of qelib1.inc with other meanings, and registers with the names of its gates.
OPENQASM 2.0;
include "qelib1.inc";
gate x a { U(0,0,0) a; }
gate rzz(t) a,b { U(t,0,0) b; }
gate unitary a { }
gate h(t) a { rx(t*(1/2)) a; rx(t/2) a; }
qreg t[2];
creg s[2];
x t[0];
rzz(pi) t[0],t[1];
unitary t;
h(pi) t[0];
measure t -> s;
