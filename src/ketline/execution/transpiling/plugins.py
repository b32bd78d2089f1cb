"""The plugins of Qiskit's transpiler, without those of other packages that happen to be installed."""

from collections import defaultdict
from importlib.metadata import EntryPoint, distribution

from stevedore import ExtensionManager

_GROUPS = "qiskit."


def use_own_plugins() -> None:
    """Have the transpiler load only the plugins that Qiskit itself has.

    It would load those of every package, which takes seconds where there are some. They would have no use here, and a
    circuit must not depend on what is installed beside Qiskit.
    """
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry in distribution("qiskit").entry_points:
        if entry.group.startswith(_GROUPS):
            found[entry.group].append(entry)
    ExtensionManager.ENTRY_POINT_CACHE.update(found)
