"""Groups Pauli operators that can be measured at once: on each qubit, all of a group have the same letter, or I.

Source: P. Gokhale et al., arXiv:1907.13623, section 3 (qubit-wise commuting partitions); first fit, wide terms first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ketline.domain.results.estimation import weight_of
from ketline.domain.results.observable import Observable

_LETTERS = "IXYZ"


@dataclass(frozen=True, slots=True)
class Term:
    """A Pauli operator of an observable, by the declared qubits that it acts on."""

    factor: float
    qubits: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Basis:
    """The letter in which each qubit is measured, and the terms of each observable, by its index, that this gives."""

    letters: Mapping[int, str]
    terms: Mapping[int, Sequence[Term]] = field(default_factory=dict)

    def weight(self, observable: int) -> float:
        """As `weight_of`, of the terms of an observable that this basis gives."""
        return sum(abs(term.factor) for term in self.terms.get(observable, ()))


@dataclass(frozen=True, slots=True)
class MeasuredSums:
    """Observables as what is measured, and for each the part that is not: its coefficient of the identity."""

    constants: Sequence[float]
    weights: Sequence[float]
    bases: Sequence[Basis]


def measured_sums(observables: Sequence[Observable], dephased: frozenset[int]) -> MeasuredSums:
    """The bases of observables; terms with X or Y on `dephased` qubits are 0 and not measured."""
    width = len(next(iter(observables[0])))
    measured = [
        (label, factor, number)
        for number, observable in enumerate(observables)
        for label, factor in observable.items()
        if label.strip("I") and not any(label[width - 1 - qubit] in "XY" for qubit in dephased)
    ]
    labels = sorted({label for label, _, _ in measured}, key=lambda label: (label.count("I"), label))
    group_of, letters = _groups_of(labels)
    terms: list[dict[int, list[Term]]] = [{} for _ in letters]
    for label, factor, number in measured:
        qubits = tuple(width - 1 - index for index, letter in enumerate(label) if letter != "I")
        terms[group_of[label]].setdefault(number, []).append(Term(factor, qubits))
    return MeasuredSums(
        [observable.get("I" * width, 0.0) for observable in observables],
        [weight_of(observable.items()) for observable in observables],
        [Basis(own, of_basis) for own, of_basis in zip(letters, terms, strict=True)],
    )


def _groups_of(labels: Sequence[str]) -> tuple[Mapping[str, int], Sequence[Mapping[int, str]]]:
    """The number of the group of each label, and the letter of each qubit in each group."""
    if not labels:
        return {}, []
    width = len(labels[0])
    codes = np.searchsorted(
        np.frombuffer(_LETTERS.encode(), np.uint8), np.frombuffer("".join(labels).encode(), np.uint8)
    )
    letters_of = codes.astype(np.uint8).reshape(len(labels), width)
    groups = np.zeros((1, width), dtype=np.uint8)
    used = 0
    found = {}
    for label, code in zip(labels, letters_of, strict=True):
        columns = np.flatnonzero(code)
        letters = groups[:used, columns]
        fits = ((letters == 0) | (letters == code[columns])).all(axis=1)
        group = int(fits.argmax()) if fits.any() else used
        if group == used:
            used += 1
            if used > len(groups):
                groups = np.concatenate([groups, np.zeros_like(groups)])
        groups[group, columns] = code[columns]
        found[label] = group
    return found, [
        {width - 1 - int(index): _LETTERS[group[index]] for index in np.flatnonzero(group)[::-1]}
        for group in groups[:used]
    ]
