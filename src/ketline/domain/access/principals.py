"""Access: projects, the roles of their members, and the principal of a request.

A task belongs to a project and has an owner. `specs/access.md` has the table of rights.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import NewType

from ketline.domain.access.quotas import UNLIMITED, ProjectQuotas

ProjectName = NewType("ProjectName", str)
Owner = NewType("Owner", str)

DEFAULT_PROJECT = ProjectName("default")
# A project of this weight beside one of weight 1 gets all slots but one in a thousand.
MAX_WEIGHT = 1000.0
MAX_PROJECT_CHARACTERS = 63
PROJECT_NAME = re.compile(f"[a-z0-9][a-z0-9._-]{{0,{MAX_PROJECT_CHARACTERS - 1}}}")
MAX_OWNER_CHARACTERS = 200


def parse_project_name(text: str) -> ProjectName:
    """The name of a project.

    Raises:
        ValueError: it is not a possible one; the message says what is.
    """
    if not PROJECT_NAME.fullmatch(text):
        raise ValueError(
            "the name of a project has up to 63 lower-case letters, digits and ._- and begins with a letter or a digit"
        )
    return ProjectName(text)


def parse_owner(text: str) -> Owner:
    """The owner of a key, or what a key is for.

    Raises:
        ValueError: it is empty, too long, or has characters that are not printable.
    """
    if not 0 < len(text) <= MAX_OWNER_CHARACTERS or not text.isprintable() or text.isspace():
        raise ValueError(f"write 1 to {MAX_OWNER_CHARACTERS} printable characters")
    return Owner(text)


class AuthMode(StrEnum):
    """How requests are authenticated: not at all, by API keys, or by tokens of an OpenID Connect issuer."""

    OFF = "off"
    KEYS = "keys"
    OIDC = "oidc"


class Role(StrEnum):
    """The rights of a principal in its project; each role includes those before it.

    A reader sees tasks, a submitter also submits and changes them, and an operator also sees workers and the queue.
    Only an administrator manages keys, projects and quotas, of all projects.
    """

    READER = "reader"
    SUBMITTER = "submitter"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"

    def includes(self, other: "Role") -> bool:
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A group that works on the same tasks.

    `weight` is how much of the slots it gets beside projects of weight 1. Tasks without a callback of their own are
    delivered to `callback`.
    """

    name: ProjectName
    created_at: datetime
    weight: float = 1.0
    quotas: ProjectQuotas = UNLIMITED
    callback: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """An API key without its secret; a key whose `expires_at` is in the past gives no rights.

    `name` says what it is for. `last_used_at` is correct to a minute.
    """

    key_id: str
    project: ProjectName
    role: Role
    owner: Owner
    name: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The sender of a request: a member of a project, with a role.

    `key_id` is the API key that the request was sent with, None without one. The rights end at `expires_at`.
    `memberships` are the roles of a sender who may choose among several projects, `groups` what gives them to a user
    of an identity provider.
    """

    project: ProjectName = DEFAULT_PROJECT
    role: Role
    owner: Owner | None = None
    key_id: str | None = None
    expires_at: datetime | None = None
    memberships: tuple[tuple[ProjectName, Role], ...] = ()
    groups: tuple[str, ...] | None = None

    def within(self, project: ProjectName) -> "Principal | None":
        """The sender as a member of a project, None if that is not one of the sender's."""
        if project == self.project:
            return self
        role = dict(self.memberships).get(project)
        return None if role is None else replace(self, project=project, role=role)


def member(
    roles: Mapping[ProjectName, Role], *, owner: Owner, expires_at: datetime, groups: tuple[str, ...] | None = None
) -> Principal:
    """A member of at least one project, for now in the first one in alphabetical order."""
    memberships = tuple(sorted(roles.items()))
    project, role = memberships[0]
    return Principal(
        project=project, role=role, owner=owner, expires_at=expires_at, memberships=memberships, groups=groups
    )


# Without authentication everyone who reaches the service may do everything in the default project.
ANYONE = Principal(role=Role.ADMINISTRATOR)
