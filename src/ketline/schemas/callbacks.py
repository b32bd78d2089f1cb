"""The type of callbacks in requests; it rejects URLs that no receiver can have."""

from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_CALLBACK_CHARACTERS
from ketline.domain.webhooks.callback_url import parse_callback


def _require_possible(text: str) -> str:
    try:
        parse_callback(text)
    except ValueError as error:
        raise PydanticCustomError("callback", "{reason}", {"reason": str(error)}) from None
    return text


CallbackText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_CALLBACK_CHARACTERS,
        examples=["https://example.org/hooks/ketline"],
        json_schema_extra={"format": "uri"},
    ),
    AfterValidator(_require_possible),
]
