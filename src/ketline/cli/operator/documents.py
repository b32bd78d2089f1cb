"""What operators' commands show of keys, projects and secrets: JSON documents, and times in rows."""

from dataclasses import asdict
from datetime import datetime
from enum import StrEnum
from typing import Any

from ketline.domain.access.principals import ApiKey, Project
from ketline.domain.webhooks.deliveries import SigningSecret


def document(shown: ApiKey | Project | SigningSecret) -> dict[str, Any]:
    """The fields that have a value, as values of JSON."""
    return {name: plain(value) for name, value in asdict(shown).items() if value is not None}


def plain(value: object) -> object:
    """A value of a field as one of JSON."""
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, StrEnum) else value


def time(moment: datetime | None) -> str:
    """A moment as a row shows it, in UTC; empty for none."""
    return "" if moment is None else moment.isoformat(sep=" ", timespec="seconds")
