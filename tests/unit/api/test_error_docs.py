import re
from collections.abc import Iterator
from pathlib import Path

from ketline.api.responses.errors import KINDS
from ketline.domain.errors import KetlineError
from ketline.domain.task import FailureCode

PAGE = Path(__file__).parents[3] / "docs" / "errors.md"
HTTP_ROW = re.compile(r"^\| (\d{3}) \| `([a-z_]+)` \|", re.MULTILINE)
ANY_ROW = re.compile(r"^\|(?: \d{3} \|)? `([a-z_]+)` \|", re.MULTILINE)


def _family(root: type[KetlineError]) -> Iterator[type[KetlineError]]:
    yield root
    for child in root.__subclasses__():
        yield from _family(child)


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
