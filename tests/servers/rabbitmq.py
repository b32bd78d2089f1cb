"""A throwaway RabbitMQ server."""

import asyncio
import contextlib
import os
import shutil
import signal

from tests.servers.binaries import find_rabbitmq
from tests.servers.certificates import Certificate
from tests.servers.ports import free_ports
from tests.servers.process import Account, ServerFailed, ServerProcess
from tests.servers.server import Server

_CTL_SECONDS = 60.0
_PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
_WRITE_NAMES_AND_HALT = "lists:foreach(fun dets:sync/1, dets:all()), erlang:halt(137, [{flush, false}])."
_METHOD_FRAME = b"\x01"


class RabbitServer(Server):
    """RabbitMQ on 127.0.0.1 with data, node name, cookie and Erlang port mapper of its own; no plugins.

    The data survives stop, kill and start. With a `certificate` it also serves TLS, on `tls_port`.
    """

    NAME = "RabbitMQ"
    START_SECONDS = 90.0
    POLL_SECONDS = 0.05

    def __init__(self, *, certificate: Certificate | None = None) -> None:
        self._binaries = find_rabbitmq()
        self._account = Account.of_service("rabbitmq")
        self._directory = self._account.make_directory()
        self.port, self.tls_port, self._distribution_port, self._epmd_port = free_ports(4)
        self._environment = self._make_environment()
        self._write_configuration(certificate)
        self._process = ServerProcess(
            [str(self._binaries / "rabbitmq-server")],
            directory=self._directory,
            account=self._account,
            environment=self._environment,
            stop_signal=signal.SIGTERM,
        )

    @property
    def url(self) -> str:
        """The AMQP URL of the vhost `/`."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/"

    async def kill(self) -> None:
        """Kills every process of the server at once, as a crash would; the data stays.

        RabbitMQ (3.10 and 4.0 alike) keeps the names of new quorum queues in memory for about three seconds. Killed in
        that window it comes back with the queue empty and without a leader for ever, and `list_queues` hangs. So the
        server itself writes the names and in the same moment halts without any shutdown; then all else is killed.
        """
        if self.running:
            with contextlib.suppress(ServerFailed):  # the server does not answer any more
                await self.ctl("eval", _WRITE_NAMES_AND_HALT)
        await super().kill()

    async def ctl(self, *arguments: str) -> str:
        """What `rabbitmqctl` prints for these arguments; starting it takes a second or two.

        Raises:
            ServerFailed: The command failed or took too long.
        """
        command = [str(self._binaries / "rabbitmqctl"), "--quiet", *arguments]
        return await asyncio.to_thread(
            self._account.run, command, cwd=self._directory, environment=self._environment, timeout=_CTL_SECONDS
        )

    def _make_environment(self) -> dict[str, str]:
        own = {
            "NODENAME": f"ketline-{self.port}@localhost",
            "NODE_IP_ADDRESS": "127.0.0.1",
            "NODE_PORT": str(self.port),
            "DIST_PORT": str(self._distribution_port),
            "MNESIA_BASE": str(self._directory / "data"),
            "LOG_BASE": str(self._directory / "log"),
            "LOGS": "-",
            "CONFIG_FILE": str(self._directory / "rabbitmq.conf"),
            "CONFIG_FILES": str(self._directory / "conf.d"),
            "ADVANCED_CONFIG_FILE": str(self._directory / "advanced.config"),
            "CONF_ENV_FILE": str(self._directory / "rabbitmq-env.conf"),
            "ENABLED_PLUGINS_FILE": str(self._directory / "enabled_plugins"),
            "SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 2:2",
        }
        return {f"RABBITMQ_{name}": value for name, value in own.items()} | {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "HOME": str(self._directory),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _write_configuration(self, certificate: Certificate | None) -> None:
        for name in ("data", "log", "conf.d"):
            (self._directory / name).mkdir()
            self._account.own(self._directory / name)
        files = {
            "rabbitmq.conf": "log.console = true\nlog.console.level = info\ndisk_free_limit.absolute = 50MB\n"
            + ("" if certificate is None else self._tls_settings(certificate)),
            "rabbitmq-env.conf": "",
            "enabled_plugins": "[].\n",
        }
        for name, text in files.items():
            (self._directory / name).write_text(text)
            self._account.own(self._directory / name)

    def _tls_settings(self, certificate: Certificate) -> str:
        settings = {"listeners.ssl.1": f"127.0.0.1:{self.tls_port}", "ssl_options.verify": "verify_none"}
        files = {"cacertfile": certificate.authority, "certfile": certificate.cert, "keyfile": certificate.key}
        for name, source in files.items():
            shutil.copy(source, self._directory / source.name)
            self._account.own(self._directory / source.name)
            settings[f"ssl_options.{name}"] = str(self._directory / source.name)
        return "".join(f"{name} = {value}\n" for name, value in settings.items())

    async def _answers(self) -> bool:
        # Listeners open last while RabbitMQ boots; the handshake also shows that no proxy or stranger has the port.
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        try:
            writer.write(_PROTOCOL_HEADER)
            return await reader.read(1) == _METHOD_FRAME
        except OSError:
            return False
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
