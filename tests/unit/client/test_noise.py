"""Noise in the client: named models, models of Aer's, and lists of these."""

from typing import Any

import pytest
from qiskit_aer.noise import NoiseModel, amplitude_damping_error, depolarizing_error

from ketline.client.programs import body_of
from ketline.schemas.submissions import SubmitRequest

DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.1}


def aer_model() -> NoiseModel:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), "cx")
    model.add_quantum_error(amplitude_damping_error(0.1), "h", [3])
    return model


@pytest.mark.parametrize("listed", [False, True])
def test_model_of_aer_is_sent_as_its_dictionary(listed: bool) -> None:
    given: Any = [DEPOLARIZING, aer_model()] if listed else aer_model()
    noise = body_of("qubit q;", {"noise": given})["noise"]
    expected = {"model": aer_model().to_dict(serializable=True)}
    without_ids(noise, expected)
    assert noise == ([DEPOLARIZING, expected] if listed else expected)
    assert SubmitRequest.model_validate({"qc": "qubit q;", "noise": noise}).noise == noise


def without_ids(*models: Any) -> None:
    """Aer gives each error a random id."""
    for model in models:
        for layer in model if isinstance(model, list) else [model]:
            for error in layer.get("model", {"errors": []})["errors"]:
                error.pop("id", None)


def test_without_noise_the_body_has_none() -> None:
    assert "noise" not in body_of("qubit q;", {"noise": None})
