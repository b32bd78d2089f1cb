"""Reads how many connections PostgreSQL allows this process, and how many others may take."""

from typing import Any

from sqlalchemy import Connection, text

from ketline.domain.operations.connections import ConnectionLimit, LimitName, ServerLimits

# The pinned session of a process has the size of its pool in the name; the pool's other sessions have the plain name.
SESSION_NAME = "ketline"
_PINNED_SESSION = SESSION_NAME + " pool "
# A superuser is exempt from the limits of roles and databases and may use reserved connections. Sessions of other roles
# have no application_name here, nor a backend_type, unless this role may read all statistics: each of them counts once.
# Source: PostgreSQL documentation, 20.3.1 "Connection Settings", CREATE ROLE, CREATE DATABASE, 27.2.3 pg_stat_activity.
_LIMITS = text(f"""
    WITH role AS (SELECT oid, rolsuper, rolconnlimit FROM pg_roles WHERE rolname = session_user),
    database AS (SELECT oid, datconnlimit FROM pg_database WHERE datname = current_database()),
    others AS (
        SELECT datid, usesysid, CASE
            WHEN application_name ~ '^{_PINNED_SESSION}[0-9]{{1,3}}$' THEN split_part(application_name, ' ', 3)::int
            WHEN application_name = '{SESSION_NAME}' THEN 0
            ELSE 1 END AS connections
        FROM pg_stat_activity
        WHERE datid IS NOT NULL AND pid <> pg_backend_pid()
            AND coalesce(backend_type, 'client backend') = 'client backend'
    )
    SELECT
        current_setting('max_connections')::int - CASE WHEN rolsuper THEN 0 ELSE
            current_setting('superuser_reserved_connections')::int
            + CASE WHEN EXISTS (
                SELECT FROM pg_roles reserved WHERE reserved.rolname = 'pg_use_reserved_connections'
                AND pg_has_role(session_user, reserved.oid, 'USAGE')
            ) THEN 0 ELSE coalesce(current_setting('reserved_connections', true)::int, 0) END
        END AS of_server,
        CASE WHEN rolsuper OR rolconnlimit < 0 THEN NULL ELSE rolconnlimit END AS of_role,
        CASE WHEN rolsuper OR datconnlimit < 0 THEN NULL ELSE datconnlimit END AS of_database,
        (SELECT coalesce(sum(connections), 0) FROM others) AS others_of_server,
        (SELECT coalesce(sum(connections), 0) FROM others WHERE usesysid = role.oid) AS others_of_role,
        (SELECT coalesce(sum(connections), 0) FROM others WHERE datid = database.oid) AS others_of_database,
        pg_backend_pid() AS server_pid,
        current_setting('enable_seqscan') = 'off' AS planner_settings
    FROM role, database
""")  # noqa: S608 - constants of this module


def pinned_session_name(pool_size: int) -> str:
    """The name of the pinned session of a process whose pool has this size."""
    return f"{_PINNED_SESSION}{pool_size}"


def read_limits(connection: Connection) -> ServerLimits:
    """Reads the limits; run by `Database.urgent`, on the pinned session, so that this process's pool is not counted."""
    row: Any = connection.execute(_LIMITS).one()
    found = {
        LimitName.SERVER: (row.of_server, row.others_of_server),
        LimitName.ROLE: (row.of_role, row.others_of_role),
        LimitName.DATABASE: (row.of_database, row.others_of_database),
    }
    driver: Any = connection.connection.driver_connection
    return ServerLimits(
        limits=[
            ConnectionLimit(name=name, allowed=allowed, others=int(others))
            for name, (allowed, others) in found.items()
            if allowed is not None
        ],
        through_pooler=driver.get_server_pid() != row.server_pid,
        planner_settings=row.planner_settings,
    )
