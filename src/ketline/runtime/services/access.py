"""Opens the services that say who may do what: authentication, keys, sessions, projects and the audit log."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from ketline.config import Settings
from ketline.db.access import SqlKeyStore, SqlProjectStore
from ketline.db.audit import SqlAuditLog
from ketline.db.browser_sessions import SqlSessionStore
from ketline.db.engine.database import Database
from ketline.db.webhooks.secrets import SqlSecretStore
from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import ANYONE, AuthMode
from ketline.ports.access.access import ProviderSignIn, TokenVerifier
from ketline.ports.clock import Clock
from ketline.ports.operations.metrics import Metrics
from ketline.rate_limiter import MemoryRateLimiter
from ketline.runtime.background import running
from ketline.service.access.authentication import Authenticate
from ketline.service.access.failures import FailedSignIns
from ketline.service.access.keys import ManageKeys, VerifyKey
from ketline.service.access.rejected_sign_ins import RecordRejectedSignIns
from ketline.service.access.sessions import ManageSessions, VerifySession
from ketline.service.access.webhook_secrets import ManageWebhookSecrets
from ketline.service.services import AccessServices


@asynccontextmanager
async def open_access(
    settings: Settings, database: Database, clock: Clock, metrics: Metrics
) -> AsyncIterator[AccessServices]:
    """Open them on a database; rejected sign-ins are recorded while the context is open."""
    keys, sessions = SqlKeyStore(database), SqlSessionStore(database)
    projects, audit = SqlProjectStore(database), SqlAuditLog(database)
    rejected = RecordRejectedSignIns(audit, clock, metrics)
    async with (
        _open_authentication(settings, keys, sessions, clock) as (authenticate, provider),
        running(rejected.run()),
    ):
        yield AccessServices(
            authenticate=authenticate,
            provider=provider,
            keys=ManageKeys(keys),
            sessions=ManageSessions(sessions, timedelta(hours=settings.session_hours)),
            projects=projects,
            webhook_secrets=ManageWebhookSecrets(SqlSecretStore(database), projects),
            audit=audit,
            rejected_sign_ins=rejected,
            failed_sign_ins=FailedSignIns(settings.failed_sign_in_limits, clock),
            rate_limiter=MemoryRateLimiter(settings.rate_limits) if settings.rate_limits else None,
        )


@asynccontextmanager
async def _open_authentication(
    settings: Settings, keys: SqlKeyStore, sessions: SqlSessionStore, clock: Clock
) -> AsyncIterator[tuple[Authenticate, ProviderSignIn | None]]:
    """Requests are authenticated as the operator chose; without authentication everyone may do everything."""
    modes = settings.auth_modes
    if modes == {AuthMode.OFF}:
        yield Authenticate([], clock, anyone=ANYONE), None
        return
    rights = parse_groups(settings.oidc_groups) if AuthMode.OIDC in modes else {}
    verifiers: list[TokenVerifier] = [VerifySession(sessions, rights, keys=AuthMode.KEYS in modes)]
    if AuthMode.KEYS in modes:
        verifiers.append(VerifyKey(keys, clock))
    provider: ProviderSignIn | None = None
    async with AsyncExitStack() as stack:
        if AuthMode.OIDC in modes:
            # Libraries that take time to import, and that only those who use an issuer need.
            from ketline.runtime.services.issuer import open_issuer

            verify, provider = await stack.enter_async_context(open_issuer(settings))
            verifiers.append(verify)
        yield Authenticate(verifiers, clock), provider
