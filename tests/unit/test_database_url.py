"""URLs of PostgreSQL as libpq reads them."""

from pathlib import Path

import pytest

from ketline.database_url import Host, parse_postgres_url


@pytest.mark.parametrize(
    ("url", "hosts", "dsn"),
    [
        ("postgresql://u:p@h/d", [("h", None)], "postgresql://u:p@/d"),
        ("postgresql+asyncpg://u@h:6543/d", [("h", 6543)], "postgresql://u@/d"),
        ("postgresql:///d", [(None, None)], "postgresql:///d"),
        ("postgresql://h", [("h", None)], "postgresql:///"),
        ("postgresql://u:a%40b%2Fc@h/d", [("h", None)], "postgresql://u:a%40b%2Fc@/d"),
        ("postgresql://u@a:1,b,c:3/d", [("a", 1), ("b", None), ("c", 3)], "postgresql://u@/d"),
        ("postgresql://u@[::1]:6543,[fe80::1]/d", [("::1", 6543), ("fe80::1", None)], "postgresql://u@/d"),
        ("postgresql://u@/d?host=a,b&port=1,2", [("a", 1), ("b", 2)], "postgresql://u@/d"),
        ("postgresql://u@/d?host=a:1&host=b:2", [("a", 1), ("b", 2)], "postgresql://u@/d"),
        ("postgresql://u@/d?host=a,b&port=7", [("a", 7), ("b", 7)], "postgresql://u@/d"),
        ("postgresql:///d?host=/run/postgresql", [("/run/postgresql", None)], "postgresql:///d"),
        ("postgresql://%2Frun%2Fpostgresql/d", [("/run/postgresql", None)], "postgresql:///d"),
        ("postgresql://h/d?sslmode=require", [("h", None)], "postgresql:///d?sslmode=require"),
        ("postgresql://h/d?ssl=true", [("h", None)], "postgresql:///d?sslmode=require"),
        ("postgresql://h/d?ssl=prefer", [("h", None)], "postgresql:///d?sslmode=prefer"),
        ("postgresql://h/?dbname=d&user=u", [("h", None)], "postgresql:///?dbname=d&user=u"),
        ("postgresql://h/d?channel_binding=prefer&gssencmode=disable", [("h", None)], "postgresql:///d"),
        ("postgresql://h/d?application_name=mine&command_timeout=5", [("h", None)], "postgresql:///d"),
    ],
)
def test_hosts_and_the_rest_are_told_apart(url: str, hosts: list[Host], dsn: str) -> None:
    address = parse_postgres_url(url)
    assert (list(address.hosts), address.dsn) == (hosts, dsn)


@pytest.mark.parametrize(
    ("query", "sessions", "seconds"),
    [
        ("", "any", 5.0),
        ("?connect_timeout=3", "any", 3.0),
        ("?timeout=9", "any", 9.0),
        ("?target_session_attrs=read-write", "read-write", 5.0),
        ("?host=a,b", "read-write", 5.0),
        ("?host=a,b&target_session_attrs=primary", "primary", 5.0),
    ],
)
def test_which_server_and_for_how_long(query: str, sessions: str, seconds: float) -> None:
    address = parse_postgres_url(f"postgresql:///d{query}")
    assert (address.target_session_attrs, address.connect_timeout_seconds) == (sessions, seconds)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("sslmode=hunter2", "sslmode must be one of disable, allow, prefer, require, verify-ca, verify-full"),
        ("connect_timeout=hunter2", "connect_timeout must be a number of seconds from 1 to 9999"),
        ("connect_timeout=0", "connect_timeout must be a number of seconds from 1 to 9999"),
        ("target_session_attrs=standby", "target_session_attrs must be one of any, primary, read-write"),
        ("channel_binding=require", "channel_binding must be one of disable, prefer"),
        ("sslrootcert=/hunter2/root.crt", "the file that the parameter sslrootcert names does not exist"),
        ("sslmode=verify-full", "sslmode=verify-full needs the authority that signed the server's certificate"),
        ("sslmode=require&sslrootcert=system", "sslrootcert=system needs sslmode=verify-full"),
        ("sslrootcert=system&sslcert=/hunter2", "sslcert, sslkey and sslcrl are not supported"),
        ("keepalives=hunter2", "the parameter keepalives is not known here; leave it out"),
        ("sslmode=require&sslmode=hunter2", "sslmode is given twice"),
        ("host=a,b,c&port=1,2", "port must hold one port, or one for each host"),
        ("port=hunter2", "port must hold numbers"),
        ("host=hunter2:x:y", "a host must be a name or an address"),
    ],
)
def test_what_cannot_be_kept_is_rejected_without_its_value(
    query: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("PGSSLROOTCERT", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ValueError, match=message) as raised:
        parse_postgres_url(f"postgresql:///d?{query}")
    assert "hunter2" not in str(raised.value)


def test_certificate_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "root.crt"
    path.touch()
    address = parse_postgres_url(f"postgresql://h/d?sslmode=verify-full&sslrootcert={path}")
    assert address.dsn.startswith("postgresql:///d?sslmode=verify-full&sslrootcert=%2F")


@pytest.mark.parametrize("query", ["sslrootcert=system", "sslmode=verify-full&sslrootcert=system"])
def test_authorities_of_the_system_are_a_value_of_their_own(query: str) -> None:
    address = parse_postgres_url(f"postgresql://h/d?{query}&connect_timeout=3")
    assert (address.system_authorities, address.dsn) == (True, "postgresql:///d")
    assert not parse_postgres_url("postgresql://h/d?sslmode=require").system_authorities


def test_authority_where_libpq_looks_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").touch()
    assert parse_postgres_url("postgresql://h/d?sslmode=verify-ca").dsn == "postgresql:///d?sslmode=verify-ca"
