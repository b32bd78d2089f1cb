"""What a browser finds in the forms of a page and sends with them."""

import re

import httpx


def csrf_token_of(page: httpx.Response) -> str:
    """The CSRF token of the forms of a page."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page.text)
    assert found is not None, page.text
    return found[1]
