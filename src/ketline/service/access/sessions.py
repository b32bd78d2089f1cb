"""Sessions of browsers: starts, moves, ends and verifies them. The sign-in of the pages calls it, and `Authenticate`.

A session's token is `kts_` and 256 random bits in hexadecimal. A cookie of the browser has it; what is stored of it is
its SHA-256 digest.
"""

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256

from ketline.domain.access.audit import Actor
from ketline.domain.access.groups import GroupRights, memberships
from ketline.domain.access.principals import Principal
from ketline.domain.errors import CredentialsInvalid
from ketline.ports.access.access import SessionStore

PREFIX = "kts_"
_TOKEN = re.compile(rf"{PREFIX}[0-9a-f]{{64}}")
_TOKEN_BYTES = 32


def is_session(token: str) -> bool:
    """Whether a token has the form of a session's."""
    return _TOKEN.fullmatch(token) is not None


@dataclass(frozen=True, slots=True)
class ManageSessions:
    """Starts sessions, which end after `lifetime` at the latest, moves them to other projects, and ends them."""

    store: SessionStore
    lifetime: timedelta

    async def start(self, principal: Principal, origin: str | None) -> str:
        """Start a session with the rights of a principal, who signed in from `origin`, and return its token.

        Raises:
            DatabaseUnavailable: the session is not known to be stored.
        """
        token = PREFIX + secrets.token_hex(_TOKEN_BYTES)
        actor = Actor(owner=principal.owner, key_id=principal.key_id, origin=origin)
        await self.store.add(_digest(token), principal, self.lifetime, actor)
        return token

    async def move(self, token: str, principal: Principal) -> str:
        """Put a session into the principal's project, and return its new token; the former one ends.

        Raises:
            CredentialsInvalid: the session has ended.
            DatabaseUnavailable: the session may have either token.
        """
        new = PREFIX + secrets.token_hex(_TOKEN_BYTES)
        if not await self.store.move(_digest(token), _digest(new), principal.project, principal.role):
            raise _invalid()
        return new

    async def end(self, token: str, actor: Actor) -> None:
        """End a session; every process of the service rejects it within two seconds.

        Raises:
            DatabaseUnavailable: it is not known to have ended.
        """
        await self.store.end(_digest(token), actor)


@dataclass(frozen=True, slots=True)
class VerifySession:
    """The `TokenVerifier` of sessions.

    `rights` are the current rights of an identity provider's groups: a session of a user of these groups ends when they
    no longer grant access to the session's project. Without `keys`, sessions that an API key began are rejected.
    """

    store: SessionStore
    rights: GroupRights = field(default_factory=dict)
    keys: bool = True

    def takes(self, token: str) -> bool:
        return token.startswith(PREFIX)

    async def __call__(self, token: str) -> Principal:
        principal = await self.store.find(_digest(token)) if is_session(token) else None
        if principal is None or (principal.key_id is not None and not self.keys):
            raise _invalid()
        return principal if principal.groups is None else self._with_present_rights(principal, principal.groups)

    def _with_present_rights(self, principal: Principal, groups: Iterable[str]) -> Principal:
        roles = memberships(self.rights, groups)
        if principal.project not in roles:
            raise _invalid()
        return replace(principal, role=roles[principal.project], memberships=tuple(roles.items()))


def _invalid() -> CredentialsInvalid:
    return CredentialsInvalid("The session is not valid: it is unknown or has ended.")


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
