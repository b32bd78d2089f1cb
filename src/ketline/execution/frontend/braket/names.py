"""The names of Amazon Braket's gates, with the gates of `GATE_TABLE` that they stand for.

Source: Amazon Braket's documentation, "Supported OpenQASM features", and braket_gates.inc of its default simulator.
"""

from collections.abc import Mapping

# Gates that stdgates.inc has by the same name and with the same meaning.
SHARED = frozenset(["cswap", "cy", "cz", "h", "rx", "ry", "rz", "s", "swap", "t", "x", "y", "z"])
# Names that only Braket has, with the names of the same gates in `GATE_TABLE`.
ALIASES: Mapping[str, str] = {
    "ccnot": "ccx",
    "cnot": "cx",
    "cphaseshift": "cp",
    "cv": "csx",
    "ecr": "ecr",
    "i": "id",
    "iswap": "iswap",
    "phaseshift": "p",
    "prx": "r",
    "si": "sdg",
    "ti": "tdg",
    "v": "sx",
    "vi": "sxdg",
    "xx": "rxx",
    "yy": "ryy",
    "zz": "rzz",
}
# Gates that are not in `GATE_TABLE`; `gates.py` composes them of others.
COMPOSITE = frozenset(["cphaseshift00", "cphaseshift01", "cphaseshift10", "gpi", "gpi2", "ms", "pswap", "xy"])
ONLY_BRAKET = frozenset(ALIASES) | COMPOSITE
BRAKET = SHARED | ONLY_BRAKET
# Names of stdgates.inc that Braket does not have, with Braket's names of the same gates.
OF_STANDARD: Mapping[str, str] = {gate: name for name, gate in ALIASES.items() if gate != name} | {
    "CX": "cnot",
    "cphase": "cphaseshift",
    "phase": "phaseshift",
    "u1": "phaseshift",
}
