"""Guards of webhooks: what makes each ended task delivered, and keeps messages from addresses that are not public."""

from tests.guards.guard import Guard
from tests.guards.removals import Drop, Replace

CONTRACT = "tests/contract/test_webhooks.py"
ADDRESSES = "tests/unit/test_callback_url.py"

WEBHOOKS = (
    Guard(
        "callback.due",
        "a task with a callback is delivered when it has ended",
        Drop(),
        (f"{CONTRACT}::test_task_is_delivered_once_however_it_ends",),
    ),
    Guard(
        "callback.once",
        "an ended task is delivered once",
        Drop(),
        (f"{CONTRACT}::test_project_that_has_lost_its_callback_is_delivered_nothing",),
    ),
    Guard(
        "callback.deleted",
        "a task that is deleted is delivered",
        Drop(),
        (f"{CONTRACT}::test_message_about_a_deleted_task_is_delivered",),
    ),
    Guard(
        "delivery.lease",
        "no second process attempts a delivery meanwhile",
        Drop(),
        (f"{CONTRACT}::test_delivery_is_attempted_again_by_another_process_when_the_first_is_lost",),
    ),
    Guard(
        "delivery.fence",
        "a failure is recorded by the process of the last attempt only",
        Drop(),
        (f"{CONTRACT}::test_delivery_is_attempted_again_by_another_process_when_the_first_is_lost",),
    ),
    Guard(
        "delivery.clock",
        "only what the clock delays is attempted before its time",
        Replace("deliveries.c.next_at > now()"),
        (f"{CONTRACT}::test_clock_that_was_set_back_delays_no_delivery",),
    ),
    Guard(
        "delivery.project",
        "a project with many slow hosts leaves attempts to the others",
        Replace("true()"),
        (f"{CONTRACT}::test_project_with_many_slow_hosts_leaves_room_for_others",),
    ),
    Guard(
        "callback.allowed",
        "an allowed network is connected to",
        Replace("False"),
        (f"{ADDRESSES}::test_allowed_network_is_connected_to_by_any_scheme_and_port",),
    ),
    Guard(
        "callback.public",
        "no address that is not public is connected to",
        Drop(),
        (f"{ADDRESSES}::test_address_that_is_not_public_is_rejected",),
    ),
)
