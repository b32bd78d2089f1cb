"""Runs migrations on the connection `ketline.db.schema.migrate` hands over, or on the configured database."""

import asyncio

from alembic import context
from sqlalchemy import Connection, pool, text
from sqlalchemy.ext.asyncio import create_async_engine

from ketline.config import load_settings
from ketline.db.schema.tables import metadata

# Any fixed number: two processes that migrate at once take turns.
ADVISORY_LOCK = 0x6B65746C


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_type=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        context.run_migrations()


async def run_on_configured_database() -> None:
    engine = create_async_engine(load_settings().database_url.get_secret_value(), poolclass=pool.NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(run)
    await engine.dispose()


if context.is_offline_mode():
    context.configure(url=load_settings().database_url.get_secret_value(), target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
elif (handed_over := context.config.attributes.get("connection")) is not None:
    run(handed_over)
else:
    asyncio.run(run_on_configured_database())
