"""A fake remote backend with Qiskit imported ahead of time, for `tests.forking.server`."""

from tests.backends.remote import import_qiskit, launch

__all__ = ["launch"]

import_qiskit()
