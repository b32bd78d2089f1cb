"""The page of the audit log."""

import httpx

from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.access.principals import Owner, ProjectName
from tests.fake_access import FakeAuditLog

ADA = Actor(owner=Owner("<b>ada"), key_id="0f8b6a4f2c1d", origin="192.0.2.1")


async def test_audit_is_shown_page_by_page(client: httpx.AsyncClient, audit_log: FakeAuditLog) -> None:
    for target in ("key-1", "key-2", "key-3"):
        record = AuditRecord(action=Action.KEY_REVOKED, actor=ADA, project=ProjectName("optics"), target=target)
        await audit_log.add(record)
    newest = await client.get("/ui/audit?project=optics&limit=2")
    assert newest.status_code == 200
    assert [target in newest.text for target in ("key-3", "key-2", "key-1")] == [True, True, False]
    assert "key.revoked" in newest.text
    assert "&lt;b&gt;ada" in newest.text
    assert 'href="../ui/audit?project=optics&amp;cursor=2"' in newest.text
    rest = await client.get("/ui/audit?project=optics&cursor=2")
    assert [target in rest.text for target in ("key-3", "key-2", "key-1")] == [False, False, True]
    assert 'href="../ui/audit?project=optics"' in rest.text
    other = await client.get("/ui/audit?project=default")
    assert "There are no entries about this project" in other.text


async def test_system_page_leads_administrators_to_the_audit_log(client: httpx.AsyncClient) -> None:
    assert 'href="../ui/audit"' in (await client.get("/ui/system")).text
