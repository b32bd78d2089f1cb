"""The keys of an issuer, as its discovery document and its key set publish them; `verifier.py` asks for them.

Source: OpenID Connect Discovery 1.0, sections 3 and 4; RFC 7517, section 5.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, KeySet

from ketline.domain.errors import IssuerUnavailable

log = structlog.get_logger()

# A key that the issuer has withdrawn is rejected after at most this time.
REFRESH_SECONDS = 600.0
# Between two requests, whatever tokens arrive: anyone can send one with the id of a key that does not exist.
MIN_SECONDS = 10.0
TIMEOUT_SECONDS = 5.0
MAX_BYTES = 1 << 20
_ASYMMETRIC = frozenset({"RSA", "EC", "OKP"})


@dataclass(slots=True)
class IssuerKeys:
    """The public keys of an issuer. They are fetched when needed, and at intervals; while that fails, the last remain.

    `endpoints` is the discovery document, once it was fetched.
    """

    issuer: str
    client: httpx.AsyncClient
    refresh_seconds: float = REFRESH_SECONDS
    least_seconds: float = MIN_SECONDS
    endpoints: Mapping[str, Any] = field(default_factory=dict, init=False)
    _keys: KeySet | None = field(default=None, init=False)
    _fetched_at: float = field(default=float("-inf"), init=False)
    _tried_at: float = field(default=float("-inf"), init=False)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def for_key(self, key_id: object) -> KeySet:
        """Return the keys of the issuer, fetched anew if there is none of this id.

        Raises:
            IssuerUnavailable: they could not be fetched, now or shortly before.
        """
        if self._needs_fetch(key_id):
            async with self._lock:
                # Another request may have fetched them meanwhile.
                if self._needs_fetch(key_id) and self._may_try():
                    await self._try_to_fetch()
        if self._keys is None or (self._failed() and not self._knows(key_id)):
            raise IssuerUnavailable(f"The issuer {self.issuer} does not respond with its keys.")
        return self._keys

    def _needs_fetch(self, key_id: object) -> bool:
        return time.monotonic() - self._fetched_at > self.refresh_seconds or not self._knows(key_id)

    def _knows(self, key_id: object) -> bool:
        return self._keys is not None and (key_id is None or any(key.kid == key_id for key in self._keys))

    def _may_try(self) -> bool:
        return time.monotonic() - self._tried_at >= self.least_seconds

    def _failed(self) -> bool:
        return self._tried_at > self._fetched_at

    async def _try_to_fetch(self) -> None:
        self._tried_at = time.monotonic()
        try:
            self.endpoints = await self._document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
            if self.endpoints.get("issuer") != self.issuer:
                raise ValueError("the discovery document is of another issuer")
            self._keys = _asymmetric(await self._document(str(self.endpoints["jwks_uri"])))
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, TypeError, KeyError) as error:
            log.warning("oidc.keys_not_fetched", issuer=self.issuer, reason=f"{type(error).__name__}: {error}")
        else:
            self._fetched_at = self._tried_at

    async def _document(self, url: str) -> Mapping[str, Any]:
        async with self.client.stream("GET", url) as response:
            response.raise_for_status()
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > MAX_BYTES:
                    raise ValueError("the document is too large")
        document = httpx.Response(200, content=bytes(body)).json()
        if not isinstance(document, dict):
            raise TypeError("the document is no object")
        return document


def _asymmetric(document: Mapping[str, Any]) -> KeySet:
    """The keys for signatures in a key set; others, and those of kinds that are not known, are left out."""
    keys = []
    for entry in document["keys"]:
        if not isinstance(entry, dict) or entry.get("kty") not in _ASYMMETRIC or entry.get("use", "sig") != "sig":
            continue
        try:
            keys.append(JWKRegistry.import_key(entry))
        except (JoseError, ValueError, TypeError, KeyError):
            log.debug("oidc.key_ignored", kid=str(entry.get("kid"))[:100])
    return KeySet(keys)
