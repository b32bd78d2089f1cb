"""Decodes QPY, Qiskit's binary format of circuits, from base64 and checks its header, without Qiskit.

Source: Qiskit's `qpy` module documentation, "QPY Format", FILE_HEADER_V10 and the type key that follows it.
"""

import binascii
from struct import Struct

from ketline.domain.errors import QpyInvalid, QpyVersionUnsupported

MAGIC = b"QISKIT"
# Versions before 13 have symbolic expressions as text for sympy, which evaluates it.
VERSIONS = range(13, 19)

_HEADER = Struct("!6sB3BQcc")  # magic, version, Qiskit's version, number of programs, symbols, kind of program
_NATIVE_SYMBOLS = b"p"
_CIRCUIT = b"q"
_NO_BASE64 = "must be base64: the standard alphabet, padded, without line breaks"


def decoded(text: str) -> bytes:
    """Decode the base64 text of a QPY file with one circuit, and check only its header.

    Raises:
        QpyInvalid: the text is not such a file.
        QpyVersionUnsupported: the file has a version that the service does not read.
    """
    try:
        data = binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise QpyInvalid(_NO_BASE64) from error
    if len(text) % 4:
        raise QpyInvalid(_NO_BASE64)  # a padding too many is not noticed above
    _check_header(data)
    return data


def _check_header(data: bytes) -> None:
    if not data.startswith(MAGIC) or len(data) < _HEADER.size:
        raise QpyInvalid("must be a QPY file, as `qiskit.qpy.dump` writes it, in base64")
    _, version, *_, programs, symbols, kind = _HEADER.unpack_from(data)
    if version not in VERSIONS:
        raise QpyVersionUnsupported(
            f"is QPY version {version}; this service reads versions {VERSIONS[0]} to {VERSIONS[-1]}: "
            f"write it with qpy.dump(circuit, file, version={VERSIONS[-1] if version > VERSIONS[-1] else VERSIONS[0]})"
        )
    if programs != 1:
        raise QpyInvalid(f"must hold exactly one circuit, not {programs}")
    if kind != _CIRCUIT:
        raise QpyInvalid("must hold a circuit, not a pulse schedule")
    if symbols != _NATIVE_SYMBOLS:
        raise QpyInvalid("must not be written with use_symengine=True")
