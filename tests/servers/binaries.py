"""Where the server programs are, or what to install.

Run as a program, before anything is installed, it prints the Debian packages that are missing and explains on stderr.
"""

import glob
import os
import sys
from collections.abc import Sequence
from pathlib import Path

_POSTGRES_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_RABBITMQ_PLACES = ("/usr/lib/rabbitmq/bin", "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin", "/opt/rabbitmq/sbin")


class MissingServer(Exception):
    """A server program that the tests need is not installed; `package` is its name in Debian."""

    def __init__(self, message: str, *, package: str) -> None:
        super().__init__(message)
        self.package = package


def find_postgres(places: Sequence[str] = _POSTGRES_PLACES) -> Path:
    """The directory that holds `initdb` and `postgres`, in `places` (the newest version first) or on PATH.

    Raises:
        MissingServer: PostgreSQL's server is not installed.
    """
    return _find(
        ("initdb", "postgres"),
        places,
        package="postgresql",
        elsewhere="Fedora: dnf install postgresql-server · other Linux: put the directory of initdb on PATH",
    )


def find_rabbitmq(places: Sequence[str] = _RABBITMQ_PLACES) -> Path:
    """The directory that holds RabbitMQ's own `rabbitmq-server` and `rabbitmqctl` scripts, in `places` or on PATH.

    Debian's /usr/sbin holds wrappers that change the user and the environment; the scripts themselves come first.

    Raises:
        MissingServer: RabbitMQ's server is not installed.
    """
    return _find(
        ("rabbitmq-server", "rabbitmqctl"),
        places,
        package="rabbitmq-server",
        elsewhere="Fedora: dnf install rabbitmq-server · other Linux: put the directory of rabbitmq-server on PATH",
    )


def find_pgbouncer(places: Sequence[str] = ("/usr/sbin",)) -> Path:
    """PgBouncer's program, in `places` or on PATH.

    Raises:
        MissingServer: it is not installed.
    """
    return _find(("pgbouncer",), places, package="pgbouncer", elsewhere="Fedora: dnf install pgbouncer") / "pgbouncer"


def find_redis(places: Sequence[str] = ("/usr/bin",)) -> Path:
    """Redis's server program, in `places` or on PATH.

    Raises:
        MissingServer: it is not installed.
    """
    return (
        _find(("redis-server",), places, package="redis-server", elsewhere="Fedora: dnf install redis") / "redis-server"
    )


def find_prometheus() -> Path:
    """The directory that holds `prometheus` and `promtool`.

    Raises:
        MissingServer: they are not installed.
    """
    return _find(
        ("prometheus", "promtool"), ("/usr/bin",), package="prometheus", elsewhere="Fedora: dnf install prometheus"
    )


def find_curl() -> Path:
    """The directory that holds `curl`, with which the documentation shows the API.

    Raises:
        MissingServer: it is not installed.
    """
    return _find(("curl",), (), package="curl", elsewhere="Fedora: dnf install curl")


def find_java() -> Path:
    """The directory that holds `java`, in which openapi-generator runs.

    Raises:
        MissingServer: it is not installed.
    """
    return _find(
        ("java",), (), package="default-jre-headless", elsewhere="Fedora: dnf install java-latest-openjdk-headless"
    )


def find_chromium() -> Path:
    """The browser's program, on PATH.

    Raises:
        MissingServer: it is not installed.
    """
    elsewhere = "Fedora: dnf install chromium · other Linux: put chromium on PATH"
    directory = _find(("chromium",), (), package="chromium", elsewhere=elsewhere)
    return directory / "chromium"


def missing_packages() -> list[str]:
    """The Debian packages of the programs that are not installed, each explained on stderr."""
    packages = []
    programs = (find_postgres, find_rabbitmq, find_redis, find_pgbouncer, find_prometheus)
    for find in (*programs, find_curl, find_java, find_chromium):
        try:
            find()
        except MissingServer as error:
            print(error, file=sys.stderr)
            packages.append(error.package)
    return packages


def _find(programs: Sequence[str], places: Sequence[str], *, package: str, elsewhere: str) -> Path:
    installed = [Path(match) for place in places for match in sorted(glob.glob(place), key=_version, reverse=True)]
    on_path = [Path(entry) for entry in os.get_exec_path() if entry]
    for directory in [*installed, *on_path]:
        if all(os.access(directory / program, os.X_OK) for program in programs):
            return directory.resolve()
    raise MissingServer(
        f"{' and '.join(programs)} are not installed, and tests need the real thing. Install it and run them again.\n"
        f"Debian, Ubuntu: apt-get install {package} · {elsewhere}",
        package=package,
    )


def _version(directory: str) -> list[int]:
    digits = "".join(character if character.isdigit() else " " for character in directory)
    return [int(number) for number in digits.split()]


if __name__ == "__main__":
    print(*missing_packages())
