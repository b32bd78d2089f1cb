"""TLS to the database and the brokers: what is verified, and what is said when a certificate is not valid."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from ketline.client import AsyncClient, CertificateInvalid, Retries
from ketline.db.engine.database import Database, open_database
from ketline.db.notify.notifications import PostgresqlListener
from ketline.db.schema.migrate import migrate
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.errors import DatabaseAccessDenied, DatabaseTlsFailed, DatabaseUnavailable, QueueTlsFailed
from ketline.messaging.rabbit import RabbitPublisher
from ketline.messaging.redis import RedisPublisher
from ketline.ports.tasks.queue import TaskPublisher
from tests.servers import PostgresServer, RabbitServer, RedisServer
from tests.servers.certificates import Authority, Certificate

SECONDS = 30.0
# The host that the certificates are for; the servers can also be reached as 127.0.0.1, for which they are not valid.
HOST = "localhost"
WRONG_HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("stranger"), "Another Authority")


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return authority.sign("server", HOST)


@pytest.fixture
async def server(
    private_postgres_server: Callable[..., Awaitable[PostgresServer]], certificate: Certificate
) -> PostgresServer:
    server = await private_postgres_server()
    await server.create_database("ketline")
    await server.use_certificate(certificate)
    return server


def verified(server: PostgresServer, authority: Path | str, host: str = HOST, user: str = "postgres") -> str:
    return (
        f"postgresql://{user}@{host}:{server.port}/ketline?sslmode=verify-full&sslrootcert={authority}"
        "&connect_timeout=10"
    )


def is_encrypted(connection: Connection) -> bool:
    return bool(connection.execute(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).scalar_one())


async def rejected(database: Database) -> str:
    with pytest.raises(DatabaseTlsFailed) as rejection:
        await database.read(is_encrypted)
    assert WRONG_HOST not in str(rejection.value), "clients of the service read this"
    return str(rejection.value)


async def test_all_sessions_are_encrypted_with_a_server_that_is_verified(
    server: PostgresServer, authority: Authority
) -> None:
    url = verified(server, authority.certificate)
    await migrate(url)
    resynced = asyncio.Event()
    async with open_database(url) as database:
        for way in (database.write, database.autocommit, database.read, database.urgent):
            assert await way(is_encrypted)
        listening = asyncio.create_task(PostgresqlListener(url, lambda _: None, resynced.set).run())
        async with asyncio.timeout(SECONDS):
            await resynced.wait()
        listening.cancel()
        await SqlTaskRepository(database).check_writable()


async def test_certificate_of_an_authority_that_is_not_trusted(server: PostgresServer, stranger: Authority) -> None:
    async with open_database(verified(server, stranger.certificate)) as database:
        assert "unable to get local issuer certificate" in await rejected(database)
    with pytest.raises(DatabaseUnavailable, match=r"(?i)certificate"):
        await migrate(verified(server, stranger.certificate))


async def test_certificate_of_another_host(server: PostgresServer, authority: Authority) -> None:
    async with open_database(verified(server, authority.certificate, host=WRONG_HOST)) as database:
        assert "another host name" in await rejected(database)
    url = verified(server, authority.certificate, host=WRONG_HOST).replace("verify-full", "verify-ca")
    async with open_database(url) as database:
        assert await database.read(is_encrypted), "verify-ca does not look at the name"


async def test_expired_certificate_is_rejected_until_it_is_renewed(
    server: PostgresServer, authority: Authority, certificate: Certificate
) -> None:
    await server.use_certificate(authority.sign("server", HOST, expired=True))
    async with open_database(verified(server, authority.certificate)) as database:
        assert "certificate has expired" in await rejected(database)
        await server.use_certificate(certificate)
        async with asyncio.timeout(SECONDS):
            while True:
                with suppress(DatabaseTlsFailed):
                    assert await database.read(is_encrypted)
                    break


async def test_server_without_tls(postgres_with_template: PostgresServer, authority: Authority) -> None:
    url = verified(postgres_with_template, authority.certificate).replace("/ketline?", "/postgres?")
    async with open_database(url) as database:
        assert "the server does not offer TLS" in await rejected(database)


async def test_authorities_of_the_system(
    server: PostgresServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_database(verified(server, "system")) as database:
        assert "certificate is not valid" in await rejected(database)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.certificate))
    async with open_database(verified(server, "system")) as database:
        assert await database.read(is_encrypted)
    async with open_database(verified(server, "system", host=WRONG_HOST)) as database:
        assert "another host name" in await rejected(database)


async def test_client_with_a_certificate_of_its_own(
    server: PostgresServer, authority: Authority, certificate: Certificate
) -> None:
    await server.execute("CREATE USER clerk")
    await server.use_certificate(certificate, client_authority=authority.certificate)
    own = authority.sign("clerk")
    url = verified(server, authority.certificate, user="clerk")
    async with open_database(f"{url}&sslcert={own.cert}&sslkey={own.key}") as database:
        assert await database.read(is_encrypted)
    async with open_database(url) as database:
        with pytest.raises(DatabaseAccessDenied):
            await database.read(is_encrypted)
    other = authority.sign("somebody")
    async with open_database(f"{url}&sslcert={other.cert}&sslkey={other.key}") as database:
        with pytest.raises(DatabaseAccessDenied):
            await database.read(is_encrypted)


@asynccontextmanager
async def presenting(certificate: Certificate) -> AsyncIterator[int]:
    """The port of a server that presents this certificate to those who connect by TLS, and says nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.cert, certificate.key)

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0, ssl=context)
    async with server:
        port: int = server.sockets[0].getsockname()[1]
        yield port


def publisher_of(broker: str, port: int, authority: Path, host: str) -> AbstractAsyncContextManager[TaskPublisher]:
    if broker == "redis":
        return RedisPublisher(f"rediss://{host}:{port}/0?ssl_ca_certs={authority}", ping_timeout_seconds=10)
    return RabbitPublisher(f"amqps://guest:guest@{host}:{port}/?cafile={authority}", ping_timeout_seconds=10)


async def reached(publisher: TaskPublisher) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                await publisher.ping()
            except QueueTlsFailed:
                raise
            except Exception:  # RabbitMQ's connection is opened in the background
                await asyncio.sleep(0.05)
            else:
                return


@pytest.fixture(scope="module", params=["rabbitmq", "redis"])
def broker(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("stranger", "unable to get local issuer certificate"),
        ("host", "another host name"),
        ("expired", "certificate has expired"),
    ],
)
async def test_broker_whose_certificate_is_not_valid(
    broker: str, fault: str, words: str, authority: Authority, stranger: Authority, certificate: Certificate
) -> None:
    shown = authority.sign("server", HOST, expired=True) if fault == "expired" else certificate
    trusted = stranger if fault == "stranger" else authority
    host = WRONG_HOST if fault == "host" else HOST
    async with presenting(shown) as port, publisher_of(broker, port, trusted.certificate, host) as publisher:
        with pytest.raises(QueueTlsFailed, match=words):
            await reached(publisher)


@pytest.mark.parametrize(
    ("fault", "words"),
    [("stranger", "unable to get local issuer"), ("host", "not valid for"), ("expired", "certificate has expired")],
)
async def test_client_of_a_service_whose_certificate_is_not_valid(
    fault: str,
    words: str,
    authority: Authority,
    stranger: Authority,
    certificate: Certificate,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It does not try again, as it would for two minutes if nobody responded."""
    trusted = stranger if fault == "stranger" else authority
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.certificate))
    shown = authority.sign("server", HOST, expired=True) if fault == "expired" else certificate
    host = WRONG_HOST if fault == "host" else HOST
    forever = Retries(max_seconds=3600, first_contact_seconds=3600)
    async with presenting(shown) as port, AsyncClient(f"https://{host}:{port}", retries=forever) as client:
        async with asyncio.timeout(SECONDS):
            with pytest.raises(CertificateInvalid, match=words) as rejection:
                await client.workers()
    assert "SSL_CERT_FILE" in str(rejection.value)


async def test_broker_without_tls(broker: str, authority: Authority) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"no TLS here\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        async with publisher_of(broker, port, authority.certificate, HOST) as publisher:
            with pytest.raises(QueueTlsFailed, match="the handshake failed"):
                await reached(publisher)


async def test_broker_that_is_verified(broker: str, authority: Authority, certificate: Certificate) -> None:
    made: RabbitServer | RedisServer
    made = RedisServer(certificate=certificate) if broker == "redis" else RabbitServer(certificate=certificate)
    async with made as server, publisher_of(broker, server.tls_port, authority.certificate, HOST) as publisher:
        await reached(publisher)
        assert await publisher.depth() == 0
