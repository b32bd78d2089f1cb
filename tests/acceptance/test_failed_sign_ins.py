"""Failed sign-ins on a service that runs: limited as configured, by the address that a trusted proxy forwards."""

from pathlib import Path

import httpx
import pytest

from tests.acceptance.processes import running_service
from tests.forking.client import ForkServer

WRONG = {"Authorization": f"Bearer ktl_{'0' * 12}_{'0' * 64}"}
FORWARDED = ["198.51.100.1"] * 3 + ["198.51.100.1, 192.0.2.2", "203.0.113.9"]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [401, 401, 429, 401, 401]),
        ({"KETLINE_TRUSTED_PROXIES": "127.0.0.0/8, 192.0.2.0/24"}, [401, 401, 429, 429, 401]),
        ({"KETLINE_TRUSTED_PROXIES": "none"}, [401, 401, 429, 429, 429]),
        ({"KETLINE_FAILED_SIGN_IN_LIMIT": "off"}, [401, 401, 401, 401, 401]),
    ],
)
def test_address_is_the_forwarded_one_of_trusted_proxies_alone(
    tmp_path: Path, settings: dict[str, str], expected: list[int], fork_server: ForkServer
) -> None:
    limit = {"KETLINE_FAILED_SIGN_IN_LIMIT": "2/hour"}
    with (
        running_service(tmp_path, fork_server, KETLINE_AUTH="keys", **(limit | settings)) as url,
        httpx.Client(base_url=url) as http,
    ):
        responses = [http.get("/tasks", headers={**WRONG, "X-Forwarded-For": forwarded}) for forwarded in FORWARDED]
    assert [response.status_code for response in responses] == expected
