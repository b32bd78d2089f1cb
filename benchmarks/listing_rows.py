"""A database full of tasks, made by the database itself."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

DAYS = 30

INDEXES = """
SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes
WHERE relname IN ('tasks', 'task_labels') ORDER BY 2 DESC"""

_UNFINISHED = "WHEN n > {count} - 5000 AND n % 2 = 0 THEN 'pending' WHEN n > {count} - 40 THEN 'processing'"
_STATUS = """CASE {unfinished}
  WHEN n % 50 = 7 THEN 'failed' WHEN n % 200 = 3 THEN 'cancelled' ELSE 'completed' END"""

_ROW = """'OPENQASM 3.0; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q; // ' || n,
  1024, 'c-' || n, 3, status,
  CASE WHEN status = 'pending' THEN 0 ELSE 1 END, at, at,
  CASE WHEN status IN ('pending', 'processing') THEN NULL ELSE {ended} END,
  CASE WHEN status = 'pending' THEN NULL ELSE 'w-' || (n * 20 / {count}) END,
  CASE WHEN status = 'failed' THEN CASE WHEN n % 3 = 0 THEN 'timeout' ELSE 'parse_error' END
    WHEN status = 'cancelled' THEN 'cancelled' END,
  CASE WHEN n % 3 > 0 THEN 'run-' || (n % 10000) END, {tags}, {metadata},
  CASE WHEN status = 'completed' THEN {result} END, CASE WHEN status = 'completed' THEN {profile} END"""

_COLUMNS = """task_id, circuit, shots, correlation_id, max_attempts, current_status, attempt, submitted_at,
  available_at, completed_at, lease_owner, error_code, name, tags, metadata, result, profile"""

_RESULT = """'{"counts": {"00": 512, "11": 512}, "shots": 1024, "success": true}'"""
_PROFILE = """'{"method": "stabilizer", "qubits": 2, "depth": 3, "operations": {"h": 1, "cx": 1, "measure": 2},
  "parsing_seconds": 0.001, "simulating_seconds": 0.001}'"""

_POSTGRESQL = f"""
INSERT INTO tasks ({_COLUMNS})
SELECT gen_random_uuid(), {_ROW.replace(", status,", ", status::taskstatus,")}
FROM (SELECT n, {_STATUS} AS status, now() - ({{count}} - n) * interval '{DAYS} days' / {{count}} AS at
  FROM generate_series(1, {{count}}) AS n) AS numbered"""

_SQLITE = f"""
INSERT INTO tasks ({_COLUMNS})
WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {{count}})
SELECT lower(hex(randomblob(16))), {_ROW}
FROM (SELECT n, {_STATUS} AS status,
  strftime('%Y-%m-%d %H:%M:%f000', 'now', '-' || (({{count}} - n) * {DAYS * 86400.0} / {{count}}) || ' seconds') AS at
  FROM numbers) AS numbered"""

_NUMBER = "CAST(substr(correlation_id, 3) AS INTEGER)"
_LABELS = (
    ("name", "name IS NOT NULL"),
    ("'common'", f"{_NUMBER} % 2 = 0"),
    ("'odd'", f"{_NUMBER} % 2 = 1"),
    ("'third'", f"{_NUMBER} % 3 = 0"),
    (f"'group-' || ({_NUMBER} % 1000)", "true"),
    ("'old'", f"{_NUMBER} < {{count}} / 10"),
)
_HISTORY = """INSERT INTO status_history (task_id, status, transitioned_at, notes)
SELECT task_id, {pending}, submitted_at, 'Task created and queued' FROM tasks"""
_ENDED_HISTORY = """INSERT INTO status_history (task_id, status, transitioned_at, notes, attempt, worker_id)
SELECT task_id, {processing}, submitted_at, 'Attempt 1 started on ' || lease_owner, attempt, lease_owner FROM tasks
UNION ALL SELECT task_id, current_status, completed_at, 'The task ended', attempt, lease_owner FROM tasks"""


async def fill(url: str, count: int) -> None:
    """Store `count` tasks that were submitted over the last days, with labels and a line of history each."""
    await _store(url, [_UNFINISHED], [_HISTORY, *_label_statements()], count)


async def fill_finished(url: str, count: int) -> None:
    """Store `count` tasks that have all ended, with the history of it and without labels."""
    await _store(url, [], [_HISTORY, _ENDED_HISTORY], count)


async def _store(url: str, unfinished: Sequence[str], others: Sequence[str], count: int) -> None:
    sqlite = url.startswith("sqlite")
    tasks = (_SQLITE if sqlite else _POSTGRESQL).replace("{unfinished}", " ".join(unfinished))
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        for statement in [_valued(statement, count, sqlite=sqlite) for statement in (tasks, *others)]:
            # Statements with colons, which SQLAlchemy takes for parameters.
            await connection.exec_driver_sql(statement)
    if not sqlite:
        # As the database does in time.
        async with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            await connection.execute(text("VACUUM ANALYZE"))
            await connection.execute(text("CHECKPOINT"))
    await engine.dispose()


def _label_statements() -> Sequence[str]:
    return [
        "INSERT INTO task_labels (task_id, kind, value, submitted_at) "
        f"SELECT task_id, '{'name' if value == 'name' else 'tag'}', {value}, submitted_at FROM tasks WHERE {condition}"
        for value, condition in _LABELS
    ]


def _valued(statement: str, count: int, *, sqlite: bool) -> str:
    json, status = ("", "") if sqlite else ("::jsonb", "::taskstatus")
    values = {
        "{count}": str(count),
        "{ended}": "strftime('%Y-%m-%d %H:%M:%f000', at, '2 seconds')" if sqlite else "at + interval '2 seconds'",
        "{tags}": f"'[\"common\"]'{json}",
        "{metadata}": f"'{{\"experiment\": 12}}'{json}",
        "{result}": f"{_RESULT}{json}",
        "{profile}": f"{_PROFILE}{json}",
        "{pending}": f"'pending'{status}",
        "{processing}": f"'processing'{status}",
    }
    for name, value in values.items():
        statement = statement.replace(name, value)
    return statement
