"""The table of failpoints leaves out nothing by oversight."""

import re

from ketline.ports.tasks import repositories
from tests.failpoints.table import EXCLUSIONS, TABLE, cases, excluded, product
from tests.failpoints.transactions import Transaction

# They change nothing, or nothing that a task depends on; times are corrected by every process, more than once.
HARMLESS = {
    "within",
    "require_room",
    "result_text",
    "get",
    "history",
    "statuses",
    "count_pending",
    "count_dispatched",
    "ping",
    "delete_expired_keys",
    "survey_leases",
    "correct_times",
    "check_writable",
    "jobs_to_cancel",
}
# The same transaction as that of another step, with one more condition on the tasks that it may take.
AS_ANOTHER = {"claim_short": "claim"}


def test_every_write_of_the_repository_is_a_step() -> None:
    ports = [port for port in vars(repositories).values() if getattr(port, "__module__", "") == repositories.__name__]
    methods = {name for port in ports for name in vars(port) if not name.startswith("_")}
    writes = methods - HARMLESS
    assert {"add", "claim", "take_due"} <= writes
    assert {AS_ANOTHER.get(name, name) for name in writes} <= {row.step for row in TABLE}


def test_every_commit_is_known_to_the_proxy() -> None:
    commits = {f"{row.call or row.step}.commit" for row in TABLE if "commit" in row.sides}
    assert commits | {Transaction.MOVE_SESSION.point} == {transaction.point for transaction in Transaction}


def test_every_case_is_run_or_left_out_for_a_reason() -> None:
    left_out = [case for case in product() if excluded(case)]
    assert len(cases()) + len(left_out) == len(list(product())) + 6, "six more strike loops of workers"
    assert len({str(case) for case in cases()}) == len(cases())


def test_every_exclusion_leaves_something_out() -> None:
    names = [f"{case.mode} {case.point} {case.fault}" for case in product()]
    assert all(any(re.fullmatch(exclusion.which, name) for name in names) for exclusion in EXCLUSIONS)
