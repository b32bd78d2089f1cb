"""Reading and writing the queue's message."""

import json
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ketline.domain.attempts.claim import Dispatch
from ketline.domain.ids import CorrelationId, TaskId
from ketline.messaging.message import MAX_BODY_BYTES, VERSION, MessageInvalid, decode, encode, usable_property

TASK_ID = TaskId(uuid4())
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def body(**fields: object) -> bytes:
    return json.dumps({"task_id": str(TASK_ID), **fields}).encode()


@settings(deadline=None)
@given(
    task_id=st.uuids(),
    correlation_id=st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=128),
    traced=st.booleans(),
)
def test_what_is_written_is_read_back(task_id: TaskId, correlation_id: str, traced: bool) -> None:
    dispatch = Dispatch(
        task_id=task_id,
        correlation_id=CorrelationId(correlation_id),
        trace_context=TRACEPARENT if traced else None,
    )
    assert decode(encode(dispatch)) == dispatch


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_message_or_rejected(data: bytes) -> None:
    try:
        decode(data)
    except MessageInvalid:
        return


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
        max_leaves=8,
    )
)
def test_any_json_in_our_fields_is_a_message_or_rejected(value: object) -> None:
    decode(body(correlation_id=value, traceparent=value))
    with pytest.raises(MessageInvalid):
        decode(json.dumps({"task_id": value}).encode())


def test_unknown_keys_are_ignored() -> None:
    assert decode(body(priority=7)).task_id == TASK_ID


def test_task_id_may_be_in_upper_case() -> None:
    assert decode(json.dumps({"task_id": str(TASK_ID).upper()}).encode()).task_id == TASK_ID


@pytest.mark.parametrize(
    "written",
    [f"{{{TASK_ID}}}", f"urn:uuid:{TASK_ID}", TASK_ID.hex, f" {TASK_ID}", f"{TASK_ID}\n", ""],
    ids=["braces", "urn", "hex", "space", "newline", "empty"],
)
def test_other_spellings_of_a_uuid_are_rejected(written: str) -> None:
    with pytest.raises(MessageInvalid, match="not a uuid"):
        decode(json.dumps({"task_id": written}).encode())


def test_body_comes_before_the_properties() -> None:
    dispatch = decode(body(correlation_id="body", traceparent=TRACEPARENT), correlation_id="property", traceparent="x")
    assert (dispatch.correlation_id, dispatch.trace_context) == ("body", TRACEPARENT)


@pytest.mark.parametrize("unusable", [None, 7, "", "x" * 129, "tab\t", "é"])
def test_property_stands_in_for_an_unusable_correlation_id(unusable: object) -> None:
    assert decode(body(correlation_id=unusable), correlation_id="property").correlation_id == "property"


def test_task_id_stands_in_for_a_missing_correlation_id() -> None:
    assert decode(body()).correlation_id == str(TASK_ID)


@pytest.mark.parametrize("header", [None, 7, "", "00-0-0-0", TRACEPARENT + "-more"])
def test_malformed_trace_context_is_dropped(header: object) -> None:
    assert decode(body(), traceparent=header).trace_context is None


def test_large_message_is_rejected_before_it_is_parsed() -> None:
    with pytest.raises(MessageInvalid, match="bytes"):
        decode(body(padding="x" * MAX_BODY_BYTES))


def test_deeply_nested_message_is_rejected() -> None:
    with pytest.raises(MessageInvalid, match="not JSON"):
        decode(b"[" * MAX_BODY_BYTES)


def test_rejection_does_not_quote_the_message() -> None:
    with pytest.raises(MessageInvalid) as rejection:
        decode(json.dumps({"task_id": "OPENQASM 3;"}).encode())
    assert "OPENQASM" not in str(rejection.value)


@pytest.mark.parametrize(("given_id", "carried"), [("plain", "plain"), ("x" * 300, None), ("ü", None)])
def test_property_is_left_out_where_amqp_cannot_carry_it(given_id: str, carried: str | None) -> None:
    assert usable_property(CorrelationId(given_id)) == carried


def test_message_without_a_version_is_of_the_first() -> None:
    assert decode(body()).task_id == decode(body(version=1)).task_id == TASK_ID
    assert json.loads(encode(decode(body())))["version"] == VERSION


@pytest.mark.parametrize("version", [VERSION + 1, 10**9])
def test_message_of_a_later_version_is_rejected_with_what_to_do(version: int) -> None:
    with pytest.raises(MessageInvalid, match=f"of version {version}, .* upgrade"):
        decode(body(version=version))


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True, None])
def test_version_that_is_none_is_rejected(version: object) -> None:
    with pytest.raises(MessageInvalid, match="version is not"):
        decode(body(version=version))
