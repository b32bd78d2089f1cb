"""Restricts the transpiler to the plugins of Qiskit itself, whatever other packages are installed."""

from collections import defaultdict
from importlib.metadata import EntryPoint, distribution

from stevedore import ExtensionManager

_GROUPS = "qiskit."


def use_own_plugins() -> None:
    """Make the transpiler load only the plugins that Qiskit itself contains.

    By default it loads the plugins of every installed package, which can take seconds. Ketline uses none of them, and
    a transpiled circuit must not depend on other installed packages.
    """
    found: dict[str, list[EntryPoint]] = defaultdict(list)
    for entry in distribution("qiskit").entry_points:
        if entry.group.startswith(_GROUPS):
            found[entry.group].append(entry)
    ExtensionManager.ENTRY_POINT_CACHE.update(found)
