"""Counts become shots in random order, with a column for each wire."""

import numpy as np
import pennylane as qml

from ketline.pennylane.samples import no_outcomes, samples_of


def test_bits_are_those_of_measurements_and_of_wires() -> None:
    plain, selecting = (qml.ops.MidMeasure(qml.wires.Wires([0]), postselect=one) for one in (None, 1))
    counts = {"010 1 0": 2, "100 0 1": 1}
    samples = samples_of(counts, ["a", "b", "c"], [plain, selecting], np.random.default_rng(1))
    rows = sorted(
        (*row.tolist(), *(int(samples.inside[one][shot, 0]) for one in (plain, selecting)))
        for shot, row in enumerate(samples.outcomes)
    )
    assert rows == [(0, 0, 1, 1, 0), (0, 1, 0, 0, 1), (0, 1, 0, 0, 1)]
    assert samples.selected.tolist() == [[0, 1, 0], [0, 1, 0]]
    assert samples.part(1, 3).outcomes.tolist() == samples.outcomes.tolist()[1:]


def test_shots_are_in_random_order() -> None:
    samples = samples_of({"0": 500, "1": 500}, ["a"], [], np.random.default_rng(1))
    assert 200 < samples.outcomes[:500].sum() < 300


def test_a_circuit_that_measures_nothing_has_shots_without_outcomes() -> None:
    samples = no_outcomes(3)
    assert (samples.outcomes.shape, samples.valid.tolist()) == ((3, 0), [True] * 3)
