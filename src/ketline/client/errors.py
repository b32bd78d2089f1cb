"""What can go wrong for a caller of a Ketline service.

ClientError
├── ServiceUnreachable
├── RequestRefused
└── WaitTimeout
"""


class ClientError(Exception):
    """Anything that keeps a client from its answer."""


class ServiceUnreachable(ClientError):
    """No answer came from the service, or none that it would give."""


class RequestRefused(ClientError):
    """The service answered with a problem document; `code` is stable, `status` the HTTP status."""

    def __init__(self, message: str, *, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class WaitTimeout(ClientError):
    """The task had not ended when the caller's patience had; it goes on all the same."""
