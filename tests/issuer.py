"""An OpenID Connect issuer on loopback: serves its discovery document and keys, and signs tokens and browsers in."""

import asyncio
import json
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlencode

import uvicorn
from joserfc import jws
from joserfc.jwk import ECKey, KeySet, RSAKey
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

AUDIENCE = "ketline"
SECONDS = 10.0


@dataclass(slots=True)
class Issuer:
    """Its `keys` are those that it publishes; it fails while it is `down`. ID tokens have the claims `given` too."""

    url: str = ""
    keys: list[RSAKey | ECKey] = field(default_factory=lambda: [rsa_key("one")])
    down: bool = False
    documents: dict[str, Any] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    client_secret: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def claims(self, **given: Any) -> dict[str, Any]:
        """The claims of a valid token, with changes; those that are None are left out."""
        now = int(time.time())
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "7", "iat": now, "exp": now + 300, "groups": ["physics"]}
        return {name: value for name, value in {**usual, **given}.items() if value is not None}

    def token(self, *, key: RSAKey | ECKey | None = None, header: dict[str, Any] | None = None, **given: Any) -> str:
        """A token that is signed with a key of the issuer, or with another one."""
        signing = key or self.keys[0]
        algorithm = "RS256" if isinstance(signing, RSAKey) else "ES256"
        named = {"alg": algorithm, "kid": signing.kid, **(header or {})}
        return jws.serialize_compact(
            {name: value for name, value in named.items() if value}, json.dumps(self.claims(**given)), signing
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        self.requests.append(scope["path"])
        request = Request(scope, receive)
        status, location = 200, ""
        document: Any = {}
        if scope["path"] == "/authorize":
            status, location = 303, self._authorize(dict(request.query_params))
        elif scope["path"] == "/token":
            form = dict(parse_qsl((await request.body()).decode()))
            status, document = self._exchange(form)
        else:
            document = self._document(scope["path"])
        status = 503 if self.down else status
        body = json.dumps(document).encode()
        headers = [(b"content-type", b"application/json"), (b"location", location.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _authorize(self, query: dict[str, str]) -> str:
        """Sign the browser in without a question, and say where it goes."""
        code = secrets.token_hex(16)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"

    def _exchange(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        names = ("client_id", "redirect_uri")
        if asked is None or challenge != asked["code_challenge"] or any(asked[name] != form[name] for name in names):
            return 400, {"error": "invalid_grant"}
        if form.get("client_secret") != self.client_secret:
            return 401, {"error": "invalid_client"}
        return 200, {"id_token": self.token(**{"aud": form["client_id"], "nonce": asked["nonce"], **self.given})}

    def _document(self, path: str) -> Any:
        usual = {
            "/.well-known/openid-configuration": {
                "issuer": self.url,
                "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
            },
            "/keys": KeySet([*self.keys]).as_dict(),
        }
        return {**usual, **self.documents}[path]


def rsa_key(key_id: str) -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": key_id})


@asynccontextmanager
async def serving(issuer: Issuer) -> AsyncIterator[Issuer]:
    """Serve an issuer while the context is open."""
    server = uvicorn.Server(
        uvicorn.Config(issuer, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(server.serve())
        async with asyncio.timeout(SECONDS):
            while not server.started:  # noqa: ASYNC110 - uvicorn has no event
                await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        issuer.url = f"http://127.0.0.1:{port}"
        try:
            yield issuer
        finally:
            server.should_exit = True
