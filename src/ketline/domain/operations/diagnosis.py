"""The findings of `ketline doctor`: at least one for each check."""

from dataclasses import dataclass
from enum import StrEnum


class Grade(StrEnum):
    """How a finding is to be taken: nothing to do, worth a look, or the service cannot work like this."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The result of one check: what was found, and what to do unless it is ok. Neither has a secret."""

    check: str
    grade: Grade
    text: str
    advice: str | None = None


def ok(check: str, text: str) -> Finding:
    """A finding that needs no action."""
    return Finding(check=check, grade=Grade.OK, text=text)


def warning(check: str, text: str, advice: str) -> Finding:
    """A finding that the service can live with."""
    return Finding(check=check, grade=Grade.WARNING, text=text, advice=advice)


def problem(check: str, text: str, advice: str) -> Finding:
    """A finding with which the service, or a part of it, does not work."""
    return Finding(check=check, grade=Grade.PROBLEM, text=text, advice=advice)
