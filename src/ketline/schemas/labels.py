"""The types of names, tags, metadata and times in requests; they reject what cannot be stored."""

import json
import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import chain, islice
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, JsonValue
from pydantic_core import PydanticCustomError

from ketline.domain.limits import (
    MAX_METADATA_BYTES,
    MAX_METADATA_DEPTH,
    MAX_NAME_CHARACTERS,
    MAX_SCHEDULE_DAYS,
    MAX_TAG_CHARACTERS,
    MAX_TAGS,
)

FARTHEST_SCHEDULE = timedelta(days=MAX_SCHEDULE_DAYS)

_MAX_NUMBER = 2**64
# Control characters, surrogates, and the separators that end a line.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Source: RFC 3339, section 5.6, `date-time`; pydantic alone would take "1700000000" too.
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _reject_unprintable(text: str) -> str:
    if any(unicodedata.category(character) in _UNPRINTABLE for character in text):
        raise PydanticCustomError("unprintable", "must not contain control characters")
    return text


def _reject_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return text


def _reject_ambiguous(tag: str) -> str:
    if not tag.isprintable() or "," in tag or tag != tag.strip():
        raise PydanticCustomError("tag_characters", "must be printable, without commas or surrounding spaces")
    return tag


def _reject_repeated(tags: list[str]) -> list[str]:
    if len(set(tags)) < len(tags):
        raise PydanticCustomError("tag_repeated", "must be distinct")
    return tags


def _check_metadata(metadata: dict[str, JsonValue]) -> dict[str, JsonValue]:
    too_large = PydanticCustomError(
        "metadata_size", "must have at most {most} bytes as JSON", {"most": MAX_METADATA_BYTES}
    )
    level: list[JsonValue] = [metadata]
    for _ in range(MAX_METADATA_DEPTH + 1):
        # Each value takes at least one byte, so more values than bytes need not be checked or encoded.
        level = list(islice(chain.from_iterable(map(_children, level)), MAX_METADATA_BYTES + 1))
        if len(level) > MAX_METADATA_BYTES or any(
            isinstance(value, str) and len(value) > MAX_METADATA_BYTES for value in level
        ):
            raise too_large
        for value in level:
            _reject_unstorable(value)
    if level:
        raise PydanticCustomError(
            "metadata_depth", "must be nested at most {most} levels deep", {"most": MAX_METADATA_DEPTH}
        )
    if len(json.dumps(metadata, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_METADATA_BYTES:
        raise too_large
    return metadata


def _children(value: JsonValue) -> Iterable[JsonValue]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else ()


def _reject_unstorable(value: JsonValue) -> None:
    if isinstance(value, str) and ("\x00" in value or any("\ud800" <= character <= "\udfff" for character in value)):
        raise PydanticCustomError("metadata_characters", "must not contain NUL characters or lone surrogates")
    if isinstance(value, (int, float)) and not abs(value) < _MAX_NUMBER:
        raise PydanticCustomError("metadata_number", "must have finite numbers, integers of at most 64 bits")


def _require_rfc_3339(value: object) -> object:
    if isinstance(value, datetime) or (isinstance(value, str) and _RFC_3339.fullmatch(value)):
        return value
    raise PydanticCustomError("moment", "must be an RFC 3339 time with an offset, such as 2026-01-02T03:04:05Z")


def _to_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("moment_range", "must be within the years 1 to 9999 in UTC") from error


def _reject_far(moment: datetime) -> datetime:
    if moment - datetime.now(UTC) > FARTHEST_SCHEDULE:
        raise PydanticCustomError(
            "moment_far", "must be at most {days} days from now", {"days": FARTHEST_SCHEDULE.days}
        )
    return moment


TaskName = Annotated[
    str,
    Field(min_length=1, max_length=MAX_NAME_CHARACTERS),
    AfterValidator(_reject_unprintable),
    AfterValidator(_reject_blank),
]
Tag = Annotated[str, Field(min_length=1, max_length=MAX_TAG_CHARACTERS), AfterValidator(_reject_ambiguous)]
TaskTags = Annotated[list[Tag], Field(max_length=MAX_TAGS), AfterValidator(_reject_repeated)]
TaskMetadata = Annotated[dict[str, JsonValue], AfterValidator(_check_metadata)]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_require_rfc_3339), AfterValidator(_to_utc)]
Schedule = Annotated[Moment, AfterValidator(_reject_far)]
