"""Keys, sessions and projects in memory, for `ports.access`; the SQL stores have contract tests of their own."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from ketline.domain.access.audit import Actor, AuditEntry, AuditPage, AuditRecord
from ketline.domain.access.principals import DEFAULT_PROJECT, ApiKey, Principal, Project, ProjectName, Role
from ketline.domain.access.quotas import ProjectQuotas
from ketline.domain.errors import KeyUnknown, ProjectExists, ProjectUnknown


class FakeProjectStore:
    """The project `default`, and those that a test adds."""

    def __init__(self) -> None:
        self.actors: list[Actor] = []
        self.known = {DEFAULT_PROJECT: Project(name=DEFAULT_PROJECT, created_at=datetime.now(UTC))}

    async def add(self, name: ProjectName, actor: Actor) -> Project:
        if name in self.known:
            raise ProjectExists(f"There is a project {name} already.")
        self.actors.append(actor)
        self.known[name] = Project(name=name, created_at=datetime.now(UTC))
        return self.known[name]

    async def get(self, name: ProjectName) -> Project:
        if name not in self.known:
            raise ProjectUnknown(f"There is no project {name}.")
        return self.known[name]

    async def projects(self) -> Sequence[Project]:
        return [self.known[name] for name in sorted(self.known)]

    async def change(
        self,
        name: ProjectName,
        *,
        quotas: ProjectQuotas | None = None,
        weight: float | None = None,
        callback: str | None = None,
        actor: Actor,
    ) -> Project:
        known = await self.get(name)
        changed = replace(known, quotas=known.quotas if quotas is None else quotas)
        changed = replace(changed, callback=known.callback if callback is None else callback or None)
        self.known[name] = replace(changed, weight=known.weight if weight is None else weight)
        return self.known[name]

    async def with_callbacks(self) -> Collection[ProjectName]:
        return {name for name, project in self.known.items() if project.callback}

    async def quotas(self) -> Mapping[ProjectName, ProjectQuotas]:
        return {name: project.quotas for name, project in self.known.items() if project.quotas}


class FakeKeyStore:
    """Keys by their ids; `error` is raised by every call while it is set."""

    def __init__(self, projects: FakeProjectStore | None = None) -> None:
        self.projects = projects or FakeProjectStore()
        self.stored: dict[str, tuple[ApiKey, bytes]] = {}
        self.touched: list[str] = []
        self.searches = 0
        self.failures = 0
        self.error: Exception | None = None

    async def add(self, key: ApiKey, digest: bytes, lifetime: timedelta | None, actor: Actor) -> ApiKey:
        self._fail_if_told()
        await self.projects.get(key.project)
        now = datetime.now(UTC)
        stored = replace(key, created_at=now, expires_at=None if lifetime is None else now + lifetime)
        self.stored[key.key_id] = (stored, digest)
        return stored

    async def find(self, key_id: str) -> tuple[ApiKey, bytes] | None:
        self._fail_if_told()
        self.searches += 1
        found = self.stored.get(key_id)
        ended = found is not None and found[0].expires_at is not None and found[0].expires_at <= datetime.now(UTC)
        return None if ended else found

    async def get(self, key_id: str) -> ApiKey:
        self._fail_if_told()
        if key_id not in self.stored:
            raise KeyUnknown(f"There is no key {key_id}.")
        return self.stored[key_id][0]

    async def keys(self, project: ProjectName | None = None) -> Sequence[ApiKey]:
        self._fail_if_told()
        return [key for key, _ in self.stored.values() if project in (None, key.project)]

    async def replace(
        self, old: str, overlap: timedelta, key: ApiKey, digest: bytes, lifetime: timedelta | None, actor: Actor
    ) -> ApiKey:
        await self._end(old, overlap)
        return await self.add(key, digest, lifetime, actor)

    async def revoke(self, key_id: str, actor: Actor) -> ApiKey:
        return await self._end(key_id, timedelta())

    async def _end(self, key_id: str, after: timedelta) -> ApiKey:
        key, end = await self.get(key_id), datetime.now(UTC) + after
        ended = replace(key, expires_at=min(end, key.expires_at or end))
        self.stored[key_id] = (ended, self.stored[key_id][1])
        return ended

    async def touch(self, key_id: str) -> None:
        self._fail_if_told()
        self.touched.append(key_id)

    def _fail_if_told(self) -> None:
        if self.error is not None:
            self.failures += 1
            raise self.error


class FakeSessionStore:
    """Sessions by their digests; a session whose API key has ended has ended too."""

    def __init__(self, keys: FakeKeyStore) -> None:
        self.keys = keys
        self.stored: dict[bytes, Principal] = {}
        self.actors: list[Actor] = []

    async def add(self, digest: bytes, principal: Principal, lifetime: timedelta, actor: Actor) -> None:
        self.actors.append(actor)
        self.stored[digest] = replace(principal, expires_at=datetime.now(UTC) + lifetime)

    async def find(self, digest: bytes) -> Principal | None:
        principal = self.stored.get(digest)
        if principal is None or principal.expires_at is None or principal.expires_at <= datetime.now(UTC):
            return None
        if principal.key_id is not None and await self.keys.find(principal.key_id) is None:
            return None
        return principal

    async def move(self, digest: bytes, new: bytes, project: ProjectName, role: Role) -> bool:
        principal = await self.find(digest)
        if principal is None:
            return new in self.stored
        del self.stored[digest]
        self.stored[new] = replace(principal, project=project, role=role)
        return True

    async def end(self, digest: bytes, actor: Actor) -> None:
        self.actors.append(actor)
        self.stored.pop(digest, None)


class FakeAuditLog:
    """Keeps what it is told; `error` is raised by every call while it is set. `batches` are numbers of deletions."""

    def __init__(self) -> None:
        self.records: list[AuditRecord] = []
        self.error: Exception | None = None
        self.batches: list[int] = []
        self.deletions: list[tuple[timedelta, int]] = []

    async def add(self, record: AuditRecord) -> None:
        if self.error is not None:
            raise self.error
        self.records.append(record)

    async def find(self, project: ProjectName | None, before: int | None, limit: int) -> AuditPage:
        entries = [
            AuditEntry(number=number, at=datetime.now(UTC), record=record)
            for number, record in enumerate(self.records, 1)
            if project in (None, record.project) and (before is None or number < before)
        ][::-1]
        return AuditPage(entries=entries[:limit], next=entries[limit - 1].number if len(entries) > limit else None)

    async def delete_older(self, age: timedelta, limit: int) -> int:
        self.deletions.append((age, limit))
        return self.batches.pop(0) if self.batches else 0
