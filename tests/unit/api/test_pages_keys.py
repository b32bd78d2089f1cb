"""The page of API keys and projects."""

import re

import httpx
import pytest

KEY = re.compile(r"<code>(ktl_([0-9a-f]{12})_[0-9a-f]{64})</code>")


async def _created(client: httpx.AsyncClient, **changes: str) -> tuple[str, str]:
    """A new key and its id, from the page that shows it."""
    form = {"project": "default", "role": "submitter", "owner": "ada", "name": "", "days": "", **changes}
    shown = await client.post("/ui/keys", data=form)
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store"), shown.text
    found = KEY.search(shown.text)
    assert found is not None
    return found[1], found[2]


async def test_new_key_is_shown_once(client: httpx.AsyncClient) -> None:
    text, key_id = await _created(client, name="<laptop>", days="90")
    listed = (await client.get("/ui/keys")).text
    assert key_id in listed
    assert text.rsplit("_", 1)[1] not in listed
    assert "&lt;laptop&gt;" in listed
    [key] = (await client.get("/keys")).json()["keys"]
    assert (key["owner"], key["role"], key["name"], "expires_at" in key) == ("ada", "submitter", "<laptop>", True)


async def test_revoked_key_has_ended(client: httpx.AsyncClient) -> None:
    _, key_id = await _created(client)
    assert f'action="../ui/keys/{key_id}/revoke"' in (await client.get("/ui/keys")).text
    response = await client.post(f"/ui/keys/{key_id}/revoke", data={"x": ""})
    assert (response.status_code, response.headers["location"]) == (303, "../../keys")
    listed = (await client.get("/ui/keys")).text
    assert "ended" in listed
    assert f"{key_id}/revoke" not in listed


async def test_replaced_key_remains_valid_for_an_hour(client: httpx.AsyncClient) -> None:
    _, old = await _created(client, role="operator")
    shown = await client.post(f"/ui/keys/{old}/rotate", data={"x": ""})
    found = KEY.search(shown.text)
    assert found is not None
    by_id = {key["key_id"]: key for key in (await client.get("/keys")).json()["keys"]}
    assert by_id[found[2]]["role"] == "operator"
    assert ("expires_at" in by_id[old], "expires_at" in by_id[found[2]]) == (True, False)


async def test_new_project_is_offered_for_keys(client: httpx.AsyncClient) -> None:
    response = await client.post("/ui/projects", data={"project": "optics"})
    assert (response.status_code, response.headers["location"]) == (303, "keys")
    assert "<option>optics</option>" in (await client.get("/ui/keys")).text
    await _created(client, project="optics")
    assert (await client.post("/ui/projects", data={"project": "optics"})).status_code == 409


@pytest.mark.parametrize(
    "changes",
    [{"role": "king"}, {"role": ""}, {"owner": ""}, {"days": "0"}, {"days": "-1"}, {"days": "soon"}, {"days": "9" * 9}],
)
async def test_impossible_key_is_rejected(client: httpx.AsyncClient, changes: dict[str, str]) -> None:
    form = {"project": "default", "role": "reader", "owner": "ada", **changes}
    assert (await client.post("/ui/keys", data=form)).status_code == 422
    assert (await client.get("/keys")).json()["keys"] == []


async def test_unknown_keys_and_projects_are_named(client: httpx.AsyncClient) -> None:
    for path in ("/ui/keys/000000000000/revoke", "/ui/keys/000000000000/rotate"):
        assert (await client.post(path, data={"x": ""})).status_code == 404
    assert (await client.post("/ui/keys", data={"project": "no", "role": "reader", "owner": "a"})).status_code == 404
    for name in ("", "UPPER", "a" * 64):
        assert (await client.post("/ui/projects", data={"project": name})).status_code == 422


async def test_system_page_leads_administrators_to_the_keys(client: httpx.AsyncClient) -> None:
    assert 'href="../ui/keys"' in (await client.get("/ui/system")).text
