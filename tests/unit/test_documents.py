"""Documents: links lead to files, lines are short, and the commands and options that the README names exist."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from itertools import groupby, takewhile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "docs/decisions/*.md", "specs/*.md", "tests/*.md")
    for path in ROOT.glob(pattern)
)
README = ROOT / "README.md"
MAX_WORDS = 900
COLUMNS = 120
# The options that documents use and curl 7.81 of Ubuntu 22.04 knows.
CURL_OPTIONS = {"-s", "-i", "-si", "-N", "-X", "-H", "-d", "-o", "-O", "-f", "--max-time"}

each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def test_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").split()) <= MAX_WORDS


@each_document
def test_relative_links_lead_to_files(path: Path) -> None:
    text = re.sub(r"`[^`]*`", "code", path.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^()\s]+)\)", text)
    relative = [link.partition("#")[0] for link in links if not re.match(r"[a-z]+:|#", link)]
    missing = [link for link in relative if not (path.parent / link).exists()]
    assert not missing


@each_document
def test_no_merge_is_left_unfinished(path: Path) -> None:
    assert not re.search(r"<{7} |>{7} |={7} ", path.read_text(encoding="utf-8"))


@each_document
def test_prose_is_wrapped(path: Path) -> None:
    long = [
        f"{path.name}:{number}: {len(line)} columns"
        for number, line in enumerate(_prose(path.read_text(encoding="utf-8")).splitlines(), 1)
        if len(line) > COLUMNS and not _is_one_word(line)
    ]
    assert not long, f"wrap at {COLUMNS} columns"


def _prose(text: str) -> str:
    """The text with its lines of code blocks, tables and headings empty, so that line numbers stay."""
    lines: list[str] = []
    fenced = False
    for line in text.splitlines():
        fence = line.lstrip().startswith("```")
        code = fenced or fence or line.startswith(("    ", "#")) or line.lstrip().startswith("|")
        fenced ^= fence
        lines.append("" if code else line)
    return "\n".join(lines)


def _is_one_word(line: str) -> bool:
    return " " not in re.sub(r"^\s*([-*]|\d+\.)?\s*", "", line)


@each_document
def test_curl_options_are_those_of_old_releases(path: Path) -> None:
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("$ curl "):
            words = shlex.split(line.removeprefix("$ ").partition(" | ")[0])
            assert {word for word in words[1:] if word.startswith("-")} <= CURL_OPTIONS, line


def _shell_lines() -> Iterator[str]:
    """Yield the commands of the README that the test of its snippets does not run: they start, test or deploy."""
    for block in re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL):
        yield from block.splitlines()


def _ketline_lines() -> Iterator[str]:
    """Yield the commands of Ketline among them, without what runs them in a container."""
    for line in _shell_lines():
        command = re.sub(r"^docker compose exec -T [a-z]+ (?=ketline )", "", line)
        if command.startswith("ketline "):
            yield command


@pytest.mark.parametrize("line", list(_ketline_lines()))
def test_command_and_options_of_the_readme_exist(line: str) -> None:
    words = shlex.split(line)[1:]
    names = takewhile(lambda word: not word.startswith("--"), words)
    command = [sys.executable, "-m", "ketline", *names, "--help"]
    help_text = subprocess.run(command, capture_output=True, text=True, check=True, env={"COLUMNS": "200"}).stdout
    for option in (word for word in words if word.startswith("--")):
        assert option in help_text


def test_other_commands_of_the_readme_name_what_exists() -> None:
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    for program, lines in groupby((shlex.split(line) for line in _shell_lines()), lambda words: words[0]):
        for words in lines:
            match program:
                case "bash":
                    assert (ROOT / words[1]).is_file()
                case "docker":
                    assert words[1] == "compose"
                    named = re.findall(r"(?:--scale |--profile |-T )([a-z]+)", shlex.join(words))
                    assert named
                    assert all(f"\n  {name}:" in compose for name in named)
                case _:
                    assert program == "ketline"


def test_extras_that_documents_install_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for path in DOCUMENTS:
        for name in re.findall(r"pip install '[a-z.]+\[([a-z]+)\]'", path.read_text(encoding="utf-8")):
            assert name in extras, path
