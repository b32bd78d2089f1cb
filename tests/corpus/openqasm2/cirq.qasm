// Generated from Cirq v1.4.1
// counts: 0 11, 1 11

OPENQASM 2.0;
include "qelib1.inc";


// Qubits: [q(0), q(1), q(2)]
qreg q[3];
creg m_result[2];
creg m2[1];  // Measurement: other key


x q[0];
cx q[0],q[1];

// Gate: PhasedXZGate(axis_phase_exponent=0.25, x_exponent=0.5, z_exponent=0.5)
u3(pi*0.5,pi*1.25,pi*0.25) q[2];

// Gate: CZ**0.5
rx(pi*0.5) q[1];
rz(pi*-0.0) q[1];
rx(pi*-0.5) q[1];
sx q[1];
sxdg q[1];

// Gate: FSimGate(theta=0.0, phi=0.0)
ry(pi*0.5) q[2];
ry(pi*-0.5) q[2];
measure q[0] -> m_result[0];
measure q[1] -> m_result[1];
measure q[2] -> m2[0];
