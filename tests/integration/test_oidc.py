"""Tokens of an OpenID Connect issuer, which runs on loopback: which ones are accepted, and for whom."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey

from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import MAX_OWNER_CHARACTERS, Owner, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid, IssuerUnavailable
from ketline.oidc.keys import IssuerKeys
from ketline.oidc.verifier import LEEWAY_SECONDS, VerifyJwt
from tests.issuer import AUDIENCE, Issuer, rsa_key, serving

RIGHTS = parse_groups("physics=physics:submitter, admins=physics:operator, admins=chemistry:reader")


@pytest.fixture
async def issuer() -> AsyncIterator[Issuer]:
    async with serving(Issuer()) as issuer:
        yield issuer


@pytest.fixture
async def keys(issuer: Issuer) -> AsyncIterator[IssuerKeys]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield IssuerKeys(issuer.url, client, least_seconds=0.0)


@pytest.fixture
def verify(keys: IssuerKeys) -> VerifyJwt:
    return VerifyJwt(keys, AUDIENCE, "groups", RIGHTS)


async def test_groups_give_rights_in_projects(issuer: Issuer, verify: VerifyJwt) -> None:
    principal = await verify(issuer.token(preferred_username="ada", groups=["physics", "admins", "others"]))
    assert (principal.owner, principal.project, principal.role) == (
        Owner("ada"),
        ProjectName("chemistry"),
        Role.READER,
    )
    other = principal.within(ProjectName("physics"))
    assert other is not None
    assert other.role is Role.OPERATOR
    assert principal.within(ProjectName("biology")) is None
    assert (await verify(issuer.token(groups="physics"))).project == "physics"


@pytest.mark.parametrize(
    ("claims", "owner"),
    [
        ({"preferred_username": "ada\x00", "email": "ada@example.org"}, "ada@example.org"),
        ({"preferred_username": "\ud800", "email": ["ada"]}, "7"),
        ({"preferred_username": " ", "email": "\u202eada"}, "7"),
        ({"preferred_username": "ada " * 100}, ("ada " * 100)[:MAX_OWNER_CHARACTERS]),
    ],
)
async def test_owner_is_the_first_claim_that_can_be_stored(
    issuer: Issuer, verify: VerifyJwt, claims: dict[str, Any], owner: str
) -> None:
    assert (await verify(issuer.token(**claims))).owner == owner


@pytest.mark.parametrize("sub", ["\x00", "", 7])
async def test_user_without_a_name_that_can_be_stored_is_rejected(
    issuer: Issuer, verify: VerifyJwt, sub: object
) -> None:
    with pytest.raises(CredentialsInvalid):
        await verify(issuer.token(sub=sub))


async def test_rights_end_with_the_token(issuer: Issuer, verify: VerifyJwt) -> None:
    expires_at = int(time.time()) + 100
    principal = await verify(issuer.token(exp=expires_at))
    assert principal.expires_at is not None
    assert principal.expires_at.timestamp() == expires_at + LEEWAY_SECONDS


@pytest.mark.parametrize("groups", [None, [], ["others"], [7, None, ["physics"]], {"physics": 1}, 7, ""])
async def test_user_without_rights_is_rejected(issuer: Issuer, verify: VerifyJwt, groups: Any) -> None:
    if groups == {"physics": 1}:
        groups = {"other": "physics"}
    with pytest.raises(CredentialsInvalid):
        await verify(issuer.token(groups=groups))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another"},
        {"aud": ["another", "more"]},
        {"aud": None},
        {"aud": 7},
        {"iss": "https://evil.example"},
        {"iss": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"exp": 1e300},
        {"exp": 10**400},
        {"sub": None},
    ],
    # Times differ between the processes that run the tests.
    ids=lambda claims: " ".join(claims),
)
async def test_token_that_is_not_for_this_service_is_rejected(
    issuer: Issuer, verify: VerifyJwt, claims: dict[str, Any]
) -> None:
    with pytest.raises(CredentialsInvalid):
        await verify(issuer.token(**claims))


@pytest.mark.parametrize(
    ("claim", "seconds_from_now"),
    [("exp", -LEEWAY_SECONDS - 30), ("nbf", 2 * LEEWAY_SECONDS + 60), ("iat", 2 * LEEWAY_SECONDS + 60)],
)
async def test_token_of_another_time_is_rejected(
    issuer: Issuer, verify: VerifyJwt, claim: str, seconds_from_now: int
) -> None:
    claims: dict[str, Any] = {claim: int(time.time()) + seconds_from_now}
    with pytest.raises(CredentialsInvalid):
        await verify(issuer.token(**claims))


async def test_clocks_may_differ_a_little(issuer: Issuer, verify: VerifyJwt) -> None:
    now = int(time.time())
    await verify(issuer.token(exp=now - LEEWAY_SECONDS // 2))
    await verify(issuer.token(nbf=now + LEEWAY_SECONDS // 2, iat=now + LEEWAY_SECONDS // 2))
    await verify(issuer.token(aud=["others", AUDIENCE]))


def _encoded(part: Any) -> str:
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


async def test_unsigned_and_symmetric_tokens_are_rejected(issuer: Issuer, verify: VerifyJwt) -> None:
    """Whoever knows the public key, which everyone does, could otherwise sign with it."""
    public = issuer.keys[0]
    unsigned = f"{_encoded({'alg': 'none', 'kid': 'one'})}.{_encoded(issuer.claims())}."
    forged = [unsigned, unsigned + "x"]
    for secret in (public.as_pem(private=False), json.dumps(public.as_dict(private=False)).encode()):
        signed = f"{_encoded({'alg': 'HS256', 'kid': 'one'})}.{_encoded(issuer.claims())}"
        forged.append(f"{signed}.{_encoded(hmac.digest(secret, signed.encode(), hashlib.sha256))}")
    for token in forged:
        with pytest.raises(CredentialsInvalid):
            await verify(token)


async def test_symmetric_key_that_the_issuer_publishes_is_not_used(issuer: Issuer, verify: VerifyJwt) -> None:
    shared = OctKey.generate_key(256, {"kid": "shared"})
    issuer.documents["/keys"] = {"keys": [*(key.as_dict() for key in issuer.keys), shared.as_dict()]}
    with pytest.raises(CredentialsInvalid):
        await verify(jwt.encode({"alg": "HS256", "kid": "shared"}, issuer.claims(), shared))
    await verify(issuer.token())


async def test_key_for_another_algorithm_or_of_another_issuer_is_rejected(issuer: Issuer, verify: VerifyJwt) -> None:
    elliptic = ECKey.generate_key("P-256", {"kid": "elliptic"})
    issuer.keys.append(elliptic)
    await verify(issuer.token(key=elliptic))
    for token in (
        issuer.token(key=rsa_key("one")),
        issuer.token(key=rsa_key("elliptic")),
        issuer.token(key=rsa_key("unknown")),
    ):
        with pytest.raises(CredentialsInvalid):
            await verify(token)


async def test_changed_token_is_rejected(issuer: Issuer, verify: VerifyJwt) -> None:
    header, claims, signature = issuer.token().split(".")
    changed = [
        f"{header}.{_encoded(issuer.claims(groups=['admins']))}.{signature}",
        f"{header}.{claims}.{signature[:-8]}",
        f"{header}.{claims}.",
        f"{header}.{_encoded([1])}.{signature}",
        f"{_encoded(b'no json')}.{claims}.{signature}",
        f"{_encoded({})}.{claims}.{signature}",
        f"{_encoded([])}.{claims}.{signature}",
        "a.b.c",
        "..",
    ]
    for token in changed:
        with pytest.raises(CredentialsInvalid):
            await verify(token)


async def test_new_key_of_the_issuer_is_fetched_when_a_token_names_it(issuer: Issuer, verify: VerifyJwt) -> None:
    old = issuer.keys[0]
    await verify(issuer.token())
    issuer.keys = [rsa_key("two")]
    await verify(issuer.token())
    with pytest.raises(CredentialsInvalid):
        await verify(issuer.token(key=old))


async def test_keys_are_fetched_once_and_seldom_for_unknown_ids(issuer: Issuer, verify: VerifyJwt) -> None:
    for _ in range(3):
        await verify(issuer.token())
    assert issuer.requests.count("/keys") == 1
    verify.keys.least_seconds = 3600
    for number in range(5):
        with pytest.raises(CredentialsInvalid):
            await verify(issuer.token(key=rsa_key("one"), header={"kid": f"made-up-{number}"}))
    assert issuer.requests.count("/keys") == 1


async def test_issuer_that_is_down_is_not_taken_for_a_wrong_token(issuer: Issuer, verify: VerifyJwt) -> None:
    issuer.down = True
    with pytest.raises(IssuerUnavailable):
        await verify(issuer.token())
    issuer.down = False
    await verify(issuer.token())


async def test_known_keys_are_used_while_the_issuer_is_down(issuer: Issuer, verify: VerifyJwt) -> None:
    await verify(issuer.token())
    issuer.down, verify.keys.refresh_seconds = True, 0.0
    await verify(issuer.token())
    with pytest.raises(IssuerUnavailable):
        await verify(issuer.token(key=rsa_key("new")))


@pytest.mark.parametrize(
    "documents",
    [
        {"/.well-known/openid-configuration": {"issuer": "https://evil.example", "jwks_uri": "http://127.0.0.1/keys"}},
        {"/.well-known/openid-configuration": []},
        {"/keys": {}},
        {"/keys": {"keys": 7}},
        {"/keys": {"keys": ["x" * (1 << 20)]}},
    ],
    ids=["of another issuer", "no object", "no keys", "no list", "too large"],
)
async def test_documents_that_cannot_be_used_make_the_issuer_unavailable(
    issuer: Issuer, verify: VerifyJwt, documents: dict[str, Any]
) -> None:
    issuer.documents = documents
    with pytest.raises(IssuerUnavailable):
        await verify(issuer.token())


async def test_api_keys_and_sessions_are_not_taken_for_tokens(verify: VerifyJwt, issuer: Issuer) -> None:
    assert verify.takes(issuer.token())
    assert not any(map(verify.takes, ["ktl_" + "0" * 12 + "_" + "0" * 64, "kts_" + "0" * 64, "", "a.b", "a.b.c.d.e"]))
