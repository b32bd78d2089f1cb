"""How far two sets of counts are apart, and how far they may be if one distribution lies behind both."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from random import Random

# Wider outcomes are folded to as many bits, or there would be more outcomes than shots and nothing to compare.
_BITS = 6
_PARITY_FOLDS = 4
# The chance that equal distributions come out farther apart than the bound.
FALSE_ALARM = 1e-9

_Fold = Callable[[int], int]


def distance(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The largest total variation distance between two sets of counts over all folds of their outcomes."""
    width = len(_bits(next(iter(one))))
    return max(_variation(_folded(one, fold), _folded(other, fold)) for fold in _folds(width))


def bound(width: int, shots: int, other_shots: int) -> float:
    """What the distance of two samples of the same distribution stays under, but for `FALSE_ALARM`.

    Its expectation is at most sqrt(K (1/N + 1/M)) / 2 for K outcomes (Jensen and Cauchy-Schwarz); one shot changes it
    by at most 1/N or 1/M, which bounds how far it comes above that. All folds together share the false alarm.

    Source: C. McDiarmid, On the method of bounded differences, Surveys in Combinatorics (1989).
    """
    inverse = 1 / shots + 1 / other_shots
    outcomes = 1 << min(width, _BITS)
    return math.sqrt(outcomes * inverse) / 2 + math.sqrt(math.log(len(_folds(width)) / FALSE_ALARM) * inverse / 2)


def _folds(width: int) -> Sequence[_Fold]:
    """Each bit is in some window of neighbours, and all bits together are seen by parities of random ones of them."""
    if width <= _BITS:
        return [lambda outcome: outcome]
    starts = [*range(0, width - _BITS, _BITS), width - _BITS]
    random = Random(width)
    parities = [[random.getrandbits(width) for _ in range(_BITS)] for _ in range(_PARITY_FOLDS)]
    return [*(_window(start) for start in starts), *(_parity(masks) for masks in parities)]


def _window(start: int) -> _Fold:
    return lambda outcome: outcome >> start & (1 << _BITS) - 1


def _parity(masks: Sequence[int]) -> _Fold:
    return lambda outcome: sum(((outcome & mask).bit_count() & 1) << place for place, mask in enumerate(masks))


def _folded(counts: Mapping[str, int], fold: _Fold) -> Counter[int]:
    folded: Counter[int] = Counter()
    for key, count in counts.items():
        folded[fold(int(_bits(key), 2))] += count
    return folded


def _bits(key: str) -> str:
    return key.replace(" ", "")


def _variation(one: Counter[int], other: Counter[int]) -> float:
    shots, other_shots = one.total(), other.total()
    return sum(abs(one[key] / shots - other[key] / other_shots) for key in one | other) / 2
