"""The HTTP session of the exporter, which remembers how its last request ended; `export.py` opens it."""

from typing import Any

import requests


class ObservedSession(requests.Session):  # type: ignore[misc]
    """A session; `outcome` says how its last request ended, without the address, which may have a password."""

    def __init__(self) -> None:
        super().__init__()
        self.outcome = "it has not answered yet"

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        try:
            response = super().send(request, **options)
        except requests.RequestException as error:
            self.outcome = type(error).__name__
            raise
        self.outcome = f"HTTP status {response.status_code}"
        return response
