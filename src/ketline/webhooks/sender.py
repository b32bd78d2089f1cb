"""Sends one signed message by one POST request: it follows no redirects, uses no proxies and reuses no connections."""

import asyncio
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import httpcore
from standardwebhooks import Webhook

from ketline.domain.webhooks.callback_url import CallbackRule, parse_callback
from ketline.domain.webhooks.deliveries import MAX_RETRY_SECONDS, Attempt, ClaimedDelivery, message_id
from ketline.webhooks.network import AddressRejected, CheckedNetwork, Resolve

# How long the rest of a response is read, once its status has arrived.
ANSWER_SECONDS = 2.0
_BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class HttpCallbackSender:
    """The `CallbackSender` by HTTP; an attempt, with its host lookup, takes at most `timeout_seconds`."""

    rule: CallbackRule
    resolve: Resolve
    timeout_seconds: float
    user_agent: str
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    async def send(self, claimed: ClaimedDelivery) -> Attempt:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                return await self._post(claimed)
        except TimeoutError:
            return Attempt(error=f"no complete answer within {self.timeout_seconds:g} s")
        except AddressRejected as error:
            return Attempt(error=f"rejected: {error}")
        except ValueError as error:
            return Attempt(error=f"the URL {error}")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            return Attempt(error=_described(error))

    async def _post(self, claimed: ClaimedDelivery) -> Attempt:
        url = parse_callback(claimed.url)
        network = CheckedNetwork(url, self.rule, self.resolve)
        body = claimed.body.encode()
        address = httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self.tls, network_backend=network, max_connections=1, max_keepalive_connections=0
            ) as pool,
            pool.stream("POST", address, headers=self._headers(claimed, body), content=body) as response,
        ):
            outcome = _outcome(response)
            await _read_some(response)
        return outcome

    def _headers(self, claimed: ClaimedDelivery, body: bytes) -> list[tuple[str, str]]:
        moment = datetime.now(UTC)
        name = message_id(claimed.delivery_id)
        signatures = [Webhook(secret).sign(name, moment, claimed.body) for secret in claimed.secrets]
        return [
            ("Host", claimed.host),
            ("Content-Type", "application/json"),
            ("Content-Length", str(len(body))),
            ("User-Agent", self.user_agent),
            ("webhook-id", name),
            ("webhook-timestamp", str(int(moment.timestamp()))),
            ("webhook-signature", " ".join(signatures)),
        ]


async def _read_some(response: httpcore.Response) -> None:
    """Read and discard a short response body, so that the receiver sees no broken connection."""
    with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError, OSError):
        async with asyncio.timeout(ANSWER_SECONDS):
            async for _ in response.aiter_stream():
                pass


def _outcome(response: httpcore.Response) -> Attempt:
    status = response.status
    if 200 <= status < 300:
        return Attempt(status=status)
    meaning = "a redirect, which is not followed" if 300 <= status < 400 else "not a status of success"
    return Attempt(
        error=f"the receiver answered {status}: {meaning}",
        status=status,
        gone=status == HTTPStatus.GONE,
        pause_seconds=_retry_after(response) if status in _BUSY else 0.0,
    )


def _retry_after(response: httpcore.Response) -> float:
    """The seconds in `Retry-After`; 0 if the header is missing, is a date, or is invalid."""
    given = next((value for name, value in response.headers if name.lower() == b"retry-after"), b"")
    return min(float(given), MAX_RETRY_SECONDS) if given.isdigit() else 0.0


def _described(error: Exception) -> str:
    """The cause of an error, as text that is safe to show: a message of OpenSSL or the system, without addresses."""
    reason = error.__cause__ or error
    text = reason.verify_message if isinstance(reason, ssl.SSLCertVerificationError) else str(reason)
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__
