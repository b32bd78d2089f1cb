"""Which rights the groups of an identity provider give: `group=project:role`, separated by commas."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from ketline.domain.access.principals import PROJECT_NAME, ProjectName, Role

GroupRights: TypeAlias = Mapping[str, tuple[tuple[ProjectName, Role], ...]]


def parse_groups(text: str) -> GroupRights:
    """Read the rights of each group; a group may have rights in several projects.

    Raises:
        ValueError: the text is malformed.
    """
    found: dict[str, tuple[tuple[ProjectName, Role], ...]] = {}
    for entry in filter(None, (part.strip() for part in text.split(","))):
        group, separator, right = entry.rpartition("=")
        project, _, role = right.partition(":")
        if not group or not separator or not PROJECT_NAME.fullmatch(project) or role not in set(Role):
            raise ValueError(f"{entry!r} is not group=project:role, with one of the roles {', '.join(Role)}")
        found[group] = (*found.get(group, ()), (ProjectName(project), Role(role)))
    return found


def groups_with_rights(rights: GroupRights, groups: object) -> tuple[str, ...]:
    """Those of a user's groups that give rights, each once; `groups` is what an identity provider says of them."""
    named = [groups] if isinstance(groups, str) else groups
    given = named if isinstance(named, Iterable) else ()
    return tuple(dict.fromkeys(group for group in given if isinstance(group, str) and group in rights))


def memberships(rights: GroupRights, groups: Iterable[str]) -> Mapping[ProjectName, Role]:
    """The highest role in each project of a member of these groups, by the names of projects."""
    found: dict[ProjectName, Role] = {}
    for group in groups:
        for project, role in rights.get(group, ()):
            if project not in found or role.includes(found[project]):
                found[project] = role
    return dict(sorted(found.items()))
