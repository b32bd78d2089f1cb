from pathlib import Path

from ketline.web.examples import example, examples


def test_every_example_of_the_repository_is_offered_the_simplest_first() -> None:
    files = {path.stem for path in (Path(__file__).parents[3] / "examples").glob("*.qasm")}
    assert {one.name for one in examples()} == files
    assert examples()[0].name == "bell"


def test_each_says_what_it_is() -> None:
    for one in examples():
        assert one.summary
        assert one.title[0].isupper()
        assert "OPENQASM" in one.program


def test_titles_are_words_or_acronyms() -> None:
    titles = {one.name: one.title for one in examples()}
    assert (titles["error_correction"], titles["ghz"]) == ("Error correction", "GHZ")


def test_unknown_name_is_no_example() -> None:
    assert example("../bell") is None
