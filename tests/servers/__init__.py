"""Throwaway servers for tests, PostgreSQL, RabbitMQ, Prometheus and others, each with data and ports of its own."""

from tests.servers.binaries import MissingServer
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import PostgresServer
from tests.servers.prometheus import PrometheusServer
from tests.servers.rabbitmq import RabbitServer
from tests.servers.redis import RedisServer

__all__ = ["MissingServer", "PgBouncer", "PostgresServer", "PrometheusServer", "RabbitServer", "RedisServer"]
