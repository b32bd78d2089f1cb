"""Bind parameters of statements: a parameter for each column of one request, or an array for that of many.

Statements that run batched, such as those of `db.tasks`, declare their parameters with it.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, column, func
from sqlalchemy.dialects.postgresql import ARRAY


class BindParameters:
    """The columns of a request and their types. A statement is built from them once and run for any request."""

    def __init__(self, **columns: Any) -> None:
        self._columns = columns

    def with_columns(self, **columns: Any) -> "BindParameters":
        """These columns and more."""
        return BindParameters(**self._columns, **columns)

    def one(self) -> Any:
        """Gives each column of one request as an attribute that is a bind parameter."""
        return SimpleNamespace(**{name: bindparam(f"bound_{name}", type_=kind) for name, kind in self._columns.items()})

    def all(self) -> Any:
        """Gives each column of a table of requests as an attribute; PostgreSQL makes this table of array parameters.

        `number` counts the requests from 1.
        """
        arrays = [self.array(name) for name in self._columns]
        columns = [column(name, kind) for name, kind in self._columns.items()]
        table = func.unnest(*arrays).table_valued(*columns, with_ordinality="number")
        return table.render_derived(name="request").c

    def array(self, name: str) -> Any:
        """Gives one column of all requests as an array."""
        return bindparam(f"bound_{name}", type_=_array_of(self._columns[name]))

    def some(self, *, single: bool) -> Any:
        """Gives what `one` gives for a `single` request, for which arrays would cost half of the statement."""
        return self.one() if single else self.all()

    def parameters(self, request: Mapping[str, object]) -> dict[str, object]:
        """Values for the parameters of `one`."""
        return {f"bound_{name}": request[name] for name in self._columns}

    def values(self, requests: Sequence[Mapping[str, object]]) -> dict[str, object]:
        """Values for the parameters of `some`."""
        return self.parameters(requests[0]) if len(requests) == 1 else self.arrays(requests)

    def arrays(self, requests: Sequence[Mapping[str, object]]) -> dict[str, object]:
        """Values for the parameters of `all`."""
        return {f"bound_{name}": [request[name] for request in requests] for name in self._columns}


def _array_of(kind: Any) -> ARRAY[Any]:
    """One dimension, whatever is in it: a JSON value may be a list itself."""
    return ARRAY(kind, dimensions=1)
