"""Opens the verifier of an OpenID Connect issuer's tokens, for `access.py`, where `KETLINE_AUTH` has `oidc`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx

from ketline.config import Settings
from ketline.domain.access.groups import parse_groups
from ketline.domain.errors import ConfigurationInvalid
from ketline.oidc.code_flow import CodeFlow
from ketline.oidc.keys import TIMEOUT_SECONDS, IssuerKeys
from ketline.oidc.verifier import VerifyJwt


@asynccontextmanager
async def open_issuer(settings: Settings) -> AsyncIterator[tuple[VerifyJwt, CodeFlow | None]]:
    """Open the verifier, and the sign-in of browsers if that is set up.

    Its keys are fetched when a token arrives, so the issuer may be down.

    Raises:
        ConfigurationInvalid: the issuer or the audience is not set.
    """
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    if issuer is None or audience is None:
        raise ConfigurationInvalid("KETLINE_AUTH=oidc needs KETLINE_OIDC_ISSUER and KETLINE_OIDC_AUDIENCE.")
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
        keys = IssuerKeys(issuer, client)
        verify = VerifyJwt(keys, audience, settings.oidc_groups_claim, parse_groups(settings.oidc_groups))
        yield verify, _code_flow(settings, verify)


def _code_flow(settings: Settings, verify: VerifyJwt) -> CodeFlow | None:
    client_id, redirect_url, secret = settings.oidc_client_id, settings.oidc_redirect_url, settings.oidc_client_secret
    if client_id is None or redirect_url is None:
        return None
    return CodeFlow(
        verify=replace(verify, audience=client_id),
        client_id=client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        redirect_url=redirect_url,
    )
