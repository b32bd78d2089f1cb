"""What makes a release: the audit of its libraries, and the signed statement of how its files were made."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from deploy.release import audit, provenance

UNKNOWN = {"name": "ours", "skip_reason": "Dependency not found on PyPI and could not be audited"}
SOUND = {"name": "sound", "version": "1.0", "vulns": []}
VULNERABLE = {
    "name": "jinja2",
    "version": "3.1.5",
    "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.1.6"], "aliases": [], "description": ""}],
}


@pytest.mark.parametrize(
    ("packages", "status", "summary"),
    [
        ([SOUND], 0, "1 packages compared, 0 unknown, 0 vulnerabilities"),
        ([SOUND, UNKNOWN], 0, "1 packages compared, 1 unknown, 0 vulnerabilities"),
        ([SOUND, VULNERABLE], 1, "2 packages compared, 0 unknown, 1 vulnerabilities"),
    ],
)
def test_audit_fails_for_a_vulnerability_only(
    capsys: pytest.CaptureFixture[str], packages: list[Mapping[str, Any]], status: int, summary: str
) -> None:
    assert audit.verdict({"dependencies": packages}) == status
    printed = capsys.readouterr().out
    assert summary in printed
    assert ("jinja2 3.1.5: PYSEC-1, mended in 3.1.6" in printed) == bool(status)


def test_audit_is_about_every_locked_package_of_the_service() -> None:
    names = {line.partition("==")[0] for line in audit.locked_requirements()}
    assert {"qiskit-aer", "sqlalchemy", "cryptography", "amazon-braket-sdk", "qbraid"} <= names
    assert "pytest" not in names


def _key_pair() -> tuple[bytes, bytes]:
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), public


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "ketline-1.whl"
    path.write_bytes(b"a wheel")
    return path


def _signed(wheel: Path, private: bytes) -> str:
    lock = wheel.with_name("uv.lock")
    lock.write_text("locked")
    statement = provenance.statement_of([wheel], revision="76cb73e", tag="v1", builder="urn:test", lock=lock)
    return provenance.sign(statement, private)


def test_provenance_names_the_commit_and_the_lock_file(wheel: Path) -> None:
    private, public = _key_pair()
    statement = provenance.verify(_signed(wheel, private), public, [wheel])
    dependencies = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert dependencies[0]["digest"] == {"gitCommit": "76cb73e"}
    assert dependencies[1]["name"] == "uv.lock"
    assert statement["predicateType"] == "https://slsa.dev/provenance/v1"


def test_file_that_was_changed_is_rejected(wheel: Path) -> None:
    private, public = _key_pair()
    signed = _signed(wheel, private)
    wheel.write_bytes(b"another wheel")
    with pytest.raises(provenance.ProvenanceInvalid, match=r"ketline-1\.whl is not the file"):
        provenance.verify(signed, public, [wheel])


def test_signature_of_another_key_is_rejected(wheel: Path) -> None:
    (private, _), (_, public) = _key_pair(), _key_pair()
    with pytest.raises(provenance.ProvenanceInvalid, match="the signature is not that of this key"):
        provenance.verify(_signed(wheel, private), public, [wheel])


def test_statement_that_was_changed_is_rejected(wheel: Path) -> None:
    private, public = _key_pair()
    envelope = json.loads(_signed(wheel, private))
    wheel.write_bytes(b"another wheel")
    envelope["payload"] = json.loads(_signed(wheel, private))["payload"]
    with pytest.raises(provenance.ProvenanceInvalid, match="the signature is not that of this key"):
        provenance.verify(json.dumps(envelope), public, [wheel])
