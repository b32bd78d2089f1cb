"""Large models of noise on a database: JSON by its digest, once for all tasks that have a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, exists

from ketline.db.contents import SqlContents
from ketline.db.schema.tables import noise_contents, tasks


@dataclass(frozen=True, slots=True)
class SqlNoiseContents(SqlContents):
    """The `NoiseContents` on a database."""

    @property
    def _table(self) -> Table:
        return noise_contents

    def _unused(self) -> Sequence[ColumnElement[bool]]:
        return (~exists().where(tasks.c.noise_digest == noise_contents.c.digest),)  # guard: noise.needed
