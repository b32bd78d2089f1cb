"""Query parameters that cannot be stored are rejected, whatever they are for."""

import httpx
import pytest

from ketline.api.requests.query_parameters import unstorable_parameters


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (b"", []),
        (b"tag=a+b&limit=5", []),
        (b"tag=%C3%A9&tag=%F0%9F%98%80&name=50%25", []),
        (b"tag=%00", ["tag"]),
        (b"tag=a%00b&tag=%00&name=x%00", ["tag", "name"]),
        (b"tag=%ED%A0%80", ["tag"]),
        (b"tag=%FF&limit=5", ["tag"]),
        (b"%FF=1", ["?"]),
        (b"tag=\xff", ["tag"]),
        (b"tag=\xc3\xa9", []),
        (b"tag=\x00", ["tag"]),
    ],
)
def test_parameters_without_a_storable_text_are_named(query: bytes, names: list[str]) -> None:
    assert unstorable_parameters(query) == names


async def test_rejection_names_the_parameter(client: httpx.AsyncClient) -> None:
    response = await client.get("/tasks?tag=%00")
    assert (response.status_code, response.json()["code"]) == (422, "invalid_request")
    [error] = response.json()["errors"]
    assert error == {"parameter": "tag", "detail": "must be UTF-8, percent-encoded, without NUL characters"}
