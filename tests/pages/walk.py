"""Runs the snippets of docs/clients.md, README.md and docs/ecosystem.md and writes what they print into these pages.

`bash .ci/uv run python -m tests.pages.walk URL`, with the address of a service that was just started.

A block of `console` has commands after `$`, and below each what it prints; a block of `python` is followed by one of
`text` with what it prints, if anything. All Python blocks are one program, all commands one shell's.
"""

import io
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "docs" / "clients.md", ROOT / "README.md"]
# Has no commands: tests/acceptance/test_ecosystem.py runs each of its sections by itself.
PROGRAMS = ROOT / "docs" / "ecosystem.md"
_SECTION = re.compile(r"^(?=## )", re.MULTILINE)
SHOWN_URL = "http://localhost:8000"
COMMAND_SECONDS = 120
_BLOCK = re.compile(r"```(console|python)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
# What the README's first command installs is installed already.
_INSTALLATION = re.compile(r"python3 -m pip install .* && \.tools/bin/uv run (?=ketline )")
# No program prints this.
_END = "--- 7f0c end of a command ---"


def main() -> None:
    for path in PAGES:
        path.write_text(executed(path.read_text(encoding="utf-8"), sys.argv[1]), encoding="utf-8")
    sections = _SECTION.split(PROGRAMS.read_text(encoding="utf-8"))
    PROGRAMS.write_text("".join(executed_program(each, sys.argv[1])[0] for each in sections), encoding="utf-8")


def executed(page: str, url: str) -> str:
    """The page with what its snippets print when they are run, in order, against the service at `url`."""
    namespace: dict[str, object] = {"__name__": "walk"}
    with TemporaryDirectory() as directory:
        shutil.copytree(ROOT / "examples", Path(directory) / "examples")
        with _shell(directory, url) as shell, _service_at(url):
            return _BLOCK.sub(lambda found: _block(found, shell, namespace, url), page)


def executed_program(section: str, url: str) -> tuple[str, dict[str, object]]:
    """As `executed`, of Python only; and the names that the snippets define, while `KETLINE_URL` is the service."""
    namespace: dict[str, object] = {"__name__": "walk"}
    with _service_at(url):
        return _BLOCK.sub(lambda found: _python(found[2], namespace, url), section), namespace


def _block(found: re.Match[str], shell: "subprocess.Popen[str]", namespace: dict[str, object], url: str) -> str:
    kind, code, _ = found.groups()
    if kind == "console":
        commands = [line.removeprefix("$ ") for line in code.splitlines() if line.startswith("$ ")]
        shown = "".join(f"$ {command}\n{_told(shell, command, url)}" for command in commands)
        return f"```console\n{shown}```\n"
    return _python(code, namespace, url)


def _python(code: str, namespace: dict[str, object], url: str) -> str:
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code.replace(SHOWN_URL, url), "<page>", "exec"), namespace)  # the page is ours
    text = f"\n```text\n{_trimmed(printed.getvalue())}```\n" if printed.getvalue() else ""
    return f"```python\n{code}```\n{text}"


def _told(shell: "subprocess.Popen[str]", command: str, url: str) -> str:
    assert shell.stdin is not None
    assert shell.stdout is not None
    shell.stdin.write(f"{_INSTALLATION.sub('', command).replace(SHOWN_URL, url)}\necho '{_END}'\n")
    shell.stdin.flush()
    lines = iter(shell.stdout.readline, "")
    printed: list[str] = []
    for line in lines:
        # What a program prints may end without a newline.
        before, end, _ = line.partition(_END)
        printed.append(before)
        if end:
            return _trimmed("".join(printed).replace(url, SHOWN_URL))
    raise AssertionError(f"The shell ended at: {command}")


def _trimmed(text: str) -> str:
    return "".join(f"{line.rstrip()}\n" for line in text.rstrip().splitlines())


@contextmanager
def _shell(directory: str, url: str) -> Iterator["subprocess.Popen[str]"]:
    commands = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("KETLINE_")}
    with subprocess.Popen(
        ["bash", "--noprofile", "--norc"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=directory,
        env={**inherited, "PATH": commands, "PYTHONUTF8": "1"},
    ) as shell:
        try:
            yield shell
        finally:
            assert shell.stdin is not None
            shell.stdin.close()
            shell.wait(COMMAND_SECONDS)


@contextmanager
def _service_at(url: str) -> Iterator[None]:
    before = os.environ.get("KETLINE_URL")
    os.environ["KETLINE_URL"] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ["KETLINE_URL"]
        else:
            os.environ["KETLINE_URL"] = before


if __name__ == "__main__":
    main()
