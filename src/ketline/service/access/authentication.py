"""Verifies the credentials of a request, and caches their principal for a second; the API's guard calls it."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from ketline.domain.access.principals import Principal
from ketline.domain.errors import CredentialsInvalid, CredentialsMissing
from ketline.ports.access.access import TokenVerifier
from ketline.ports.clock import Clock

# A revoked key may still be accepted for this time, until it is verified again.
REMEMBERED_SECONDS = 1.0
MAX_REMEMBERED = 10_000
MAX_TOKEN_CHARACTERS = 16 * 1024


@dataclass(slots=True)
class Authenticate:
    """Returns the principal of a bearer token, verified within the last second.

    `anyone` is the principal of every request if authentication is off; credentials are then ignored.
    """

    verifiers: Sequence[TokenVerifier]
    clock: Clock
    anyone: Principal | None = None
    _remembered: OrderedDict[bytes, tuple[float, Principal | None]] = field(default_factory=OrderedDict, init=False)

    async def __call__(self, token: str | None) -> Principal:
        """Return the principal that sent a request with this token.

        Raises:
            CredentialsMissing: there is no token.
            CredentialsInvalid: the token is not valid, or no longer.
            ServiceUnavailable: it cannot be verified now.
        """
        if self.anyone is not None:
            return self.anyone
        if token is None:
            raise CredentialsMissing("Send an API key: `Authorization: Bearer ktl_…`.")
        principal = await self._verified(token)
        if principal is None:
            raise CredentialsInvalid("The credentials are not valid: they are unknown, revoked or expired.")
        return principal

    def takes(self, token: str) -> bool:
        """Whether a verifier takes tokens of this form; tokens of other forms are rejected."""
        return any(verifier.takes(token) for verifier in self.verifiers)

    def knows(self, token: str) -> bool:
        """Whether the token was valid when this process verified it last; False if that is no longer cached."""
        known = self._remembered.get(_digest(token))
        return known is not None and known[1] is not None

    def forget(self, token: str) -> None:
        """Remove a token from the cache, because its rights have ended: it is verified again when it is used next."""
        self._remembered.pop(_digest(token), None)

    async def _verified(self, token: str) -> Principal | None:
        # The process keeps only the digests of secrets.
        key, now = _digest(token), self.clock.monotonic()
        known = self._remembered.get(key)
        if known is not None and now - known[0] < REMEMBERED_SECONDS:
            return known[1]
        principal = await self._verify(token)
        self._remembered[key] = (now, principal)
        self._remembered.move_to_end(key)
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return principal

    async def _verify(self, token: str) -> Principal | None:
        verify = next((one for one in self.verifiers if one.takes(token)), None)
        if verify is None or len(token) > MAX_TOKEN_CHARACTERS:
            return None
        try:
            return await verify(token)
        except CredentialsInvalid:
            return None


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()
