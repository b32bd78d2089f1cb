"""Stores API keys, sessions and projects, and verifies the credentials of requests."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple, Protocol

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import ApiKey, Principal, Project, ProjectName, Role
from ketline.domain.access.quotas import ProjectQuotas


class KeyStore(Protocol):
    """The API keys, by their ids, with only the digests of their secrets. Times are from the database's clock.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    async def add(self, key: ApiKey, digest: bytes, lifetime: timedelta | None, actor: Actor) -> ApiKey:
        """Store a key that expires after `lifetime`, record who created it, and return it with its times.

        Raises:
            ProjectUnknown: there is no such project.
        """
        ...

    async def replace(
        self, old: str, overlap: timedelta, key: ApiKey, digest: bytes, lifetime: timedelta | None, actor: Actor
    ) -> ApiKey:
        """Store a key as `add` does, and in the same transaction end another after `overlap`, unless it ends before.

        Raises:
            KeyUnknown: there is no such key to replace.
        """
        ...

    async def find(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        """Return a key with the digest of its secret, None if there is no such key, or if it is revoked or expired."""
        ...

    async def get(self, key_id: str) -> ApiKey:
        """Return a key, also one that is revoked or expired.

        Raises:
            KeyUnknown: there is no such key.
        """
        ...

    async def keys(self, project: ProjectName | None = None) -> Sequence[ApiKey]:
        """Return the keys of a project, or of all projects, oldest first, including revoked and expired keys."""
        ...

    async def revoke(self, key_id: str, actor: Actor) -> ApiKey:
        """End a key, unless it ended before, record who did, and return it.

        Raises:
            KeyUnknown: there is no such key.
        """
        ...

    async def touch(self, key_id: str) -> None:
        """Record that a key is in use now."""
        ...


class SessionStore(Protocol):
    """The sessions of browsers, by the digests of their tokens. Times are the database's.

    Every method raises `DatabaseUnavailable` if the database cannot be read or written.
    """

    async def add(self, digest: bytes, principal: Principal, lifetime: timedelta, actor: Actor) -> None:
        """Store a session that ends after `lifetime`, record who signed in, and delete sessions that have ended."""
        ...

    async def find(self, digest: bytes) -> Principal | None:
        """Return the principal of a session and when it ends.

        Returns None if there is no such session, or if it or the API key with which it began has ended.
        """
        ...

    async def move(self, digest: bytes, new: bytes, project: ProjectName, role: Role) -> bool:
        """Move a session to another project under a new digest, without a new end; False if it has ended.

        A repeated call with the same `new` returns True, as the first call did.
        """
        ...

    async def end(self, digest: bytes, actor: Actor) -> None:
        """End a session, if there is one, and record who signed out."""
        ...


class ProjectStore(Protocol):
    """The projects. Every method raises `DatabaseUnavailable` if the database cannot be read or written."""

    async def add(self, name: ProjectName, actor: Actor) -> Project:
        """Store a project, and record who created it.

        Raises:
            ProjectExists: there is a project of this name.
        """
        ...

    async def get(self, name: ProjectName) -> Project:
        """Return a project.

        Raises:
            ProjectUnknown: there is no such project.
        """
        ...

    async def projects(self) -> Sequence[Project]:
        """Return all projects, in alphabetical order."""
        ...

    async def change(
        self,
        name: ProjectName,
        *,
        quotas: ProjectQuotas | None = None,
        weight: float | None = None,
        callback: str | None = None,
        actor: Actor,
    ) -> Project:
        """Replace the quotas, the weight or the callback of a project, record who did, and return it.

        An empty callback removes it.

        Stored tasks are not changed. The next claims count with the weight, which is above 0 and at most `MAX_WEIGHT`.

        Raises:
            ProjectUnknown: there is no such project.
        """
        ...

    async def quotas(self) -> Mapping[ProjectName, ProjectQuotas]:
        """Return the quotas of every project that has any."""
        ...

    async def with_callbacks(self) -> Collection[ProjectName]:
        """Return the names of the projects that have a callback."""
        ...


class TokenVerifier(Protocol):
    """Verifies one kind of bearer token."""

    def takes(self, token: str) -> bool:
        """Whether the token is of this kind; looks at its form only."""
        ...

    async def __call__(self, token: str) -> Principal:
        """Return the principal of the token.

        Raises:
            CredentialsInvalid: it is not valid, or no longer; the message does not say which.
            ServiceUnavailable: it cannot be verified now.
        """
        ...


class SignInAttempt(NamedTuple):
    """The random values that a browser stores while it is at an identity provider; `verifier` is secret."""

    state: str
    nonce: str
    verifier: str


class ProviderSignIn(Protocol):
    """Signs browsers in at an identity provider, which sends them back with a code."""

    @property
    def name(self) -> str:
        """The display name of the provider."""
        ...

    async def begin(self) -> tuple[str, SignInAttempt]:
        """Return the URL to which the browser is redirected, and the values that it stores meanwhile.

        Raises:
            ServiceUnavailable: the provider does not respond.
        """
        ...

    async def finish(self, code: str, attempt: SignInAttempt) -> Principal:
        """Return the user who was signed in.

        Raises:
            CredentialsInvalid: the code is not valid, or the user has no rights.
            ServiceUnavailable: the provider does not respond.
        """
        ...
