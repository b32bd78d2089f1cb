"""The types of observables and their values."""

from collections.abc import Mapping, Sequence

# A sum of Pauli operators: coefficients by label, whose rightmost letter belongs to qubit 0.
Observable = Mapping[str, float]


# The observables of a task, the same at each point of a sweep or a list for each point; and their values, likewise.
Observables = Sequence[Observable] | Sequence[Sequence[Observable]]


ExpectationValues = Sequence[float] | Sequence[Sequence[float]]
