"""The adapter `qiskit`: any Qiskit `BackendV2`.

    KETLINE_BACKENDS="fake=qiskit:qiskit.providers.fake_provider:GenericBackendV2;num_qubits=5"

The argument is the path of a backend, or of a callable that returns one for the options as keyword arguments. A value
of an option is parsed as JSON; if that fails, it is text. Three options are the adapter's own: `remote`, `concurrency`
and `optimization_level`. `registry.py` opens the adapter.
"""

import json
from typing import Any

from ketline.backends.device_process import DeviceFactory, client_environment, minimal_environment
from ketline.backends.local import LocalAdapter
from ketline.backends.remote import RemoteAdapter
from ketline.domain.backends.backend_list import BackendEntry
from ketline.domain.errors import ConfigurationInvalid
from ketline.ports.backends import BackendAdapter

# Modules whose backends run on this machine, and cost nothing.
_SIMULATORS = ("qiskit.providers.", "qiskit_aer:", "qiskit_aer.", "qiskit_ibm_runtime.fake_provider")
_DEVICE = "ketline.backends.devices.qiskit:QiskitDevice"


def open_adapter(entry: BackendEntry) -> BackendAdapter:
    """Open the backend that an entry names.

    With `remote=true` jobs belong to the backend, which must be able to read them again (`retrieve_job`). With
    `remote=false` they run in processes of the worker, at no cost; that is the default for simulators of Qiskit's own.
    Only the processes of a remote backend inherit the environment.

    Raises:
        ConfigurationInvalid: the entry names no backend, or an option has a wrong value.
    """
    if ":" not in entry.argument:
        raise ConfigurationInvalid("name the Qiskit backend, as in qiskit:package.module:Backend")
    options: dict[str, Any] = {name: _json_or_text(value) for name, value in entry.options.items()}
    if not entry.argument.startswith(_SIMULATORS) and "remote" not in options:
        raise ConfigurationInvalid("say `remote=true` if jobs run at a provider, `remote=false` if on this machine")
    remote, concurrency = options.pop("remote", False), options.pop("concurrency", 1)
    level = options.pop("optimization_level", 1)
    if type(remote) is not bool or type(concurrency) is not int or concurrency < 1 or level not in (0, 1, 2, 3):
        raise ConfigurationInvalid(
            "`remote` is true or false, `concurrency` a number from 1, and `optimization_level` one from 0 to 3"
        )
    arguments = {"path": entry.argument, "arguments": options, "optimization_level": level}
    environment = client_environment() if remote else minimal_environment()
    factory = DeviceFactory(path=_DEVICE, arguments=arguments, environment=environment)
    adapter = RemoteAdapter if remote else LocalAdapter
    return adapter(factory, concurrency=concurrency)


def _json_or_text(value: str) -> object:
    try:
        return json.loads(value)
    except ValueError:
        return value
