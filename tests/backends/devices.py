"""Devices for tests of adapters: small, and slow or broken on demand."""

import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from ketline.backends import (
    BackendDescription,
    BackendJob,
    BackendRefused,
    BackendUnavailable,
    RemoteState,
    RemoteStatus,
)


class CoinDevice:
    """A local device whose program is what it does: `heads`, `sleep`, `crash`, `raise` or `pid`."""

    def describe(self) -> BackendDescription:
        print("libraries may print")
        print("on both streams", file=sys.stderr)
        return BackendDescription(name="coin", num_qubits=1)

    def validate(self, job: BackendJob) -> None:
        if job.program == "reject":
            raise BackendRefused("This coin is not tossed.")

    def run(self, job: BackendJob) -> Mapping[str, int]:
        match job.program:
            case "sleep":
                time.sleep(3600)
            case "crash":
                os.kill(os.getpid(), signal.SIGSEGV)
            case "raise":
                raise RuntimeError(os.environ.get("COIN_SECRET", "no secret"))
            case "environment":
                return {bin(len(os.environ.get("COIN_SECRET", "")))[2:]: job.shots}
            case "short":
                return {"1": job.shots - 1}
        return {"1": job.shots}


class FragileClient:
    """A remote device whose first submission crashes, hangs or raises after the job was stored in a directory."""

    def __init__(self, directory: str, fault: str) -> None:
        self._directory = Path(directory)
        self._fault = fault

    def describe(self) -> BackendDescription:
        return BackendDescription(name="fragile")

    def validate(self, job: BackendJob) -> None:
        raise BackendUnavailable("It is closed on Mondays.")

    def submit(self, job: BackendJob, token: str) -> str:
        (self._directory / token).write_text(os.environ.get("COIN_SECRET", ""))
        match self._fault:
            case "crash":
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
            case "raise":
                raise RuntimeError("secret")
        return token

    def poll(self, remote_id: str) -> RemoteState:
        return RemoteState(status=RemoteStatus.DONE)

    def result(self, remote_id: str, job: BackendJob) -> Mapping[str, int]:
        return {"1": 1}

    def cancel(self, remote_id: str) -> None:
        raise (ConnectionError if remote_id == "lost" else RuntimeError)("secret")

    def reattach(self, token: str) -> str | None:
        return token if (self._directory / token).exists() else None
