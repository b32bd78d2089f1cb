"""Run Qiskit's own tests of its primitives on a service: `python -m tests.qiskit_primitives CHECKOUT`.

CHECKOUT is a directory with Qiskit's sources of the installed version, whose tests are not part of its package. They
need ddt: `bash .ci/uv run --with ddt python -m tests.qiskit_primitives CHECKOUT`. Only what constructs a primitive is
replaced: simulators of `BackendSamplerV2` and `BackendEstimatorV2` by the backend of a service, `StatevectorSampler`
and `StatevectorEstimator` by the sampler and the estimator. Prints the failures; ends with 1 if there is one that is
not in `EXPECTED`.
"""

import argparse
import asyncio
import sys
import unittest
import warnings
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from typing import Any

import qiskit.providers.basic_provider
import qiskit.providers.fake_provider

from ketline.cli.client.ephemeral_server import with_ephemeral_server
from ketline.cli.server.commands import configured
from ketline.client import Client
from ketline.qiskit import KetlineBackend, KetlineEstimator, KetlineProvider, KetlineSampler

# By the name of the test: why it fails.
EXPECTED = {
    "TestStatevectorSampler.test_run_errors": "it expects that loops are rejected, which the sampler runs",
    "TestStatevectorSampler.test_run_numpy_params": "it compares counts as small as 3 of two samples, with a tolerance "
    "of 10 %",
}
_SLOTS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", help="Qiskit's sources")
    parser.add_argument("--only", default="", help="only tests whose name contains this")
    options = parser.parse_args()
    sys.path.insert(0, options.checkout)
    use = partial(_run, only=options.only)
    unexpected = asyncio.run(with_ephemeral_server(configured(embedded=True, log_level="error"), _SLOTS, use))
    sys.exit(bool(unexpected))


def _run(client: Client, *, only: str) -> Sequence[str]:
    """Run the tests on the client's service, and return the names of those that fail although they should not."""
    suite = unittest.TestSuite(test for test in _tests(client) if only in test.id())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = unittest.TextTestRunner(verbosity=2).run(suite)
    failed = sorted({_name_of(test) for test, _ in (*result.failures, *result.errors)})
    for name in failed:
        print(f"{name}: {EXPECTED.get(name, 'not expected')}")
    print(f"{result.testsRun} tests, {len(failed)} failed, {len(result.skipped)} skipped")
    return [name for name in failed if name not in EXPECTED]


def _tests(client: Client) -> Sequence[unittest.TestCase]:
    own = type("OnService", (_OnService,), {"service_of_tests": KetlineProvider(client=client)})
    for module, name in (
        (qiskit.providers.basic_provider, "BasicSimulator"),
        (qiskit.providers.fake_provider, "GenericBackendV2"),
    ):
        setattr(module, name, own)
    modules = [import_module(f"test.python.primitives.test_{name}") for name in _MODULES]
    for module in modules:
        for name, primitive in _MODULES[module.__name__.rpartition("test_")[2]].items():
            setattr(module, name, partial(primitive, client))
    loaded: Any = map(unittest.defaultTestLoader.loadTestsFromModule, modules)
    return [test for suite in loaded for case in suite for test in case]


class _OnService(KetlineBackend):
    """The backend of the service instead of a simulator, whatever that one is constructed with."""

    service_of_tests: KetlineProvider

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__(self.service_of_tests)


# The modules of Qiskit's tests, and what of them is replaced.
_MODULES: dict[str, dict[str, Any]] = {
    "backend_sampler_v2": {},
    "backend_estimator_v2": {},
    "statevector_sampler": {"StatevectorSampler": KetlineSampler},
    "statevector_estimator": {"StatevectorEstimator": KetlineEstimator},
}


def _name_of(test: Any) -> str:
    return ".".join(test.id().split()[0].split(".")[-2:])


if __name__ == "__main__":
    main()
