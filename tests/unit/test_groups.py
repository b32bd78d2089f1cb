"""Which rights the groups of an identity provider give."""

import pytest

from ketline.domain.access.groups import groups_with_rights, memberships, parse_groups
from ketline.domain.access.principals import ProjectName, Role

CHEMISTRY, PHYSICS = ProjectName("chemistry"), ProjectName("physics")


def test_highest_role_counts_whatever_the_order() -> None:
    rights = parse_groups(" a=physics:submitter, b=physics:operator ,c=chemistry:reader,")
    for groups in (["a", "b", "c"], ["b", "a", "c", "unknown"]):
        assert memberships(rights, groups) == {CHEMISTRY: Role.READER, PHYSICS: Role.OPERATOR}
    assert memberships(rights, []) == {}


def test_group_may_have_rights_in_several_projects_and_a_name_with_signs() -> None:
    rights = parse_groups("cn=admins=physics:operator,cn=admins=chemistry:reader")
    assert memberships(rights, ["cn=admins"]) == {CHEMISTRY: Role.READER, PHYSICS: Role.OPERATOR}


@pytest.mark.parametrize("text", ["a", "a=physics", "a=physics:boss", "=physics:reader", "a=Physics:reader", "a:b=c"])
def test_malformed_rights_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="group=project:role"):
        parse_groups(text)


def test_groups_without_rights_and_what_are_no_groups_are_left_out() -> None:
    rights = parse_groups("a=physics:reader,b=physics:reader")
    assert groups_with_rights(rights, ["c", "b", "a", "b", 7, None, ["a"]]) == ("b", "a")
    assert groups_with_rights(rights, "a") == ("a",)
    nothing: tuple[object, ...] = (None, 7, "", [], {})
    for one in nothing:
        assert groups_with_rights(rights, one) == ()
