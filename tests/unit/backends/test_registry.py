"""The list of backends in the configuration, and the adapters that it opens."""

import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from ketline.backends.registry import SHIPPED, adapter_names, open_backends
from ketline.config import load_settings
from ketline.domain.backends.backend_list import BackendEntry, parse_backends
from ketline.domain.errors import ConfigurationInvalid
from ketline.runtime.backends import open_backends as opened

GENERIC = "qiskit:qiskit.providers.fake_provider:GenericBackendV2"


def test_entries_have_name_adapter_argument_and_options() -> None:
    assert parse_backends(f"fake={GENERIC};num_qubits=5;seed=1, lab=ketline:https://lab.example.org\n local") == [
        BackendEntry(
            name="fake",  # type: ignore[arg-type]
            adapter="qiskit",
            argument="qiskit.providers.fake_provider:GenericBackendV2",
            options={"num_qubits": "5", "seed": "1"},
        ),
        BackendEntry(name="lab", adapter="ketline", argument="https://lab.example.org"),  # type: ignore[arg-type]
        BackendEntry(name="local", adapter="local"),  # type: ignore[arg-type]
    ]
    assert parse_backends(" ,\n") == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Fake=qiskit:a", "'Fake' cannot name a backend"),
        ("a.b=qiskit:a", "'a.b' cannot name a backend"),
        ("ketline-aer=qiskit:a", "not 'ketline-aer'"),
        ("a=qiskit:b a=qiskit:c", "two backends have the name 'a'"),
        ("a=qiskit:b;five", "not of the form option=value"),
        ("a=ketline:https://user:hunter2@host", "has a password in its URL"),
    ],
)
def test_malformed_lists_stop_the_service(monkeypatch: pytest.MonkeyPatch, text: str, reason: str) -> None:
    monkeypatch.setenv("KETLINE_BACKENDS", text)
    with pytest.raises(ConfigurationInvalid, match=reason) as raised:
        load_settings()
    assert "hunter2" not in str(raised.value)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """Installs a package with an adapter: its module, its entry points and its code."""

    def install(module: str, points: str, code: str) -> None:
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        metadata = tmp_path / f"{module}-1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        (metadata / "entry_points.txt").write_text(f"[ketline.backends]\n{points}\n")
        monkeypatch.syspath_prepend(tmp_path)

    return install


def test_installed_package_offers_an_adapter(install: Callable[[str, str, str], None]) -> None:
    install(
        "acme_ketline",
        "acme = acme_ketline:open_adapter",
        """
        class Adapter:
            def __init__(self, entry): self.entry = entry
            describe = validate = submit = poll = result = cancel = reattach = close = lambda self: None
        open_adapter = Adapter
        """,
    )
    assert set(adapter_names()) == {"acme", *SHIPPED}
    backends = open_backends(parse_backends("lab=acme:device-1;level=2"))
    assert not backends.problems
    entry = backends.adapters["lab"].entry  # type: ignore[index, attr-defined]
    assert (entry.name, entry.argument, entry.options) == ("lab", "device-1", {"level": "2"})


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("import no_such_library", "the adapter 'acme' cannot be imported: No module named 'no_such_library'"),
        ("raise RuntimeError('hunter2')", "the adapter 'acme' failed with RuntimeError"),
        ("def open_adapter(entry): raise KeyError('hunter2')", "the adapter 'acme' failed with KeyError"),
        ("def open_adapter(entry): return object()", "its adapter has no `describe`"),
        ("other = 1", "the adapter 'acme' failed with AttributeError"),
    ],
)
def test_broken_plugin_is_named_and_stops_no_other(
    install: Callable[[str, str, str], None], code: str, problem: str
) -> None:
    install("broken_acme", "acme = broken_acme:open_adapter", code)
    sys.modules.pop("broken_acme", None)
    backends = open_backends(parse_backends(f"lab=acme fake={GENERIC}"))
    assert backends.problems == {"lab": f"Backend 'lab': {problem}"}
    assert list(backends.adapters) == ["fake"]


def test_unknown_adapter_is_named_with_those_that_exist() -> None:
    [problem] = open_backends(parse_backends("lab=acme")).problems.values()
    assert problem.startswith("Backend 'lab': there is no adapter 'acme'; there are ")
    assert "qiskit" in problem


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("a=qiskit", "name the Qiskit backend, as in qiskit:package.module:Backend"),
        ("a=qiskit:vendor:Backend", "say `remote=true` if jobs run at a provider"),
        (f"a={GENERIC};concurrency=0", "`concurrency` a number from 1"),
        (f"a={GENERIC};optimization_level=9", "`optimization_level` one from 0 to 3"),
    ],
)
def test_wrong_entries_of_the_qiskit_adapter(entry: str, problem: str) -> None:
    [found] = open_backends(parse_backends(entry)).problems.values()
    assert problem in found


async def test_service_starts_with_a_broken_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETLINE_BACKENDS", f"lab=acme fake={GENERIC};num_qubits=3")
    async with opened(load_settings()) as backends:
        assert list(backends.adapters) == ["fake"]
        assert list(backends.problems) == ["lab"]


async def test_no_log_line_has_a_credential(
    monkeypatch: pytest.MonkeyPatch, install: Callable[[str, str, str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    install(
        "leaky_acme", "leaky = leaky_acme:open_adapter", "import os; raise RuntimeError(os.environ['QBRAID_API_KEY'])"
    )
    monkeypatch.setenv("QBRAID_API_KEY", "hunter2")
    monkeypatch.setenv("OTHER_KEY", "hunter2")
    entries = ["a=leaky", "b=qbraid:one", "c=ketline:https://host;api_key_variable=OTHER_KEY", "d=qbraid:v:p:sim:n"]
    monkeypatch.setenv("KETLINE_BACKENDS", " ".join(entries))
    async with opened(load_settings()) as backends:
        assert list(backends.adapters) == ["c", "d"]
        shown = f"{backends!r} {backends.adapters['c']!r} {backends.adapters['d']!r}"  # type: ignore[index]
    printed = capsys.readouterr()
    assert "backend.broken" in printed.out + printed.err
    assert "hunter2" not in shown + printed.out + printed.err
