"""The words of the language, the forms of its statements, and corresponding words of other languages.

All checks and rules of this folder recognise words by it.
"""

from ketline.execution.frontend.scanner.lexicon import KEYWORDS as _SCANNED

KEYWORDS = _SCANNED | {"negctrl", "nop"}
TYPES = frozenset({"qubit", "bit", "bool", "int", "uint", "float", "angle", "complex", "duration", "stretch", "array"})
OLD_TYPES = frozenset({"qreg", "creg"})
MODIFIERS = frozenset({"ctrl", "negctrl", "inv", "pow"})
# Words that only begin a statement: if one is in the middle of a statement, a ';' is missing before it.
BEGINNINGS = (
    TYPES
    | OLD_TYPES
    | {"include", "gate", "def", "if", "for", "while", "switch", "box", "let", "const", "input", "output", "extern"}
    | {"reset", "barrier", "delay", "break", "continue", "return", "end", "ctrl", "negctrl", "gphase", "cal", "defcal"}
)

# The form of a statement, by its first word.
FORMS = {
    "include": "'include \"stdgates.inc\";'",
    "qubit": "'qubit[2] q;'",
    "qreg": "'qubit[2] q;', or 'qreg q[2];' in the old style",
    "bit": "'bit[2] c;'",
    "creg": "'bit[2] c;', or 'creg c[2];' in the old style",
    "bool": "'bool b = true;'",
    "int": "'int[32] n = 0;'",
    "uint": "'uint[8] n = 0;'",
    "float": "'float[64] x = 0.5;'",
    "angle": "'angle[16] a = pi / 2;'",
    "array": "'array[int[8], 3] a = {1, 2, 3};'",
    "const": "'const int n = 3;'",
    "input": "'input float theta;'",
    "output": "'output bit[2] c;'",
    "gate": "'gate g(theta) a, b { rx(theta) a; cx a, b; }'",
    "def": "'def f(qubit q, int n) -> bit { return measure q; }'",
    "if": "'if (c == 1) { x q; }'",
    "else": "'if (c == 1) { x q; } else { y q; }'",
    "while": "'while (c == 1) { x q; }'",
    "for": "'for int i in [0:3] { x q[i]; }'",
    "switch": "'switch (n) { case 1 { x q; } default { y q; } }'",
    "case": "'case 1, 2 { x q; }'",
    "box": "'box { x q; }'",
    "let": "'let a = q[0:1];'",
    "measure": "'c[0] = measure q[0];'",
    "reset": "'reset q[0];'",
    "barrier": "'barrier q;'",
    "delay": "'delay[100ns] q;'",
    "return": "'return c;'",
    "ctrl": "'ctrl @ x q[0], q[1];'",
    "negctrl": "'negctrl @ x q[0], q[1];'",
    "inv": "'inv @ s q[0];'",
    "pow": "'pow(0.5) @ x q[0];'",
    "gphase": "'gphase(pi / 2);'",
}
A_GATE_CALL = "'rx(pi / 2) q[0];' or 'cx q[0], q[1];'"

PYTHON_OPERATORS = {"and": "&&", "or": "||", "not": "!", "is": "=="}
PYTHON_VALUES = {"True": "true", "False": "false", "None": "0"}
