"""Observables: sums of Pauli operators, whose expectation values a task computes instead of counts."""

from collections.abc import Mapping, Sequence

from ketline.domain.results.observable import Observable, Observables


def observables_at(observables: Observables, points: int) -> Sequence[Sequence[Observable]]:
    """The observables of each point of a sweep; any other task has one point.

    Raises:
        ValueError: there are observables for another number of points.
    """
    same = [observable for observable in observables if isinstance(observable, Mapping)]
    own = [at_point for at_point in observables if not isinstance(at_point, Mapping)]
    if same:
        return [same] * points
    if len(own) != points:
        raise ValueError(f"observables for {len(own)} points, of which there are {points}")
    return own


def least_bound(observables: Observables) -> float:
    """The bound of the observable that has the least: no value is further from 0 than the sizes of coefficients add up.

    There is at least one observable.
    """
    return min(
        sum(map(abs, one.values())) for item in observables for one in ([item] if isinstance(item, Mapping) else item)
    )
