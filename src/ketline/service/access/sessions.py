"""Sessions of browsers: starts, ends and verifies them. The sign-in of the pages calls it, and `Authenticate`.

A session's token is `kts_` and 256 random bits in hexadecimal. A cookie of the browser has it; what is stored of it is
its SHA-256 digest.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from ketline.domain.access import Principal
from ketline.domain.errors import CredentialsInvalid
from ketline.ports.access import SessionStore

PREFIX = "kts_"
_TOKEN = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")
_TOKEN_BYTES = 32


def is_session(token: str) -> bool:
    """Whether a token has the form of a session's."""
    return _TOKEN.fullmatch(token) is not None


@dataclass(frozen=True, slots=True)
class ManageSessions:
    """Starts sessions, which end after `lifetime` at the latest, and ends them."""

    store: SessionStore
    lifetime: timedelta

    async def start(self, principal: Principal) -> str:
        """Start a session with the rights of a principal, and return its token.

        Raises:
            DatabaseUnavailable: the session is not known to be stored.
        """
        token = PREFIX + secrets.token_hex(_TOKEN_BYTES)
        await self.store.add(_digest(token), principal, self.lifetime)
        return token

    async def end(self, token: str) -> None:
        """End a session; every process of the service refuses it within two seconds.

        Raises:
            DatabaseUnavailable: it is not known to have ended.
        """
        await self.store.end(_digest(token))


@dataclass(frozen=True, slots=True)
class VerifySession:
    """The `TokenVerifier` of sessions."""

    store: SessionStore

    def takes(self, token: str) -> bool:
        return token.startswith(PREFIX)

    async def __call__(self, token: str) -> Principal:
        principal = await self.store.find(_digest(token)) if is_session(token) else None
        if principal is None:
            raise CredentialsInvalid("The session is not valid: it is unknown or has ended.")
        return principal


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
