"""What devices are, on a database: canonical JSON by its digest, for the tasks that were submitted with them."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, exists, select

from ketline.db.engine.clock import from_now, now
from ketline.db.engine.database import Database
from ketline.db.engine.dialect import dialect_of
from ketline.db.schema.tables import device_contents, devices, tasks


@dataclass(frozen=True, slots=True)
class SqlDeviceContents:
    """The `DeviceContents` on a database."""

    database: Database

    async def keep(self, digest: str, text: str) -> None:
        def work(connection: Connection) -> None:
            new = dialect_of(connection).insert(device_contents)
            kept = new.values(digest=digest, content=text, used_at=now()).on_conflict_do_update(
                index_elements=[device_contents.c.digest],
                set_={"used_at": now()},
            )
            connection.execute(kept)

        await self.database.write(work)

    async def get(self, digest: str) -> str | None:
        statement = select(device_contents.c.content).where(device_contents.c.digest == digest)
        found = await self.database.read(lambda connection: connection.execute(statement).scalar_one_or_none())
        return None if found is None else str(found)

    async def delete_unused(self, age: timedelta, limit: int) -> int:
        contents = device_contents.c
        unused = (
            select(contents.digest)
            .where(contents.used_at < from_now(-age.total_seconds()), *_unused())
            .order_by(contents.used_at)
            .limit(limit)
        )
        # Once more, for rows that were kept again since they were found.
        statement = delete(device_contents).where(
            contents.digest.in_(unused),
            contents.used_at < from_now(-age.total_seconds()),
        )
        return await self.database.write(lambda connection: int(connection.execute(statement).rowcount))


def _unused() -> tuple[ColumnElement[bool], ...]:
    digest = device_contents.c.digest
    return (
        ~exists().where(devices.c.digest == digest),
        ~exists().where(tasks.c.device_digest == digest),  # guard: device.needed
    )
