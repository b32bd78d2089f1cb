"""API keys: creates, lists, ends and verifies them. The command `ketline keys` and the routes of keys call it.

A key is `ktl_<id>_<secret>`: an id of 48 bits and a secret of 256 bits, both random, in hexadecimal. The whole key is
shown once, when it is created; what is stored of the secret is its SHA-256 digest.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest

import structlog

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ApiKey, Owner, Principal, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid, KeyUnknown, ServiceUnavailable
from ketline.ports.access.access import KeyStore
from ketline.ports.clock import Clock

log = structlog.get_logger()

PREFIX = "ktl_"
KEY_ID_CHARACTERS = 12
_KEY_ID = re.compile(f"[0-9a-f]{{{KEY_ID_CHARACTERS}}}")
_KEY = re.compile(rf"{PREFIX}({_KEY_ID.pattern})_([0-9a-f]{{64}})")
_ID_BYTES = KEY_ID_CHARACTERS // 2
_SECRET_BYTES = 32
# How often the use of a key is recorded.
TOUCH_SECONDS = 60.0
MAX_TOUCHED = 10_000


def is_key(token: str) -> bool:
    """Whether a token has the form of an API key."""
    return _KEY.fullmatch(token) is not None


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just created, with the whole text, which nobody can read again."""

    key: ApiKey
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ManageKeys:
    """Creates, lists and ends API keys."""

    store: KeyStore

    async def create(
        self,
        *,
        project: ProjectName,
        role: Role,
        owner: Owner,
        name: str | None = None,
        lifetime: timedelta | None = None,
        actor: Actor,
    ) -> NewKey:
        """Create a key, which expires after `lifetime`, or never.

        Raises:
            ProjectUnknown: there is no such project.
            DatabaseUnavailable: the key is not known to be stored.
        """
        key = ApiKey(key_id=secrets.token_hex(_ID_BYTES), project=project, role=role, owner=owner, name=name)
        secret = secrets.token_hex(_SECRET_BYTES)
        return _new(await self.store.add(key, _digest(secret), lifetime, actor), secret)

    async def keys(self, project: ProjectName | None = None) -> Sequence[ApiKey]:
        """Return the keys of a project, or of all projects, including keys that have ended.

        Raises:
            DatabaseUnavailable: they could not be read.
        """
        return await self.store.keys(project)

    async def revoke(self, key_id: str, actor: Actor) -> ApiKey:
        """End a key; every process of the service rejects it within two seconds.

        Raises:
            KeyUnknown: there is no such key.
            DatabaseUnavailable: it is not known to have ended.
        """
        return await self.store.revoke(_possible(key_id), actor)

    async def rotate(
        self, key_id: str, overlap: timedelta, lifetime: timedelta | None = None, *, actor: Actor
    ) -> NewKey:
        """Create a key with the rights of another, which ends after `overlap`.

        Raises:
            KeyUnknown: there is no such key.
            DatabaseUnavailable: it is unknown what was stored.
        """
        key = replace(await self.store.get(_possible(key_id)), key_id=secrets.token_hex(_ID_BYTES))
        secret = secrets.token_hex(_SECRET_BYTES)
        return _new(await self.store.replace(key_id, overlap, key, _digest(secret), lifetime, actor), secret)


@dataclass(slots=True)
class VerifyKey:
    """The `TokenVerifier` of API keys; records at intervals that a key is in use."""

    store: KeyStore
    clock: Clock
    _touched_at: dict[str, float] = field(default_factory=dict, init=False)

    def takes(self, token: str) -> bool:
        return token.startswith(PREFIX)

    async def __call__(self, token: str) -> Principal:
        parts = _KEY.fullmatch(token)
        found = None if parts is None else await self.store.find(parts[1])
        if parts is None or found is None or not compare_digest(found[1], _digest(parts[2])):
            raise CredentialsInvalid("The API key is not valid: it is unknown, revoked or expired.")
        key = found[0]
        await self._touch(key.key_id)
        return Principal(
            project=key.project, role=key.role, owner=key.owner, key_id=key.key_id, expires_at=key.expires_at
        )

    async def _touch(self, key_id: str) -> None:
        now = self.clock.monotonic()
        if now - self._touched_at.get(key_id, -TOUCH_SECONDS) < TOUCH_SECONDS:
            return
        if len(self._touched_at) >= MAX_TOUCHED:
            self._touched_at.clear()
        self._touched_at[key_id] = now
        try:
            await self.store.touch(key_id)
        except ServiceUnavailable as error:
            # A key is valid also while the database takes no writes.
            log.debug("keys.use_not_recorded", key_id=key_id, code=error.code)


def _possible(key_id: str) -> str:
    """The id of a key, checked so that an impossible id is not looked up.

    Raises:
        KeyUnknown: no key can have it.
    """
    if not _KEY_ID.fullmatch(key_id):
        raise KeyUnknown(f"There is no key {key_id}; `ketline keys list` lists all keys.")
    return key_id


def _new(key: ApiKey, secret: str) -> NewKey:
    return NewKey(key, f"{PREFIX}{key.key_id}_{secret}")


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()
