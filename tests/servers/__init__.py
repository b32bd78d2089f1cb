"""Throwaway PostgreSQL, PgBouncer and RabbitMQ servers for tests, each with data, ports and processes of its own."""

from tests.servers.binaries import MissingServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.rabbitmq import RabbitServer

__all__ = ["MissingServer", "PgBouncer", "PostgresServer", "RabbitServer"]
