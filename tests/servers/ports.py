"""Ports that stay free while a server is down."""

import random
import socket
from pathlib import Path

_LOWEST = 10240
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_ports(count: int) -> list[int]:
    """Different TCP ports that nothing listens on at 127.0.0.1.

    They lie below the ephemeral range: a client that retries a dead server's port inside that range can be given the
    very same port as its source, connects to itself and keeps the server from coming back.
    """
    ceiling = int(_EPHEMERAL.read_text().split()[0]) if _EPHEMERAL.exists() else 32768
    candidates = random.sample(range(_LOWEST, max(ceiling, _LOWEST + 1000)), 200)
    free = [port for port in candidates if _is_free(port)]
    return free[:count]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
