"""Verified credentials are remembered for a second, and no longer; secrets are not remembered at all."""

import pytest

from ketline.domain.access.principals import ANYONE, DEFAULT_PROJECT, Owner, Role
from ketline.domain.errors import CredentialsInvalid, CredentialsMissing, DatabaseUnavailable
from ketline.service.access import authentication
from ketline.service.access.authentication import REMEMBERED_SECONDS, Authenticate
from ketline.service.access.keys import TOUCH_SECONDS, ManageKeys, VerifyKey
from tests.actors import TESTER
from tests.fake_access import FakeKeyStore


class ManualClock:
    """A `Clock` that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def store() -> FakeKeyStore:
    return FakeKeyStore()


@pytest.fixture
def authenticate(store: FakeKeyStore, clock: ManualClock) -> Authenticate:
    return Authenticate([VerifyKey(store, clock)], clock)


@pytest.fixture
async def token(store: FakeKeyStore) -> str:
    keys = ManageKeys(store)
    return (await keys.create(project=DEFAULT_PROJECT, role=Role.READER, owner=Owner("ada"), actor=TESTER)).text


async def test_revoked_key_is_rejected_within_two_seconds(
    authenticate: Authenticate, store: FakeKeyStore, clock: ManualClock, token: str
) -> None:
    principal = await authenticate(token)
    assert principal.key_id is not None
    await ManageKeys(store).revoke(principal.key_id, TESTER)
    clock.now += REMEMBERED_SECONDS
    assert REMEMBERED_SECONDS < 2
    with pytest.raises(CredentialsInvalid):
        await authenticate(token)


async def test_keys_are_read_once_a_second(
    authenticate: Authenticate, store: FakeKeyStore, clock: ManualClock, token: str
) -> None:
    for wanted, sent in ((1, token), (2, f"{token[:-1]}x")):
        for _ in range(5):
            if wanted == 1:
                await authenticate(sent)
            else:
                with pytest.raises(CredentialsInvalid):
                    await authenticate(sent)
        # A token that is no key in form is not looked for.
        assert store.searches == 1
    clock.now += REMEMBERED_SECONDS
    await authenticate(token)
    assert store.searches == 2


async def test_token_is_not_kept(authenticate: Authenticate, token: str) -> None:
    await authenticate(token)
    assert token not in repr(authenticate)
    assert token.rsplit("_", 1)[1] not in repr(authenticate)


async def test_number_of_remembered_tokens_is_bounded(
    authenticate: Authenticate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authentication, "MAX_REMEMBERED", 10)
    for number in range(50):
        with pytest.raises(CredentialsInvalid):
            await authenticate(f"token {number}")
    assert len(authenticate._remembered) == 10


@pytest.mark.parametrize("token", ["", "x", "ktl_", "ktl_x_y", "ktl_" + "0" * 100_000, "ey.J.w", "\udcff"])
async def test_what_is_no_key_is_rejected(authenticate: Authenticate, store: FakeKeyStore, token: str) -> None:
    with pytest.raises(CredentialsInvalid):
        await authenticate(token)
    assert store.searches == 0


async def test_request_without_a_token_is_told_to_send_one(authenticate: Authenticate) -> None:
    with pytest.raises(CredentialsMissing, match="Authorization"):
        await authenticate(None)


async def test_nothing_is_looked_at_without_authentication(store: FakeKeyStore, clock: ManualClock) -> None:
    authenticate = Authenticate([VerifyKey(store, clock)], clock, anyone=ANYONE)
    assert await authenticate(None) is await authenticate("nonsense") is ANYONE


async def test_database_that_is_away_is_not_taken_for_a_rejection(
    authenticate: Authenticate, store: FakeKeyStore, clock: ManualClock, token: str
) -> None:
    await authenticate(token)
    store.error = DatabaseUnavailable("away")
    clock.now += REMEMBERED_SECONDS
    with pytest.raises(DatabaseUnavailable):
        await authenticate(token)
    store.error = None
    await authenticate(token)


async def test_use_of_a_key_is_recorded_once_a_minute(
    authenticate: Authenticate, store: FakeKeyStore, clock: ManualClock, token: str
) -> None:
    for _ in range(4):
        await authenticate(token)
        clock.now += TOUCH_SECONDS / 2
    assert len(store.touched) == 2
