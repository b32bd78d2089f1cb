"""Imports an object by its path, `module:name`, for the registry, processes of devices and the conformance suite."""

from importlib import import_module
from typing import Any


def load(path: str) -> Any:
    """Import `module:name`; the name may have dots.

    Raises:
        ValueError: the path is not of this form.
        ImportError: there is no such module, or no such name in it.
    """
    module, separator, name = path.partition(":")
    if not (module and separator and name):
        raise ValueError(f"{path!r} is not of the form module:name.")
    found: Any = import_module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError as error:
            raise ImportError(f"The module {module} has no {name}.") from error
    return found
