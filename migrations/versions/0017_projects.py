"""Projects, to which tasks belong, and API keys of their members; lists find the tasks of a project."""

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"

# The columns of the indexes of lists before the project, and their conditions.
_LISTS = {
    "idx_task_status_submitted": (["current_status", "submitted_at"], "current_status <> 'processing'"),
    "idx_task_kind": (["kind", "submitted_at"], "kind <> 'simulate'"),
    "idx_task_error_code": (["error_code", "submitted_at"], "error_code IS NOT NULL"),
    "idx_task_worker": (["lease_owner", "submitted_at"], "lease_owner IS NOT NULL"),
}
_LABELS = ["kind", "value", "submitted_at", "task_id"]


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.execute("INSERT INTO projects (name, created_at) VALUES ('default', CURRENT_TIMESTAMP)")
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["project"], ["projects.name"], name="api_keys_project_fkey"),
    )
    op.create_index("idx_api_keys_project", "api_keys", ["project"])
    op.add_column("tasks", sa.Column("project", sa.Text(), nullable=False, server_default="default"))
    op.add_column("tasks", sa.Column("owner", sa.Text()))
    op.add_column("task_labels", sa.Column("project", sa.Text(), nullable=False, server_default="default"))
    for name, (columns, where) in _LISTS.items():
        op.drop_index(name, table_name="tasks")
        _create(name, ["project", *columns], where)
    op.create_index("idx_task_project", "tasks", ["project", "submitted_at"])
    _create("idx_task_project_completed", ["project", "current_status", "completed_at"], "completed_at IS NOT NULL")
    op.drop_index("idx_task_labels_value", table_name="task_labels")
    op.create_index("idx_task_labels_value", "task_labels", ["project", *_LABELS])


def downgrade() -> None:
    op.drop_index("idx_task_labels_value", table_name="task_labels")
    op.create_index("idx_task_labels_value", "task_labels", _LABELS)
    op.drop_index("idx_task_project_completed", table_name="tasks")
    op.drop_index("idx_task_project", table_name="tasks")
    for name, (columns, where) in _LISTS.items():
        op.drop_index(name, table_name="tasks")
        _create(name, columns, where)
    op.drop_column("task_labels", "project")
    op.drop_column("tasks", "owner")
    op.drop_column("tasks", "project")
    op.drop_table("api_keys")
    op.drop_table("projects")


def _create(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "tasks", columns, postgresql_where=condition, sqlite_where=condition)
