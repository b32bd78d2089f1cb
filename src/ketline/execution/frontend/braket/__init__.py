"""Amazon Braket's dialect of OpenQASM 3: its gates without an include, its pragmas, and its measurement of all qubits.

`program.py` and `mistakes` call it; see specs/braket.md.
"""

from ketline.execution.frontend.braket.dialect import Dialect, check_dialect, dialect_of
from ketline.execution.frontend.braket.measurement import with_all_measured
from ketline.execution.frontend.braket.pragmas import apply_pragmas

__all__ = ["Dialect", "apply_pragmas", "check_dialect", "dialect_of", "with_all_measured"]
