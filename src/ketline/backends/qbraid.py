"""The adapter `qbraid`: devices of qBraid's platform (the extra `ketline[qbraid]`, 0.13 and newer).

    KETLINE_BACKENDS="sim=qbraid:qbraid:qbraid:sim:qir-sv"        QBRAID_API_KEY in the workers' environment

The argument is the device's resource name. A job carries its token in the tag `ketline`, by which `reattach` finds it.
`registry.py` opens the adapter.
"""

import os

from ketline.backends.device_process import DeviceFactory, minimal_environment
from ketline.backends.remote import RemoteAdapter
from ketline.domain.backends.backend_list import BackendEntry
from ketline.domain.errors import BackendAccessDenied, ConfigurationInvalid
from ketline.ports.backends import BackendAdapter

_DEVICE = "ketline.backends.devices.qbraid:QbraidDevice"
KEY_VARIABLE = "QBRAID_API_KEY"
# Variables that the client may need besides the key: another address, a proxy, certificates.
_INHERITED = (
    "QBRAID_API_URL",
    *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"),
    *("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"),
)


def open_adapter(entry: BackendEntry) -> BackendAdapter:
    """Open the device that an entry names.

    Raises:
        ConfigurationInvalid: there is no resource name, or an option has a wrong value.
        BackendAccessDenied: QBRAID_API_KEY is not set.
    """
    if entry.argument.count(":") != 3:
        raise ConfigurationInvalid("name the device by its resource name, as in qbraid:qbraid:qbraid:sim:qir-sv")
    if not os.environ.get(KEY_VARIABLE):
        raise BackendAccessDenied(f"{KEY_VARIABLE} is not set")
    try:
        poll_seconds = float(entry.options.get("poll_seconds", "5"))
    except ValueError:
        poll_seconds = 0.0
    if set(entry.options) - {"poll_seconds"} or not 0 < poll_seconds <= 3600:
        raise ConfigurationInvalid("the only option of a qBraid device is `poll_seconds`, up to 3600")
    passed = {name: os.environ[name] for name in (KEY_VARIABLE, *_INHERITED) if name in os.environ}
    # No configuration file, which could name another key; no token in a variable, which would take precedence over it.
    environment = minimal_environment() | passed | {"QBRAID_CONFIG_FILE": os.devnull}
    arguments = {"qrn": entry.argument, "poll_seconds": poll_seconds}
    return RemoteAdapter(DeviceFactory(path=_DEVICE, arguments=arguments, environment=environment))
