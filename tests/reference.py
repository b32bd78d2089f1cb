"""What programs should give, computed without any of Ketline's execution code, and a test of counts against it."""

import math
from collections.abc import Mapping
from pathlib import Path

from qiskit import qasm3
from qiskit.quantum_info import Statevector

EXAMPLES = Path(__file__).parent.parent / "examples"
FALSE_ALARM_RATE = 1e-9


def terminal_probabilities(text: str) -> dict[str, float]:
    """The distribution of a program that measures all its qubits once, in order, at its end into one register.

    Qiskit's own importer and its dense statevector; keys have bit 0 rightmost.
    """
    circuit = qasm3.loads(text)
    circuit.remove_final_measurements(inplace=True)
    probabilities = Statevector.from_instruction(circuit).probabilities_dict()
    return {str(key): float(value) for key, value in probabilities.items() if value > 1e-12}


def assert_counts_match(
    counts: Mapping[str, int],
    probabilities: Mapping[str, float],
    shots: int,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> None:
    """Fail when counts are not a plausible sample of `shots` draws from these probabilities.

    A right sampler fails this at most once in 1/`false_alarm_rate` calls, for any number of shots: for each of the k
    outcomes, an observed frequency f of an outcome of probability p is rejected when n KL(f || p) > ln(2k / rate), and
    the Chernoff bound says that a binomial count strays so far, to either side, with probability at most rate / k.
    Outcomes of probability 0 must not occur at all.

    Source: Arratia and Gordon, "Tutorial on large deviations for the binomial distribution", Bull. Math. Biol. 51
    (1989), Theorem 1; the union bound over outcomes.
    """
    assert sum(counts.values()) == shots, f"{sum(counts.values())} counts for {shots} shots"
    assert math.isclose(sum(probabilities.values()), 1, abs_tol=1e-9), "the reference is no distribution"
    impossible = {key: count for key, count in counts.items() if count and not probabilities.get(key)}
    assert not impossible, f"outcomes that cannot occur: {impossible}"
    threshold = math.log(2 * len(probabilities) / false_alarm_rate)
    for key, probability in probabilities.items():
        observed = counts.get(key, 0)
        distance = shots * _divergence(observed / shots, probability)
        assert distance <= threshold, f"{key}: {observed} of {shots} is implausible at probability {probability:.6f}"


def assert_samples_agree(
    one: Mapping[str, int], other: Mapping[str, int], false_alarm_rate: float = FALSE_ALARM_RATE
) -> None:
    """Fail when two samples are not plausible as draws from one distribution, which need not be known.

    Equal distributions fail this at most once in 1/`false_alarm_rate` calls, for any numbers of shots: for each of the
    k outcomes seen, n KL(f || p) + m KL(g || p) is compared, with p the frequency in both samples, which minimises the
    sum. Each term exceeds x with probability at most 2 exp(-x), so their sum exceeds t with probability at most
    4 (1 + t) exp(-t).
    """
    shots, others = sum(one.values()), sum(other.values())
    outcomes = one.keys() | other.keys()
    threshold = 1.0
    while 4 * (1 + threshold) * math.exp(-threshold) > false_alarm_rate / len(outcomes):
        threshold += 0.1
    for key in outcomes:
        found, again = one.get(key, 0), other.get(key, 0)
        pooled = (found + again) / (shots + others)
        distance = shots * _divergence(found / shots, pooled) + others * _divergence(again / others, pooled)
        assert distance <= threshold, f"{key}: {found} of {shots}, and {again} of {others}"


def _divergence(frequency: float, probability: float) -> float:
    """Kullback-Leibler divergence in nats between coins that fall heads this often."""
    total = 0.0
    for observed, expected in ((frequency, probability), (1 - frequency, 1 - probability)):
        if observed > 0:
            total += observed * math.log(observed / expected) if expected > 0 else math.inf
    return total


def _example(name: str) -> str:
    return (EXAMPLES / name).read_text()


# Programs with loops or feedback have outcomes known from theory; the others are computed.
EXPECTED: dict[str, dict[str, float]] = {
    **{
        name: terminal_probabilities(_example(name)) for name in ("ansatz.qasm", "bell.qasm", "grover.qasm", "qft.qasm")
    },
    "error_correction.qasm": {"000 11": 0.25, "111 11": 0.75},
    "ghz.qasm": {"0" * 8: 0.5, "1" * 8: 0.5},
    "teleportation.qasm": {
        f"{received} {told}": share / 4
        for received, share in (("0", 0.75), ("1", 0.25))
        for told in ("00", "01", "10", "11")
    },
}
