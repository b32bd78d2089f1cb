"""A stored model of noise in a simulator: built for the first task that has it, and not read for the next ones."""

from dataclasses import replace

from ketline.domain.devices.stored_noise import StoredNoise, large_noise
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request, decode_request, encode_request
from ketline.execution.simulators.channels import NoiseModels
from tests.large_noise import large_model

PROGRAM = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; x q; c = measure q;'


def test_stored_model_is_that_of_the_task() -> None:
    stored = large_noise(large_model(500, 1.0))
    assert stored is not None
    request = Request(TaskSpec(circuit=PROGRAM, shots=100, options=RunOptions(noise=stored)), "t")
    received = decode_request(encode_request(request))
    noise = received.spec.options.noise
    assert isinstance(noise, StoredNoise)
    assert (noise, noise.text) == (stored, stored.text)
    executor = Executor(ExecutionLimits())
    assert executor.run(received).counts == {"00": 100}
    plain = RunOptions(noise=large_model(500, 1.0))
    assert executor.run(Request(replace(request.spec, options=plain))).counts == {"00": 100}


def test_model_is_built_once() -> None:
    stored = large_noise(large_model())
    assert stored is not None
    models = NoiseModels()
    first = models.get(stored, "project")
    # Its text is not read again, so that it need not even be one.
    assert models.get(StoredNoise(stored.digest, "no model"), "project") is first
    assert models.get(stored, "other") is not first
