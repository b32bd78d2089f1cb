"""The service's own TLS, for an API that no proxy terminates it for; `serve.py` calls it before it listens."""

import ssl

from ketline.config import Settings
from ketline.domain.errors import ConfigurationInvalid


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The context with the certificate and key of the settings, for TLS 1.2 and newer; None without them.

    Raises:
        ConfigurationInvalid: a file cannot be read, the key is encrypted, or it is not that of the certificate.
    """
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # Without this password OpenSSL would ask for one on the terminal.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password="")
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(
            f"The certificate and key for TLS cannot be used ({_reason(error)}); set KETLINE_TLS_CERT and "
            "KETLINE_TLS_KEY to files in PEM format, the key without a password."
        ) from error
    return context


def _reason(error: OSError | ValueError) -> str:
    """The cause of an error, without paths."""
    if isinstance(error, ssl.SSLError):
        return (error.reason or "no PEM format").lower().replace("_", " ")
    return (error.strerror or "unreadable") if isinstance(error, OSError) else "the key has a password"
