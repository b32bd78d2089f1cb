"""What `ketline admin drain --wait` says of a worker that stops meanwhile."""

from types import SimpleNamespace
from typing import cast

import pytest

from ketline.cli.operator.admin import _drained, _show_drain
from ketline.domain.attempts.claim_stops import Drain
from ketline.runtime.administration import Administration
from tests.fake_administration import SINCE, FakeClaimControls


async def test_worker_that_stops_while_it_is_drained_is_not_said_to_hold_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    administration = cast("Administration", SimpleNamespace(claim_controls=FakeClaimControls()))
    begun = Drain(worker_id="worker-1", draining_since=SINCE, tasks=2)
    ended = await _drained(administration, begun, timeout=None)
    _show_drain(ended, as_json=False)
    assert capsys.readouterr().out == (
        "worker-1 has stopped. It held 2 tasks before; other workers run what it left.\n"
    )
    _show_drain(ended, as_json=True)
    assert '"stopped": true' in capsys.readouterr().out
