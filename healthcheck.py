"""The health check of the container image: exits with 0 if the API, or the worker in its place, is ready.

It runs every few seconds for as long as a container does, so it takes as little of Python as can be: `python -IS`, a
bare socket, and TLS only where the API serves it.
"""

import os
import socket
import sys

TIMEOUT_SECONDS = 4
REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def main() -> int:
    """The exit status: 0 if `/readyz` responds with 200."""
    worker_port = os.environ.get("KETLINE_WORKER_PORT")
    port = int(worker_port or os.environ["KETLINE_PORT"])
    connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
    if os.environ.get("KETLINE_TLS_CERT") and not worker_port:
        connection = _encrypted(connection)
    connection.sendall(REQUEST)
    return int(b" 200 " not in connection.recv(64))


def _encrypted(connection: socket.socket) -> socket.socket:
    """The connection under TLS. The certificate is not verified: it has the names of the service, not 127.0.0.1."""
    import ssl  # takes longer to import than the rest of the check

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(connection)


if __name__ == "__main__":
    sys.exit(main())
