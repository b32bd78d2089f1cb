"""The contents of devices on a database: canonical JSON by its digest, for the tasks that were submitted with them."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, exists

from ketline.db.contents import SqlContents
from ketline.db.schema.tables import device_contents, devices, tasks


@dataclass(frozen=True, slots=True)
class SqlDeviceContents(SqlContents):
    """The `DeviceContents` on a database."""

    @property
    def _table(self) -> Table:
        return device_contents

    def _unused(self) -> Sequence[ColumnElement[bool]]:
        digest = device_contents.c.digest
        return (
            ~exists().where(devices.c.digest == digest),
            ~exists().where(tasks.c.device_digest == digest),  # guard: device.needed
        )
