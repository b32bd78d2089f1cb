"""Talk to a Ketline service from Python."""

from ketline.client.errors import ClientError, RequestRefused, ServiceUnreachable, WaitTimeout
from ketline.client.http import AsyncClient, connect

__all__ = ["AsyncClient", "ClientError", "RequestRefused", "ServiceUnreachable", "WaitTimeout", "connect"]
