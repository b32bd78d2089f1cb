"""Connects to the hosts of callbacks, and only to addresses that the operator permits.

A host name is resolved once for each connection, and the connection is made to an address of that answer: a name whose
address changes after it was checked cannot redirect the request. TLS and the `Host` header still have the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address

import httpcore

from ketline.domain.webhooks.callback_url import Address, CallbackRule, CallbackUrl
from ketline.webhooks.stream import BoundedStream

# The most addresses of a host that are tried.
MAX_ADDRESSES = 3
CONNECT_SECONDS = 5.0
# A resolver that does not answer occupies a thread for the resolver's timeout, however short this process waits: by
# default 10 s for one name server, 30 s for three. So there are more threads than attempts.
RESOLVER_THREADS = 64

Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]


class AddressRejected(Exception):
    """None of the addresses of a host may be connected to."""


def look_up(host: str) -> Sequence[str]:
    """The addresses of a host, as the operating system finds them; blocks.

    Raises:
        OSError: it has none, or the resolver does not answer.
    """
    return [str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class SystemResolver:
    """Resolves names in threads of its own, each name in one thread at a time, so that none occupies all of them."""

    def __init__(self, threads: int = RESOLVER_THREADS, look_up: Callable[[str], Sequence[str]] = look_up) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolver")
        self._look_up = look_up
        self._under_way: dict[str, asyncio.Future[Sequence[str]]] = {}

    async def __call__(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a host, in the order of preference.

        Raises:
            OSError: it has none, or the resolver does not answer.
        """
        # Others may wait for it too, and its thread continues in any case.
        found = await asyncio.shield(self._looking_up(host.lower()))
        return [ip_address(address.partition("%")[0]) for address in dict.fromkeys(found)]

    def _looking_up(self, host: str) -> asyncio.Future[Sequence[str]]:
        known = self._under_way.get(host)
        if known is None:
            known = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, host)
            self._under_way[host] = known
            known.add_done_callback(lambda done: self._end(host, done))
        return known

    def _end(self, host: str, done: asyncio.Future[Sequence[str]]) -> None:
        del self._under_way[host]
        # Whoever waited for it may have given up.
        _ = done.cancelled() or done.exception()

    def close(self) -> None:
        """Let running look-ups end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections for one request to `url`, with `CONNECT_SECONDS` for each address instead of a given timeout.

    Raises `AddressRejected` for a host without a permitted address, and httpcore's errors as its own backends do.
    """

    def __init__(self, url: CallbackUrl, rule: CallbackRule, resolve: Resolve) -> None:
        self._url, self._rule, self._resolve = url, rule, resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: httpcore.ConnectError | httpcore.ConnectTimeout = httpcore.ConnectError("its host has no address")
        for address in (await self._permitted(host, port))[:MAX_ADDRESSES]:
            try:
                stream = await self._backend.connect_tcp(
                    str(address), port, CONNECT_SECONDS, local_address, socket_options
                )
                return BoundedStream(stream)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _permitted(self, host: str, port: int) -> Sequence[Address]:
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise httpcore.ConnectError("its host name cannot be resolved") from error
        rejections = {address: self._rule.rejection_of(address, self._url) for address in addresses}
        permitted = [address for address, rejection in rejections.items() if rejection is None]
        if rejections and not permitted:
            raise AddressRejected(next(iter(rejections.values())))
        return permitted
