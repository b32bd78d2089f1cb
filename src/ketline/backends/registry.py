"""Opens the adapters of configured backends: those that Ketline ships, and those of installed packages.

A package offers an adapter by an entry point of the group `ketline.backends`: its name is the adapter's, its value a
function that takes a `BackendEntry` and returns a `BackendAdapter`. Workers, by `runtime.backends`, and the conformance
suite open adapters with it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from typing import Any

from ketline.backends.loading import load
from ketline.domain.backends.backend_jobs import BackendName
from ketline.domain.backends.backend_list import BackendEntry
from ketline.domain.errors import BackendFailed, ConfigurationInvalid
from ketline.ports.backends import BackendAdapter

ENTRY_POINT_GROUP = "ketline.backends"
SHIPPED: Mapping[str, str] = {
    "braket": "ketline.backends.braket:open_adapter",
    "ketline": "ketline.backends.ketline:open_adapter",
    "qbraid": "ketline.backends.qbraid:open_adapter",
    "qiskit": "ketline.backends.qiskit:open_adapter",
}
_CALLS = ("describe", "validate", "submit", "poll", "result", "cancel", "reattach", "close")

AdapterFactory = Callable[[BackendEntry], BackendAdapter]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backends:
    """The adapters by the names of their backends, and why the others have none."""

    adapters: Mapping[BackendName, BackendAdapter] = field(default_factory=dict)
    problems: Mapping[BackendName, str] = field(default_factory=dict)

    async def close(self) -> None:
        for adapter in self.adapters.values():
            await adapter.close()


def adapter_names() -> Sequence[str]:
    """The names of all adapters that are shipped or installed."""
    return sorted({*SHIPPED, *entry_points(group=ENTRY_POINT_GROUP).names})


def open_backends(entries: Sequence[BackendEntry]) -> Backends:
    """Open an adapter for each entry; an entry that cannot be opened does not affect the others."""
    adapters: dict[BackendName, BackendAdapter] = {}
    problems: dict[BackendName, str] = {}
    for entry in entries:
        try:
            adapters[entry.name] = open_adapter(entry)
        except ConfigurationInvalid as error:
            problems[entry.name] = str(error)
    return Backends(adapters=adapters, problems=problems)


def open_adapter(entry: BackendEntry) -> BackendAdapter:
    """Open the adapter of an entry.

    Raises:
        ConfigurationInvalid: there is no such adapter, it cannot be loaded, or it rejects the entry.
    """
    try:
        adapter: Any = _factory(entry.adapter)(entry)
    except (ConfigurationInvalid, BackendFailed) as error:
        raise ConfigurationInvalid(f"Backend {entry.name!r}: {error}") from error
    except ImportError as error:
        raise ConfigurationInvalid(
            f"Backend {entry.name!r}: the adapter {entry.adapter!r} cannot be imported: {error}"
        ) from error
    except Exception as error:
        # Without the text of the error: it comes from a plugin, and may contain a credential.
        raise ConfigurationInvalid(
            f"Backend {entry.name!r}: the adapter {entry.adapter!r} failed with {type(error).__name__}"
        ) from error
    if missing := [call for call in _CALLS if not callable(getattr(adapter, call, None))]:
        raise ConfigurationInvalid(f"Backend {entry.name!r}: its adapter has no `{missing[0]}`")
    return adapter  # type: ignore[no-any-return]


def _factory(name: str) -> AdapterFactory:
    if name in SHIPPED:
        return load(SHIPPED[name])  # type: ignore[no-any-return]
    installed = [point for point in entry_points(group=ENTRY_POINT_GROUP) if point.name == name]
    if not installed:
        raise ConfigurationInvalid(f"there is no adapter {name!r}; there are {', '.join(adapter_names())}")
    if len(installed) > 1:
        raise ConfigurationInvalid(f"several packages have an adapter {name!r}; uninstall all but one")
    return installed[0].load()  # type: ignore[no-any-return]
