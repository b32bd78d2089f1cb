"""Finds the known name that was probably meant by an unknown one, for messages about OpenQASM 3 and 2."""

from collections.abc import Collection, Iterable

from ketline.execution.frontend.mistakes.characters import described, folded, foreign_letter

# Names of gates in other tools and textbooks.
_SYNONYMS = {
    "cnot": "cx", "not": "x", "toffoli": "ccx", "ccnot": "ccx", "hadamard": "h", "had": "h", "fredkin": "cswap",
    "phase": "p", "cphase": "cp", "paulix": "x", "pauliy": "y", "pauliz": "z", "sdag": "sdg", "sdagger": "sdg",
    "tdag": "tdg", "tdagger": "tdg", "sqrtx": "sx", "u": "U", "rotx": "rx", "roty": "ry", "rotz": "rz", "mcx": "ccx",
    "i": "id", "identity": "id", "cu1": "cp", "controlledx": "cx", "controlledz": "cz", "measurement": "measure",
    "qbit": "qubit", "qubits": "qubit", "qbits": "qubit", "cbit": "bit", "bits": "bit", "integer": "int",
    "boolean": "bool", "double": "float", "string": "bit", "true": "true", "false": "false", "none": "false",
}  # fmt: skip


def suggestion(name: str, known: Collection[str]) -> str | None:
    """The known name that was probably meant by another."""
    latin = folded(name)
    if latin != name and latin in known:
        return latin
    for candidate in (_SYNONYMS.get(_key(latin)), *_same_but_for_case(latin, known)):
        if candidate is not None and candidate in known and candidate != name:
            return candidate
    return _nearest(latin, known)


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The end of a message about an unknown name: ': did you mean ...?', or nothing."""
    found = suggestion(name, known)
    if found is None:
        return ""
    letter = foreign_letter(name)
    if letter is not None and folded(name) == found:
        return f": its letter '{letter}' is {described(letter)}, so write '{found}' in Latin letters"
    return f": did you mean '{found}'?"


def _key(name: str) -> str:
    return name.lower().replace("_", "")


def _same_but_for_case(name: str, known: Iterable[str]) -> list[str]:
    return sorted(candidate for candidate in known if _key(candidate) == _key(name))


def _nearest(name: str, known: Iterable[str]) -> str | None:
    most = 0 if len(name) < 3 else 1 if len(name) < 6 else 2
    if not most or len(name) > 40:
        return None
    near = (one for one in known if len(one) > 1 and abs(len(one) - len(name)) <= most)
    found = min(((_distance(name.lower(), one.lower()), one) for one in near), default=None)
    return found[1] if found is not None and found[0] <= most else None


def _distance(one: str, other: str) -> int:
    """The number of letters that are changed, added, left out or swapped with their neighbour.

    Source: the optimal string alignment distance, as in Boytsov, "Indexing methods for approximate dictionary
    searching", ACM Journal of Experimental Algorithmics 16 (2011).
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        previous, row, older = row, [i], before
        for j, against in enumerate(other, 1):
            cost = min(previous[j] + 1, row[j - 1] + 1, previous[j - 1] + (letter != against))
            if older and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                cost = min(cost, older[j - 2] + 1)
            row.append(cost)
        before = previous
    return row[-1]
