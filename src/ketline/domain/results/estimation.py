"""How many shots an estimate of expectation values needs: the API and the simulator's process both compute it."""

import math
from collections.abc import Iterable, Mapping, Sequence

from ketline.domain.results.observable import Observable, Observables


def weight_of(terms: Iterable[tuple[str, float]]) -> float:
    """The sum of the sizes of coefficients, but of identities, which are not measured: a bound on the deviation."""
    return math.fsum(abs(factor) for label, factor in terms if label.strip("I"))


def shots_for(observables: Observables, precision: float) -> int:
    """The number of shots, over all bases, with which each observable has a standard error of at most `precision`.

    It holds for every state: a shot of a sum of Pauli operators is at most the sum of its coefficients, and shots are
    given to each basis in proportion to its own. At least 1; 2^63 - 1 where it is larger.
    """
    weights = [weight_of(observable.items()) for observable in _all_of(observables)]
    return shots_of_basis(max(weights, default=0.0), max(weights, default=0.0), precision)


def shots_of_basis(whole: float, own: float, precision: float) -> int:
    """The shots of a basis whose terms have the weight `own`, of an observable with the weight `whole`.

    Source: the allocation that minimises the sum of own²/shots over all bases at a fixed number of shots.
    """
    if not whole or not own:
        return 1
    # In logarithms: squares of what a request may contain overflow.
    needed = math.log2(whole) + math.log2(own) - 2 * math.log2(precision)
    if needed >= 63:
        return 2**63 - 1
    shots: float = 2.0**needed
    return max(1, math.ceil(shots * (1 - 1e-12)))


def _all_of(observables: Observables) -> Sequence[Observable]:
    return [one for item in observables for one in ([item] if isinstance(item, Mapping) else item)]
