"""Adapters of external backends, and the public interface for adapters in other packages.

The names in `__all__` are public; other names in these modules are internal. The names and options of adapters are
values of the setting KETLINE_BACKENDS, described in docs/backends.md.
"""

from ketline.backends.device_process import DeviceFactory
from ketline.backends.local import LocalAdapter
from ketline.backends.remote import RemoteAdapter
from ketline.domain.backends.backend_jobs import (
    BackendDescription,
    BackendJob,
    BackendName,
    ClientToken,
    RemoteId,
    RemoteState,
    RemoteStatus,
    check_counts,
)
from ketline.domain.backends.backend_list import BackendEntry
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import (
    BackendAccessDenied,
    BackendFailed,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendResultInvalid,
    BackendUnavailable,
)
from ketline.domain.results.result import Register
from ketline.ports.backends import BackendAdapter

__all__ = [
    "BackendAccessDenied",
    "BackendAdapter",
    "BackendDescription",
    "BackendEntry",
    "BackendFailed",
    "BackendJob",
    "BackendJobNotFound",
    "BackendName",
    "BackendOutcomeUnknown",
    "BackendRefused",
    "BackendResultInvalid",
    "BackendUnavailable",
    "ClientToken",
    "DeviceFactory",
    "LocalAdapter",
    "ProgramFormat",
    "Register",
    "RemoteAdapter",
    "RemoteId",
    "RemoteState",
    "RemoteStatus",
    "check_counts",
]
