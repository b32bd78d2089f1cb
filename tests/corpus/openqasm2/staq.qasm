// counts: 1011
OPENQASM 2.0;
include "qelib1.inc";

gate maj a,b,c {
	cx c, b;
	cx c, a;
	ccx a, b, c;
}
gate uma a,b,c { ccx a,b,c; cx c,a; cx a,b; }

/// adds 5 and 6 without a carry in
qreg cin[1];
qreg a[3];
qreg b[3];
qreg cout[1];
creg ans[4];
x a[0];
x a[2];
x b[1];
x b[2];
maj cin[0],b[0],a[0];
maj a[0],b[1],a[1];
maj a[1],b[2],a[2];
cx a[2],cout[0];
uma a[1],b[2],a[2];
uma a[0],b[1],a[1];
uma cin[0],b[0],a[0];
measure b[0] -> ans[0];
measure b[1] -> ans[1];
measure b[2] -> ans[2];
measure cout[0] -> ans[3];
