import re
from collections.abc import Iterator
from pathlib import Path

from ketline.api.responses.errors import KINDS
from ketline.domain import errors
from ketline.domain.errors import KetlineError
from ketline.domain.failures import FailureCode

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
HTTP_ROW = re.compile(r"^\| (\d{3}) \| `([a-z_]+)` \|", re.MULTILINE)
ANY_ROW = re.compile(r"^\|(?: \d{3} \|)? `([a-z_]+)` \|", re.MULTILINE)


def _family(root: type[KetlineError]) -> Iterator[type[KetlineError]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


def _tree(root: type[KetlineError], indent: str = "") -> Iterator[str]:
    """The classes below one, each on a line, as the docstring draws them."""
    children = [child for child in root.__subclasses__() if child.__module__ == errors.__name__]
    for child in children:
        last = child is children[-1]
        yield f"{indent}{'└── ' if last else '├── '}{child.__name__}"
        yield from _tree(child, indent + ("    " if last else "│   "))


def test_docstring_draws_the_tree_of_classes() -> None:
    drawn = (errors.__doc__ or "").split("KetlineError\n")[1].strip().splitlines()
    assert drawn == list(_tree(KetlineError))


def test_every_http_code_has_a_row_with_its_status() -> None:
    rows = {code: int(status) for status, code in HTTP_ROW.findall(PAGE.read_text())}
    assert rows == {kind.code: kind.status for kind in KINDS.values()}


def test_every_code_of_the_domain_has_a_row() -> None:
    documented = set(ANY_ROW.findall(PAGE.read_text()))
    codes = {str(error.code) for error in _family(KetlineError)} | {str(code) for code in FailureCode}
    assert codes - documented == set()


def test_no_row_is_about_a_code_that_does_not_exist() -> None:
    codes = {str(error.code) for error in _family(KetlineError)} | {str(code) for code in FailureCode} | set(KINDS)
    assert set(ANY_ROW.findall(PAGE.read_text())) - codes == set()
