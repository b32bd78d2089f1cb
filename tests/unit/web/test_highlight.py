import pytest
from hypothesis import given
from hypothesis import strategies as st

from ketline.web.highlight import MAX_IN_A_LINE, MAX_LINES, Line, excerpt, listing

PROGRAM = 'OPENQASM 3.0; // head\ninclude "stdgates.inc";\n/* two\nlines */ qubit[2] q;\n\nfoo q[0];\n'


def text_of(line: Line) -> str:
    return "".join(token.text for token in line.tokens)


def test_lines_keep_their_text_and_numbers() -> None:
    shown = listing(PROGRAM)
    assert [text_of(line) for line in shown.lines] == PROGRAM.rstrip("\n").split("\n")
    assert [line.number for line in shown.lines] == [1, 2, 3, 4, 5, 6]
    assert not shown.cut


def test_words_have_kinds_and_comments_go_on_over_lines() -> None:
    first, include, two, lines, *_ = listing(PROGRAM).lines
    assert [(token.kind, token.text) for token in first.tokens][:2] == [("keyword", "OPENQASM"), ("", " ")]
    assert first.tokens[-1].kind == "comment"
    assert include.tokens[-2].kind == "string"
    assert [token.kind for token in two.tokens] == ["comment"]
    assert lines.tokens[0].kind == "comment"
    assert ("class-name", "qubit") in [(token.kind, token.text) for token in lines.tokens]


def test_position_of_an_error_has_a_caret_below_it() -> None:
    shown = listing("\tabc\nab foo", line=1, column=3).lines
    assert [(line.wrong, line.caret) for line in shown] == [(True, 3), (False, None)]
    assert shown[0].indent == "\t "


@pytest.mark.parametrize(("line", "numbers"), [(1, [1, 2, 3]), (5, [3, 4, 5, 6]), (6, [4, 5, 6]), (99, [])])
def test_excerpt_has_the_lines_around(line: int, numbers: list[int]) -> None:
    shown = excerpt(PROGRAM, line, 1)
    assert [one.number for one in shown.lines] == numbers
    assert [one.number for one in shown.lines if one.wrong] == ([line] if line in numbers else [])


def test_long_program_is_cut() -> None:
    shown = listing("h q;\n" * 5000)
    assert (len(shown.lines), shown.cut) == (MAX_LINES, True)
    shown = listing("x" * 1_000_000)
    assert (text_of(shown.lines[0]), shown.cut) == ("x" * MAX_IN_A_LINE + " …", True)
    [line] = excerpt("x" * 1_000_000, 1, 1).lines
    assert len(text_of(line)) == MAX_IN_A_LINE + 2


@given(st.text(alphabet="ab1. \n\r\t/*\"'<>é", max_size=60))
def test_nothing_of_a_program_is_lost(program: str) -> None:
    expected = program.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")
    assert [text_of(line) for line in listing(program).lines] == expected


def test_endless_line_is_cut_and_quick() -> None:
    """Each character of it was once a copy of all before it."""
    shown = listing(";" * 99_000)
    assert [len("".join(token.text for token in line.tokens)) for line in shown.lines] == [MAX_IN_A_LINE + 2]
    assert shown.cut
    assert len(shown.lines[0].tokens) == 1


def test_text_that_is_not_openqasm_is_not_coloured() -> None:
    lines = listing("if 1\ngate 2\n", openqasm=False).lines
    assert [[(token.text, token.kind) for token in line.tokens] for line in lines] == [[("if 1", "")], [("gate 2", "")]]
