"""The list of external backends that an operator configures; `config` and the conformance suite parse it."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ketline.domain.backends.backend_jobs import BackendName, is_backend_name
from ketline.domain.devices.backend import BACKEND_NAME

_OPTION = re.compile(r"[a-z][a-z0-9_]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendEntry:
    """A backend: its name here, the name of its adapter, and the argument and options for that adapter."""

    name: BackendName
    adapter: str
    argument: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


def parse_backends(text: str) -> Sequence[BackendEntry]:
    """Read a list of backends: `name=adapter:argument;option=value …`, separated by blanks or commas.

    Argument and options may be left out, and so may the name where it is the adapter's.

    Raises:
        ValueError: an entry is malformed, or a name is used twice.
    """
    entries = [_entry(part) for part in re.split(r"[\s,]+", text) if part]
    names = [entry.name for entry in entries]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two backends have the name {name!r}")
    return entries


def _entry(text: str) -> BackendEntry:
    head, *options = text.split(";")
    names, argument = head.partition(":")[::2]
    name, separator, adapter = names.partition("=")
    if not is_backend_name(name) or name == BACKEND_NAME:
        raise ValueError(
            f"{name[:80]!r} cannot name a backend: up to 63 of a-z, 0-9, '-' and '_', not {BACKEND_NAME!r}"
        )
    if re.search(r"//[^/]*@", argument):
        raise ValueError(f"the backend {name!r} has a password in its URL; give it in an environment variable instead")
    return BackendEntry(
        name=BackendName(name),
        adapter=adapter if separator else name,
        argument=argument,
        options=dict(_option(option, name) for option in options),
    )


def _option(text: str, name: str) -> tuple[str, str]:
    option, separator, value = text.partition("=")
    if not separator or not _OPTION.fullmatch(option):
        raise ValueError(f"an option of the backend {name!r} is not of the form option=value")
    return option, value
