"""What is copied does what the form does: the shell and Python are asked to run it."""

import ast
import json
import subprocess
from typing import Any

import pytest

from ketline.schemas.submissions import SubmitRequest
from ketline.schemas.types import BELL
from ketline.web.snippets import form_address, snippets

PROGRAMS = [BELL, 'it\'s "quoted" $HOME `x` \\n\n', '"""', "é\r\n<b>", 'ends with "']


def submission(program: str, **fields: Any) -> SubmitRequest:
    return SubmitRequest.model_validate({"qc": program, "shots": 7, **fields})


def text_as(title: str, program: str, **fields: Any) -> str:
    return dict(snippets(submission(program, **fields), "http://host:1/x"))[title]


@pytest.mark.parametrize("program", PROGRAMS)
def test_curl_sends_the_form(program: str) -> None:
    command = text_as("curl", program, tags=["a b"], seed=3).replace("curl -s", "printf '%s\\0'", 1)
    words = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split("\0")
    assert words[:4] == ["http://host:1/x/tasks", "-H", "Content-Type: application/json", "-d"]
    assert json.loads(words[4]) == {"qc": program, "shots": 7, "tags": ["a b"], "seed": 3}


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize(("title", "known"), [("Python", {7, "n'", 3}), ("Qiskit", {7, 3})])
def test_python_has_the_form(title: str, known: set[object], program: str) -> None:
    tree = ast.parse(text_as(title, program, name="n'", seed=3))
    values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert {program, "http://host:1/x", *known} <= set(values)


def test_default_fields_are_left_out() -> None:
    assert "method" not in text_as("curl", BELL, method="automatic")


def test_address_of_the_form_has_what_is_in_it() -> None:
    assert form_address({"qc": "h q;&x", "seed": "", "shots": "1"}) == "?qc=h+q%3B%26x&shots=1"


def test_openqasm_2_is_read_by_its_own_reader() -> None:
    text = text_as("Qiskit", "OPENQASM 2.0;\nqreg q[1];\n")
    assert "from qiskit import qasm2\n" in text
    assert "custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS" in text
    ast.parse(text)
