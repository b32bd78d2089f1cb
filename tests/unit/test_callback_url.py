"""Which URLs a callback may have, and which addresses the service connects to for one."""

from ipaddress import ip_address, ip_network

import pytest

from ketline.domain.limits import MAX_CALLBACK_CHARACTERS
from ketline.domain.webhooks.callback_url import CallbackRule, CallbackUrl, parse_callback

URL = parse_callback("https://example.org/hooks")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("https://example.org", ("https", "example.org", 443, "/")),
        ("http://example.org/a/b?x=1&y=%20", ("http", "example.org", 80, "/a/b?x=1&y=%20")),
        ("https://EXAMPLE.org:8443/?token=~a_b", ("https", "example.org", 8443, "/?token=~a_b")),
        ("https://[2001:db8::1]:9000/h", ("https", "2001:db8::1", 9000, "/h")),
        ("https://my_host.example.org./h", ("https", "my_host.example.org.", 443, "/h")),
    ],
)
def test_url_is_read(text: str, parts: tuple[str, str, int, str]) -> None:
    url = parse_callback(text)
    assert (url.scheme, url.host, url.port, url.target) == parts


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://example.org/", "https:// or http://"),
        ("file:///etc/passwd", "https:// or http://"),
        ("//example.org/", "https:// or http://"),
        ("https:example.org", "https:// or http://"),
        ("https://ada:secret@example.org/", "user name"),
        ("https://ada@example.org/", "user name"),
        ("https://", "valid host"),
        ("https:///path", "valid host"),
        ("https://example.org:0/", "valid host"),
        ("https://example.org:99999/", "valid host"),
        ("https://example.org:x/", "valid host"),
        ("https://[::1/", "valid host"),
        ("https://[fe80::1%25eth0]/", "valid host"),
        ("https://-a.example.org/", "valid host"),
        ("https://example.org\\@127.0.0.1/", "ASCII"),
        ("https://example.org/ x", "ASCII"),
        ("https://example.org/\r\nHost: other", "ASCII"),
        ("https://example.org/#part", "fragment"),
        ("https://bücher.example/", "ASCII"),
        ("https://example.org/" + MAX_CALLBACK_CHARACTERS * "a", "characters"),
    ],
)
def test_impossible_url_is_rejected_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_callback(text)


@pytest.mark.parametrize(
    "address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "100.63.255.255", "64:ff9b::5db8:d70e"]
)
def test_public_address_is_connected_to(address: str) -> None:
    assert CallbackRule().rejection_of(ip_address(address), URL) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "203.0.113.5",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "2001:db8::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
def test_address_that_is_not_public_is_rejected(address: str) -> None:
    assert CallbackRule().rejection_of(ip_address(address), URL) == "its host has no public address"


def test_allowed_network_is_connected_to_by_any_scheme_and_port() -> None:
    rule = CallbackRule((ip_network("127.0.0.0/8"),))
    for text in ("http://localhost:25/", "https://localhost/"):
        assert rule.rejection_of(ip_address("127.0.0.1"), parse_callback(text)) is None
    assert rule.rejection_of(ip_address("10.0.0.1"), URL) is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [("http://example.org/", "https://"), ("https://example.org:25/", "port"), ("https://[::1]/", "public")],
)
def test_url_that_no_address_makes_permitted_is_rejected_at_once(text: str, why: str) -> None:
    assert why in str(CallbackRule().rejection(parse_callback(text)))


def test_host_name_may_be_one_of_an_allowed_network() -> None:
    url = parse_callback("http://receiver.internal:25/")
    rule = CallbackRule((ip_network("10.0.0.0/8"),))
    assert rule.rejection(url) is None
    assert rule.rejection_of(ip_address("93.184.215.14"), url) is not None


def test_parts_of_a_url_are_all_that_is_sent() -> None:
    assert parse_callback("https://example.org/a?b=c") == CallbackUrl(
        scheme="https", host="example.org", port=443, target="/a?b=c"
    )
