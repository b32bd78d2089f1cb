"""Which role each route needs: the table that the guard of the API reads. specs/access.md has the same table.

A route that is not in it is closed to everyone, and `create_app` does not build an application that has one.
"""

from collections.abc import Mapping
from typing import Final

from ketline.domain.access.principals import Role

# Open to everyone, also without credentials.
PUBLIC: Final = None

RIGHTS: Mapping[tuple[str, str], Role | None] = {
    # Routes that have nothing to do with tasks: probes, and the description of the interface with its files.
    ("GET", "/health"): PUBLIC,
    ("GET", "/livez"): PUBLIC,
    ("GET", "/readyz"): PUBLIC,
    ("GET", "/version"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/docs/assets/{edition}/{name}"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/ui/assets/{edition}/{name}"): PUBLIC,
    # A user who signs in has no credentials yet.
    ("GET", "/ui/sign-in"): PUBLIC,
    ("POST", "/ui/sign-in"): PUBLIC,
    ("GET", "/ui/sign-in/provider"): PUBLIC,
    ("GET", "/ui/sign-in/callback"): PUBLIC,
    # Tasks.
    ("GET", "/tasks"): Role.READER,
    ("GET", "/tasks/stats"): Role.READER,
    ("GET", "/tasks/stats/history"): Role.READER,
    ("GET", "/tasks/events"): Role.READER,
    ("POST", "/tasks/ended"): Role.READER,
    ("GET", "/tasks/{task_id}"): Role.READER,
    ("GET", "/tasks/{task_id}/events"): Role.READER,
    ("GET", "/tasks/{task_id}/counts"): Role.READER,
    ("GET", "/tasks/{task_id}/memory"): Role.READER,
    ("GET", "/tasks/{task_id}/output"): Role.READER,
    ("GET", "/tasks/{task_id}/outputs"): Role.READER,
    ("GET", "/tasks/{task_id}/outputs/{name}"): Role.READER,
    ("GET", "/tasks/{task_id}/circuit"): Role.READER,
    ("GET", "/tasks/{task_id}/deliveries"): Role.READER,
    ("GET", "/deliveries"): Role.READER,
    ("POST", "/validate"): Role.READER,
    ("GET", "/backends"): Role.READER,
    ("GET", "/devices"): Role.READER,
    ("GET", "/devices/{name}"): Role.READER,
    ("GET", "/usage"): Role.READER,
    ("POST", "/tasks"): Role.SUBMITTER,
    ("POST", "/tasks/batch"): Role.SUBMITTER,
    ("PATCH", "/tasks/{task_id}"): Role.SUBMITTER,
    ("DELETE", "/tasks/{task_id}"): Role.SUBMITTER,
    ("POST", "/tasks/{task_id}/cancel"): Role.SUBMITTER,
    ("POST", "/tasks/{task_id}/enqueue"): Role.SUBMITTER,
    ("POST", "/tasks/{task_id}/rerun"): Role.SUBMITTER,
    ("POST", "/tasks/{task_id}/redeliver"): Role.SUBMITTER,
    ("POST", "/deliveries/redeliver"): Role.OPERATOR,
    ("PUT", "/devices/{name}"): Role.SUBMITTER,
    ("DELETE", "/devices/{name}"): Role.SUBMITTER,
    ("GET", "/workers"): Role.OPERATOR,
    ("GET", "/metrics"): Role.OPERATOR,
    # Access, of all projects.
    ("GET", "/whoami"): Role.READER,
    ("GET", "/keys"): Role.ADMINISTRATOR,
    ("POST", "/keys"): Role.ADMINISTRATOR,
    ("DELETE", "/keys/{key_id}"): Role.ADMINISTRATOR,
    ("POST", "/keys/{key_id}/rotate"): Role.ADMINISTRATOR,
    ("GET", "/projects"): Role.ADMINISTRATOR,
    ("POST", "/projects"): Role.ADMINISTRATOR,
    ("GET", "/projects/{name}"): Role.ADMINISTRATOR,
    ("PATCH", "/projects/{name}"): Role.ADMINISTRATOR,
    ("GET", "/projects/{name}/webhook-secret"): Role.ADMINISTRATOR,
    ("POST", "/projects/{name}/webhook-secret"): Role.ADMINISTRATOR,
    ("GET", "/audit"): Role.ADMINISTRATOR,
    # The service, and tasks of all projects.
    ("GET", "/admin/pauses"): Role.OPERATOR,
    ("POST", "/admin/pauses"): Role.ADMINISTRATOR,
    ("DELETE", "/admin/pauses"): Role.ADMINISTRATOR,
    ("DELETE", "/admin/pauses/{queue}"): Role.ADMINISTRATOR,
    ("POST", "/admin/workers/{worker_id}/drain"): Role.ADMINISTRATOR,
    ("DELETE", "/admin/workers/{worker_id}/drain"): Role.ADMINISTRATOR,
    ("POST", "/admin/tasks/{task_id}/requeue"): Role.ADMINISTRATOR,
    ("POST", "/admin/tasks/{task_id}/fail"): Role.ADMINISTRATOR,
    ("POST", "/admin/vacuum"): Role.ADMINISTRATOR,
    # Pages.
    ("GET", "/"): Role.READER,
    ("GET", "/ui"): Role.READER,
    ("GET", "/ui/tasks"): Role.READER,
    ("GET", "/ui/tasks/{task_id}"): Role.READER,
    ("GET", "/ui/tasks/{task_id}/circuit"): Role.READER,
    ("GET", "/ui/tasks/{task_id}/counts.json"): Role.READER,
    ("GET", "/ui/tasks/{task_id}/counts.csv"): Role.READER,
    ("GET", "/ui/tasks/{task_id}/outputs.npz"): Role.READER,
    ("GET", "/ui/tasks/{task_id}/histogram.svg"): Role.READER,
    ("POST", "/ui/check"): Role.READER,
    ("POST", "/ui/sign-out"): Role.READER,
    ("POST", "/ui/choose-project"): Role.READER,
    ("POST", "/ui/submit"): Role.SUBMITTER,
    ("POST", "/ui/bulk"): Role.SUBMITTER,
    ("POST", "/ui/tasks/{task_id}/enqueue"): Role.SUBMITTER,
    ("POST", "/ui/tasks/{task_id}/cancel"): Role.SUBMITTER,
    ("POST", "/ui/tasks/{task_id}/rerun"): Role.SUBMITTER,
    ("GET", "/ui/usage"): Role.READER,
    ("GET", "/ui/devices"): Role.READER,
    ("GET", "/ui/devices/{name}"): Role.READER,
    ("POST", "/ui/devices"): Role.SUBMITTER,
    ("POST", "/ui/devices/{name}/remove"): Role.SUBMITTER,
    ("GET", "/ui/system"): Role.OPERATOR,
    ("GET", "/ui/audit"): Role.ADMINISTRATOR,
    ("GET", "/ui/keys"): Role.ADMINISTRATOR,
    ("POST", "/ui/keys"): Role.ADMINISTRATOR,
    ("POST", "/ui/keys/{key_id}/rotate"): Role.ADMINISTRATOR,
    ("POST", "/ui/keys/{key_id}/revoke"): Role.ADMINISTRATOR,
    ("POST", "/ui/projects"): Role.ADMINISTRATOR,
    ("POST", "/ui/dead-letters/requeue"): Role.ADMINISTRATOR,
}

# Routes that show a form without a valid CSRF token again, so that its text is not lost, and do nothing else with it.
SHOW_REJECTED_FORM: Final = frozenset({("POST", "/ui/submit")})
