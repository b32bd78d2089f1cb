"""The guards as the table of docs/guards.md."""

from collections.abc import Iterable

from tests.guards.guard import Guard


def listed(guards: Iterable[Guard]) -> str:
    rows = [f"| `{guard.name}` | {guard.protects} | {_tests(guard)} |" for guard in guards]
    return "\n".join(["| guard | without it this does not hold | tests |", "| --- | --- | --- |", *rows])


def _tests(guard: Guard) -> str:
    return ", ".join(f"`{test.rpartition('::')[2]}`" for test in guard.tests)
