"""One version, wherever a release has one."""

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
DECLARED = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_installed_package_has_the_declared_version() -> None:
    assert version("ketline") == DECLARED


def test_image_has_the_version_as_its_label() -> None:
    assert re.findall(r"^ARG VERSION=(.*)$", DOCKERFILE, re.MULTILINE) == [DECLARED]
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=(\S+)", DOCKERFILE))
    assert (labels["version"], labels["revision"], labels["created"]) == ("$VERSION", "$REVISION", "$CREATED")


def test_image_tells_its_revision_to_the_service() -> None:
    assert "ENV KETLINE_REVISION=$REVISION" in DOCKERFILE


def test_lock_file_has_the_version() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    assert [package["version"] for package in packages if package["name"] == "ketline"] == [DECLARED]
