"""Numbers in documents: defaults and limits are those of the code, measured figures are the same wherever they are."""

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from ketline.api.connection import ConnectionLimits
from ketline.api.connection.protocol import LINGER_SECONDS
from ketline.api.responses.errors import KINDS
from ketline.api.responses.field_errors import MAX_LISTED
from ketline.api.tasks.events import PING_SECONDS
from ketline.config import Settings, variables
from ketline.domain import limits
from ketline.domain.circuits.qpy import VERSIONS
from ketline.domain.limits import HIGHEST_PRIORITY, LOWEST_PRIORITY
from ketline.domain.tasks.priority import SECONDS_PER_POINT
from ketline.execution.limits import ExecutionLimits
from ketline.execution.transpiling.transpiler import MAX_REFINEMENT_STEPS, MAX_SEARCH_STEPS

ROOT = Path(__file__).parents[2]
# Decisions tell what was measured when they were made.
PAGES = [path for pattern in ("*.md", "docs/*.md", "specs/*.md") for path in sorted(ROOT.glob(pattern))]
TEXTS = {path.name: " ".join(path.read_text(encoding="utf-8").split()) for path in PAGES}

# A number, and the phrases about it: each must occur, and each place must name that number.
LIMITS: Sequence[tuple[float, Sequence[str]]] = (
    (limits.MAX_BATCH_TASKS, ["over N items", "A batch over N programs"]),
    (limits.MAX_PAGE_TASKS, ["`limit`: 1 to N"]),
    (limits.DEFAULT_PAGE_TASKS, ["`limit`: 1 to [0-9]+, default N"]),
    (limits.MAX_KEY_CHARACTERS, ["`Idempotency-Key`: 1 to N"]),
    (limits.MAX_INPUTS, ["`inputs`: at most N values", "A circuit of over N parameters"]),
    (limits.MAX_SWEEP_POINTS, ["over N points", "lists of one length of these, at most N long"]),
    (limits.MAX_ARRAY_ELEMENTS, ["at most N elements"]),
    (limits.MAX_ARRAY_DIMENSIONS, ["elements and N dimensions"]),
    (limits.MAX_INPUT_BITS, ["strings of up to N bits"]),
    (limits.MAX_OBSERVABLES, ["over N observables at a point"]),
    (limits.MAX_OBSERVABLE_TERMS, ["or N terms at a point", "over N terms"]),
    (limits.MAX_OUTPUT_TERMS, ["over N labels in their observables"]),
    (limits.MAX_OUTPUT_LETTERS / 1024, ["or N KiB of letters in them"]),
    (limits.MAX_NOISE_MODELS, ["over N models of noise"]),
    (limits.MAX_NOISE_ERRORS, ["over N errors in a model"]),
    (limits.MAX_NOISE_TERMS, ["an error of more than N terms"]),
    (limits.MAX_NOISE_OPERATORS, ["more than N Kraus operators"]),
    (limits.MAX_NOISE_QUBITS - 1, ["qubits beyond N"]),
    (limits.MAX_CALLBACK_CHARACTERS, ["at most N characters, all ASCII"]),
    (limits.MAX_DEVICES, ["over N devices of a project", "The project has N devices"]),
    (limits.MAX_DEVICE_BYTES / 2**20, ["a device of over N MiB"]),
    (limits.MAX_DEVICE_QUBITS, ["`qubits` \\| 1 to N objects"]),
    (limits.MAX_DEVICE_GATES, ["`gates` \\| up to N objects"]),
    (MAX_SEARCH_STEPS, ["`VF2Layout`\\) ends after N steps"]),
    (MAX_REFINEMENT_STEPS, ["`VF2PostLayout`\\) after N;"]),
    (limits.MAX_DEVICE_NAME_CHARACTERS, ["`name` \\| 1 to N letters"]),
    (limits.MAX_DEVICE_DESCRIPTION_CHARACTERS, ["`description` \\| up to N printable"]),
    (limits.MAX_NAME_CHARACTERS, ["`name`: 1 to N characters"]),
    (limits.MAX_TAGS, ["`tags`: at most N"]),
    (limits.MAX_TAG_CHARACTERS, ["strings of 1 to N printable characters"]),
    (limits.MAX_METADATA_BYTES / 1024, ["object of at most N KiB"]),
    (limits.MAX_METADATA_DEPTH, ["KiB and N levels"]),
    (limits.MAX_SCHEDULE_DAYS, ["at most N days ahead"]),
    (limits.MAX_JOB_SECONDS, ["up to N s \\(30 days\\)", "on a backend up to N s"]),
    (HIGHEST_PRIORITY, ["`priority`: -[0-9]+ to N", "from -[0-9]+ to N"]),
    (LOWEST_PRIORITY, ["`priority`: N to [0-9]+", "from N to [0-9]+, 0 unless"]),
    (SECONDS_PER_POINT, ["counts as much as N seconds of waiting"]),
    (VERSIONS[0], ["versions N to [0-9]+", "`detail` names N to", "Versions before N"]),
    (VERSIONS[-1], ["versions [0-9]+ to N", "`detail` names [0-9]+ to N"]),
    (MAX_LISTED, ["over N errors are counted"]),
    (PING_SECONDS, ["every N s without an event"]),
    (LINGER_SECONDS, ["still sending has N s"]),
    (ConnectionLimits().head_bytes / 1024, ["N KiB together"]),
    (ConnectionLimits().headers, [r"4 bytes a header\), N headers"]),
    (ExecutionLimits().max_result_bytes / 2**20, [r"`max_result_bytes` \(N MiB\)"]),
)
# Measured figures that several pages give: each phrase occurs twice or more, with the same numbers.
FIGURES = (
    r"(?:run|runs) N times as many tasks as one",
    r"N % of(?: the)? MQT Bench programs|\(N %\) run\.",
    r"\(N %\) of what Qiskit writes of them|: N % of what Qiskit writes of its",
    r"An API process responds N s after its start",
    r"N \(Bell\) to [0-9]+ \(10,000 gates\) times",
    r"[0-9]+ \(Bell\) to N \(10,000 gates\) times",
)


def found(phrase: str) -> Sequence[tuple[str, float]]:
    """The numbers instead of N, each with the page that has it."""
    pattern = re.compile(phrase.replace("N", r"(-?[0-9][0-9,.]*[0-9]|-?[0-9])"))
    return [
        (page, float(number.replace(",", "")))
        for page, text in TEXTS.items()
        for match in pattern.finditer(text)
        for number in match.groups()
        if number
    ]


@pytest.mark.parametrize(
    ("number", "phrase"), [(number, phrase) for number, phrases in LIMITS for phrase in phrases], ids=str
)
def test_documents_name_the_limit_of_the_code(number: float, phrase: str) -> None:
    places = found(phrase)
    assert places, "no page says this any more: change the phrase here too"
    assert [place for place in places if place[1] != number] == []


@pytest.mark.parametrize("phrase", FIGURES)
def test_measured_figure_is_the_same_in_all_documents(phrase: str) -> None:
    places = found(phrase)
    assert "performance.md" in dict(places)
    assert len(places) > 1
    assert len({number for _, number in places}) == 1, places


def test_numbers_beside_settings_are_their_defaults() -> None:
    """As in "`KETLINE_MAX_WAIT_S` (60)"."""
    fields = {name: field for field, names in variables().items() for name in names}
    places = [
        (page, name, float(number.replace(",", "")))
        for page, text in TEXTS.items()
        for name, number in re.findall(r"`(KETLINE_[A-Z_]+)` \(([0-9][0-9,.]*)(?: s)?\)", text)
    ]
    assert len(places) > 3
    assert [place for place in places if Settings.model_fields[fields[place[1]]].default != place[2]] == []


def test_page_of_settings_has_the_defaults() -> None:
    table = TEXTS["settings.md"].partition("## Variables of older services")[0]
    rows = re.findall(r"\| `(KETLINE_[A-Z_]+)`[^|]* \| ([^|]*?) \|", table)
    fields = {names[0]: Settings.model_fields[field] for field, names in variables().items()}
    numbers = {
        name: field.default
        for name, field in fields.items()
        if field.default is not PydanticUndefined and type(field.default) in (int, float)
    }
    assert len(numbers) > 30
    shown = {name: default.strip("`") for name, default in rows}
    assert {name: float(shown[name]) for name in numbers} == numbers


def test_defaults_of_limits_are_those_of_the_settings() -> None:
    """Tests and tools make these values without settings."""
    connections, execution = ConnectionLimits(), ExecutionLimits()
    defaults = {name: field.default for name, field in Settings.model_fields.items()}
    assert {
        "header_timeout_s": connections.head_seconds,
        "body_timeout_s": connections.body_seconds,
        "idle_timeout_s": connections.idle_seconds,
        "write_timeout_s": connections.write_seconds,
        "max_connections": connections.connections,
        "request_memory_mb": connections.request_memory_bytes >> 20,
        "task_soft_time_limit_s": execution.soft_time_limit.total_seconds(),
        "task_time_limit_s": execution.time_limit.total_seconds(),
        "max_qubits": execution.max_qubits,
        "max_operations": execution.max_operations,
        "max_result_mb": execution.max_result_bytes >> 20,
    }.items() <= defaults.items()


def test_problem_names_the_limits_of_headers() -> None:
    detail, allowed = KINDS["headers_too_large"].detail, ConnectionLimits()
    assert f"{allowed.head_bytes:,} bytes" in detail
    assert f"{allowed.headers} headers" in detail
