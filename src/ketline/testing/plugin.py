"""The pytest plugin of the conformance suite: its options, which exist only in runs of that suite."""

import pytest

_SUITE = "ketline.testing.backends"


def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Add the options if the suite is run; in other runs, `--backend` may be an option of another project."""
    if not any(argument.startswith(_SUITE) for argument in args):
        return
    group = parser.getgroup("ketline", "backends of Ketline")
    group.addoption(
        "--backend",
        help="the adapter: module:function, whose function returns a new one, or an entry of KETLINE_BACKENDS",
    )
    group.addoption("--backend-shots", type=int, default=100, help="shots of each job (default: 100)")
    group.addoption("--backend-seconds", type=float, default=120.0, help="longest time of a job (default: 120)")
    group.addoption(
        "--backend-secret",
        action="append",
        default=[],
        help="an environment variable whose value must not appear anywhere; repeatable",
    )
