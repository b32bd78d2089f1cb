"""The sign-in of a browser at the issuer: authorization code with PKCE; the pages call it as a `ProviderSignIn`.

Source: OpenID Connect Core 1.0, section 3.1; RFC 7636 (PKCE); RFC 9700 (best current practices).
"""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from hmac import compare_digest
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from ketline.domain.access.principals import Principal
from ketline.domain.errors import CredentialsInvalid, IssuerUnavailable
from ketline.oidc.verifier import VerifyJwt
from ketline.ports.access.access import SignInAttempt

_SCOPES = "openid profile email"
_RANDOM_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFlow:
    """Sends browsers to the issuer and verifies the ID tokens of those who come back; `verify` is for ID tokens."""

    verify: VerifyJwt
    client_id: str
    client_secret: str | None
    redirect_url: str

    @property
    def name(self) -> str:
        return urlsplit(self.verify.keys.issuer).hostname or ""

    async def begin(self) -> tuple[str, SignInAttempt]:
        attempt = SignInAttempt(*(secrets.token_urlsafe(_RANDOM_BYTES) for _ in range(3)))
        challenge = base64.urlsafe_b64encode(sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_url,
            "scope": _SCOPES,
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = await self._endpoint("authorization_endpoint")
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(parameters)}", attempt

    async def finish(self, code: str, attempt: SignInAttempt) -> Principal:
        token = (await self._exchange(code, attempt)).get("id_token")
        if not isinstance(token, str):
            raise CredentialsInvalid("The issuer sent no ID token.")
        claims = await self.verify.claims(token)
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not compare_digest(nonce.encode(), attempt.nonce.encode()):
            raise CredentialsInvalid("The ID token is of another sign-in.")
        if claims.get("azp", self.client_id) != self.client_id:
            raise CredentialsInvalid("The ID token is for another client.")
        return self.verify.principal(claims)

    async def _exchange(self, code: str, attempt: SignInAttempt) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_url,
            "client_id": self.client_id,
            "code_verifier": attempt.verifier,
            **({} if self.client_secret is None else {"client_secret": self.client_secret}),
        }
        try:
            response = await self.verify.keys.client.post(await self._endpoint("token_endpoint"), data=form)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise IssuerUnavailable("The issuer does not exchange the code for a token.") from error
        if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
            raise IssuerUnavailable("The issuer does not exchange the code for a token.")
        try:
            answer = response.raise_for_status().json()
        except (httpx.HTTPError, ValueError) as error:
            raise CredentialsInvalid("The issuer does not accept the code.") from error
        return answer if isinstance(answer, dict) else {}

    async def _endpoint(self, name: str) -> str:
        await self.verify.keys.for_key(None)
        endpoint = self.verify.keys.endpoints.get(name)
        if not isinstance(endpoint, str) or urlsplit(endpoint).scheme not in {"https", "http"}:
            raise IssuerUnavailable(f"The issuer's discovery document has no {name}.")
        return endpoint
