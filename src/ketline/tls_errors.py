"""Says why a TLS connection to a database or a broker failed, for messages that clients of the service may read.

`db.engine.faults` and the adapters of `messaging` use it: each driver wraps the errors of `ssl` in its own way.
"""

import ssl

# Source: OpenSSL, include/openssl/x509_vfy.h.in: X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH.
_OTHER_NAME = frozenset({62, 64})
# asyncpg knows no class of its own for a server without TLS.
_NO_TLS = "rejected SSL upgrade"


def tls_problem(error: BaseException | None) -> str | None:
    """Why TLS failed, without names of hosts and files; None if the error is about something else.

    Looks through the errors that `error` was raised from.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, ssl.SSLCertVerificationError):
            other_name = error.verify_code in _OTHER_NAME
            return f"the server's certificate is not valid: {'another host name' if other_name else _text(error)}"
        if isinstance(error, ssl.SSLError):
            return f"the handshake failed: {(error.reason or 'unknown reason').lower().replace('_', ' ')}"
        if isinstance(error, ConnectionError) and _NO_TLS in str(error):
            return "the server does not offer TLS"
        error = error.__cause__ or error.__context__
    return None


def _text(error: ssl.SSLCertVerificationError) -> str:
    return error.verify_message.strip(". ")
