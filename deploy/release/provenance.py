"""Signs a statement of how the files of a release were made, and verifies it.

The statement is one of in-toto with SLSA's provenance, in a DSSE envelope, which is also cosign's format.
`python -m deploy.release.provenance sign --key KEY.pem --builder URI --output FILE ARTIFACT…` needs a clean checkout of
the commit that was built; `… verify --key PUBLIC.pem FILE ARTIFACT…` needs the files only. Keys are PEM files of
OpenSSL: `openssl ecparam -genkey -name prime256v1 -noout -out KEY.pem`.
"""

import argparse
import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

ROOT = Path(__file__).parents[2]
PAYLOAD_TYPE = "application/vnd.in-toto+json"
BUILD_TYPE = "urn:ketline:release-build:1"

Statement = Mapping[str, Any]


class ProvenanceInvalid(Exception):
    """A file is not what the signed statement says."""


def statement_of(artifacts: Sequence[Path], *, revision: str, tag: str, builder: str, lock: Path) -> Statement:
    """The provenance of these files, made from a commit of this repository with this lock file."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": _sha256(path)}} for path in artifacts],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"tag": tag},
                "resolvedDependencies": [
                    {"name": "source", "digest": {"gitCommit": revision}},
                    {"name": lock.name, "digest": {"sha256": _sha256(lock)}},
                ],
            },
            "runDetails": {
                "builder": {"id": builder},
                "metadata": {"finishedOn": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")},
            },
        },
    }


def sign(statement: Statement, private_key: bytes) -> str:
    """The statement in a signed envelope, as JSON."""
    envelope = Envelope(json.dumps(statement).encode(), PAYLOAD_TYPE, {})
    envelope.sign(CryptoSigner(load_pem_private_key(private_key, None)))
    return json.dumps(envelope.to_dict(), indent=2)


def verify(signed: str, public_key: bytes, artifacts: Sequence[Path]) -> Statement:
    """The statement in an envelope, if its signature is that of the key and each file is one of its subjects.

    Raises:
        ProvenanceInvalid: it is not.
    """
    envelope = Envelope.from_dict(json.loads(signed))
    try:
        envelope.verify([SSlibKey.from_crypto(load_pem_public_key(public_key))], 1)
    except VerificationError as error:
        raise ProvenanceInvalid("the signature is not that of this key") from error
    if envelope.payload_type != PAYLOAD_TYPE:
        raise ProvenanceInvalid(f"the signed text is {envelope.payload_type}, and no statement")
    statement: Statement = json.loads(envelope.payload)
    digests = {subject["name"]: subject["digest"]["sha256"] for subject in statement["subject"]}
    for path in artifacts:
        if digests.get(path.name) != _sha256(path):
            raise ProvenanceInvalid(f"{path.name} is not the file that was signed")
    return statement


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, cwd=ROOT, check=True).stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m deploy.release.provenance")
    commands = parser.add_subparsers(dest="command", required=True)
    signing, verifying = commands.add_parser("sign"), commands.add_parser("verify")
    for command in (signing, verifying):
        command.add_argument("--key", type=Path, required=True)
    signing.add_argument("--output", type=Path, required=True)
    signing.add_argument("--builder", required=True, help="Who built it, as a URI: mailto:…, or that of a pipeline.")
    verifying.add_argument("provenance", type=Path)
    for command in (signing, verifying):
        command.add_argument("artifacts", type=Path, nargs="+")
    return parser.parse_args()


def main() -> int:
    """Sign or verify, as the command line says."""
    given = _arguments()
    if given.command == "verify":
        try:
            statement = verify(given.provenance.read_text(encoding="utf-8"), given.key.read_bytes(), given.artifacts)
        except ProvenanceInvalid as error:
            print(f"provenance: {error}", file=sys.stderr)
            return 1
        print(json.dumps(statement["predicate"], indent=2))
        return 0
    if _git("status", "--porcelain"):
        print("provenance: the checkout has changes that no commit has", file=sys.stderr)
        return 1
    revision, tag = _git("rev-parse", "HEAD"), _git("describe", "--tags", "--always")
    statement = statement_of(given.artifacts, revision=revision, tag=tag, builder=given.builder, lock=ROOT / "uv.lock")
    given.output.write_text(sign(statement, given.key.read_bytes()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
