"""The external backends of the services under test: servers of their own, so jobs outlive the services' processes."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.backends.remote import FakeRemote
from tests.chaos.run.programs import NUMBER_BITS

# A repeated submission with the same token gives the same job there.
RECOGNISING = "recognising"
# It neither recognises a token nor finds a job by it.
FORGETFUL = "forgetful"


@dataclass(frozen=True, slots=True)
class Remotes:
    """The backends by their names in `KETLINE_BACKENDS`; all services of a session share them."""

    servers: Mapping[str, FakeRemote]

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of a service that has these backends."""
        entries = [f"{name}=acme:{server.url}" for name, server in self.servers.items()]
        return {"KETLINE_BACKENDS": ",".join(entries)}

    def submissions(self, task_id: str) -> int:
        """How many jobs were submitted for a task."""
        return sum(server.submissions().get(task_id, 0) for server in self.servers.values())


@contextmanager
def open_remotes(directory: Path) -> Iterator[Remotes]:
    """Two backends, each with its jobs in a folder of its own."""
    with ExitStack() as stack:
        servers = {}
        for name in (RECOGNISING, FORGETFUL):
            (directory / name).mkdir()
            remote = FakeRemote(directory / name, recognises_tokens=name == RECOGNISING, qubits=NUMBER_BITS)
            servers[name] = stack.enter_context(remote)
        yield Remotes(servers)
