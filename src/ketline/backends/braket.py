"""The adapter `braket`: a local simulator of Amazon Braket's SDK (the extra `ketline[braket]`).

    KETLINE_BACKENDS="local=braket:braket_sv;concurrency=2"

The argument is the name of the simulator; without one it is `default`. `registry.py` opens the adapter.
"""

from ketline.backends.device_process import DeviceFactory
from ketline.backends.local import LocalAdapter
from ketline.domain.backends.backend_list import BackendEntry
from ketline.domain.errors import ConfigurationInvalid
from ketline.ports.backends import BackendAdapter

_DEVICE = "ketline.backends.devices.braket:BraketDevice"


def open_adapter(entry: BackendEntry) -> BackendAdapter:
    """Open the local simulator that an entry names.

    Raises:
        ConfigurationInvalid: there is an option other than `concurrency`, or its value is not a number from 1.
    """
    concurrency = entry.options.get("concurrency", "1")
    if set(entry.options) - {"concurrency"} or not concurrency.isdecimal() or int(concurrency) < 1:
        raise ConfigurationInvalid("the only option of a Braket simulator is `concurrency`, a number from 1")
    factory = DeviceFactory(path=_DEVICE, arguments={"name": entry.argument or "default"})
    return LocalAdapter(factory, concurrency=int(concurrency))
