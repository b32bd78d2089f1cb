"""What is asked of a statement: a parameter for each column of one request, or an array for that of many."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, column, func
from sqlalchemy.dialects.postgresql import ARRAY


class Asking:
    """The columns of a request and their types; a statement made of them is made once for all requests."""

    def __init__(self, **columns: Any) -> None:
        self._columns = columns

    def and_of(self, **columns: Any) -> "Asking":
        """These columns and more."""
        return Asking(**self._columns, **columns)

    def one(self) -> Any:
        """A parameter as each attribute, for a statement on one request."""
        return SimpleNamespace(**{name: bindparam(f"asked_{name}", type_=kind) for name, kind in self._columns.items()})

    def all(self) -> Any:
        """A column of a table of requests as each attribute; only PostgreSQL can make a table of its parameters."""
        arrays = [bindparam(f"asked_{name}", type_=_array_of(kind)) for name, kind in self._columns.items()]
        columns = [column(name, kind) for name, kind in self._columns.items()]
        return func.unnest(*arrays).table_valued(*columns).render_derived(name="asked").c

    def parameters(self, request: Mapping[str, object]) -> dict[str, object]:
        """Values for the parameters of `one`."""
        return {f"asked_{name}": request[name] for name in self._columns}

    def arrays(self, requests: Sequence[Mapping[str, object]]) -> dict[str, object]:
        """Values for the parameters of `all`."""
        return {f"asked_{name}": [request[name] for request in requests] for name in self._columns}


def _array_of(kind: Any) -> ARRAY[Any]:
    """One dimension, whatever is in it: a JSON value may be a list itself."""
    return ARRAY(kind, dimensions=1)
