"""The `TokenVerifier` of an issuer's JSON Web Tokens; the composition root makes it where `KETLINE_AUTH` has `oidc`.

Source: RFC 7519, section 4.1; RFC 8725 (best current practices); OpenID Connect Core 1.0, section 3.1.3.7.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from ketline.domain.access.groups import GroupRights, groups_with_rights, memberships
from ketline.domain.access.principals import MAX_OWNER_CHARACTERS, Owner, Principal, member, parse_owner
from ketline.domain.errors import CredentialsInvalid
from ketline.oidc.keys import IssuerKeys

# Signatures of private keys only: with HMAC, or `none`, everyone who knows the public key could sign.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")
LEEWAY_SECONDS = 60
_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_OWNER_CLAIMS = ("preferred_username", "email", "sub")
# Exceptions that joserfc raises for damaged tokens.
_DAMAGED = (JoseError, ValueError, TypeError, KeyError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class VerifyJwt:
    """Verifies the signature and the claims of a token, and maps the groups of its user to projects and roles."""

    keys: IssuerKeys
    audience: str
    groups_claim: str
    rights: GroupRights

    def takes(self, token: str) -> bool:
        return _FORM.fullmatch(token) is not None

    async def __call__(self, token: str) -> Principal:
        return self.principal(await self.claims(token))

    async def claims(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that the issuer signed for this service, and that is valid now.

        Raises:
            CredentialsInvalid: it is none.
            IssuerUnavailable: the keys of the issuer could not be fetched.
        """
        try:
            header = jws.extract_compact(token.encode()).headers()
        except _DAMAGED as error:
            raise _invalid() from error
        if header.get("alg") not in ALGORITHMS:
            raise _invalid()
        keys = await self.keys.for_key(header.get("kid"))
        try:
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
            self._registry().validate(claims)
        except _DAMAGED as error:
            raise _invalid() from error
        return claims

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.keys.issuer},
            aud={"essential": True, "value": self.audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    def principal(self, claims: Mapping[str, Any]) -> Principal:
        """Return the user of a valid token.

        Raises:
            CredentialsInvalid: the user has no rights in any project, or no name that can be an owner.
        """
        groups = groups_with_rights(self.rights, claims.get(self.groups_claim))
        found = memberships(self.rights, groups)
        try:
            expires_at = datetime.fromtimestamp(claims["exp"] + LEEWAY_SECONDS, UTC)
        except (ValueError, OverflowError, OSError) as error:
            raise _invalid() from error
        if not found:
            raise CredentialsInvalid("The user is in no group that has rights in a project.")
        return member(found, owner=_owner(claims), expires_at=expires_at, groups=groups)


def _owner(claims: Mapping[str, Any]) -> Owner:
    """The first of the user's names that can be an owner: an issuer may let users choose any text."""
    for name in _OWNER_CLAIMS:
        value = claims.get(name)
        if isinstance(value, str):
            with suppress(ValueError):
                return parse_owner(value[:MAX_OWNER_CHARACTERS])
    raise CredentialsInvalid(f"None of {', '.join(_OWNER_CLAIMS)} in the token is a name of printable characters.")


def _invalid() -> CredentialsInvalid:
    return CredentialsInvalid("The token is not valid: it is damaged, expired, or not for this service.")
