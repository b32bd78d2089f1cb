// Teleportation: Alice's state reaches Bob through a Bell pair and two classical bits.
OPENQASM 3.0;
include "stdgates.inc";

qubit message;
qubit alice;
qubit bob;
bit[2] m;        // what Alice tells Bob
bit[1] received;

// The state to send: cos(pi/6)|0> + sin(pi/6)|1>, so Bob should find 1 a quarter of the time.
ry(pi / 3) message;

// A Bell pair shared by Alice and Bob.
h alice;
cx alice, bob;

// Alice measures her two qubits in the Bell basis.
cx message, alice;
h message;
m[0] = measure message;
m[1] = measure alice;

// Bob corrects what he holds by what he is told.
if (m[1]) { x bob; }
if (m[0]) { z bob; }

received[0] = measure bob;
