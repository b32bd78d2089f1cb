from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.seeds import point_seed
from ketline.domain.tasks.sweep import first_point, number_of_points, points_of, seed_at

SWEPT: Inputs = {"theta": [0.1, 0.2], "bits": ["01", "10"], "n": 3, "word": "11"}


def test_lists_are_taken_together_and_the_rest_holds_for_all() -> None:
    assert number_of_points(SWEPT) == 2
    assert list(points_of(SWEPT)) == [
        {"theta": 0.1, "bits": "01", "n": 3, "word": "11"},
        {"theta": 0.2, "bits": "10", "n": 3, "word": "11"},
    ]
    assert first_point(SWEPT) == {"theta": 0.1, "bits": "01", "n": 3, "word": "11"}


def test_lists_of_arrays_are_a_sweep() -> None:
    inputs: Inputs = {"a": [{"array": [1, 2]}, {"array": [3, 4]}], "b": {"array": [5]}}
    assert number_of_points(inputs) == 2
    assert list(points_of(inputs)) == [
        {"a": {"array": [1, 2]}, "b": {"array": [5]}},
        {"a": {"array": [3, 4]}, "b": {"array": [5]}},
    ]


def test_single_values_are_no_sweep() -> None:
    inputs: Inputs = {"theta": 0.1, "bits": "01", "flag": True, "angles": {"array": [0.1, 0.2]}}
    assert number_of_points(inputs) is None
    assert first_point(inputs) == inputs


def test_each_point_has_a_seed_of_its_own() -> None:
    assert [seed_at(7, number) for number in range(3)] == [point_seed(7, number) for number in range(3)]
    seeds = {seed_at(seed, number) for seed in range(50) for number in range(50)}
    assert len(seeds) == 2500
    assert all(seed is not None and 0 <= seed < 2**53 for seed in seeds)
    assert seed_at(None, 1) is None
