"""Programs that others wrote, and which tier runs them: `bash .ci/uv run --group corpus python -m benchmarks.corpus`.

Writes docs/frontend.md from the examples of the specification, Qiskit's standard gates and circuit library and MQT
Bench. All but the examples are run as the service runs them: in a simulator process, with its limits.
"""

import argparse
import asyncio
import re
import sys
import textwrap
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from qiskit import qasm3
from qiskit.circuit import Gate, QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.qasm3.exceptions import QASM3Error

from benchmarks.library import NOT_CIRCUITS, library_names, library_program
from benchmarks.mqt import Export, exports
from ketline.domain.errors import ExecutionFailed
from ketline.domain.spec import TaskSpec
from ketline.execution.limits import ExecutionLimits
from ketline.execution.parent.runner import ChildRunner
from tests.corpus import FAULTY, Fate, fate_of, has_meaning, specification_examples

_PAGE = Path(__file__).parent.parent / "docs" / "frontend.md"
_ANGLES = (0.5, -1.25, 2.75, 0.125)
_SHOTS = 1024
_UNMEASURED = "nothing is measured"
# What the scanner leaves to the tiers behind it; the first one in a program is named.
_CONSTRUCT = re.compile(r"^\s*(if|for|while|switch|let|box|input|const|int|uint|float|bool|ctrl @|inv @|pow)\b", re.M)
_HOW_LONG = re.compile(r"after [0-9.]+ s, ")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="2-20", help="numbers of qubits for MQT Bench, such as 2-8,10 (%(default)s)")
    parser.add_argument("--seconds", type=float, default=30, help="what making one of them may take (%(default)s)")
    options = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)  # the classes of the library that functions replace
    page = asyncio.run(_page(_sizes(options.sizes), options.seconds))
    _PAGE.write_text("\n".join(map(_wrapped, page.split("\n"))), encoding="utf-8")


def _wrapped(line: str) -> str:
    """The line in several of at most 120 columns, unless it is a row of a table."""
    if line.startswith("|"):
        return line
    return textwrap.fill(line, 120, break_long_words=False, break_on_hyphens=False)


def _sizes(text: str) -> list[int]:
    ranges = (part.partition("-") for part in text.split(","))
    return [size for first, _, last in ranges for size in range(int(first), int(last or first) + 1)]


async def _page(sizes: Sequence[int], seconds: float) -> str:
    runner = ChildRunner(ExecutionLimits())
    await runner.open()
    try:
        gates = [fate async for fate in _fates(runner, _standard_gates())]
        library = [fate async for fate in _fates(runner, _library())]
        bench = [fate async for fate in _fates(runner, exports(sizes, seconds))]
    finally:
        await runner.close()
    limit = ExecutionLimits().time_limit.total_seconds()
    both = _share([fate.tier == "scanner" for fate in _written([*gates, *library])])
    return "\n".join(
        [
            "# What the front end runs\n",
            "Made by `bash .ci/uv run --group corpus python -m benchmarks.corpus`. A tier of its own serves each "
            "program: see [specs/programs.md](../specs/programs.md). Exported programs were run in a simulator process "
            f"with the limits of the service, {_SHOTS} shots and {limit:g} s each, by the clock of a shared machine.\n",
            *_specification(),
            *_exported("Qiskit's standard gates", "each exported by `qiskit.qasm3.dumps`", gates),
            *_exported(
                "Qiskit's circuit library",
                "its classes and functions at a small size, parameters bound, measured where they measure nothing, "
                f"exported the same way (not {_reasons(NOT_CIRCUITS.items())})",
                library,
            ),
            f"Gates and library together: {both} of what Qiskit writes of them are served by the scanner.\n",
            *_exported(
                "MQT Bench",
                f"its benchmarks at the target-independent level, at {_listed(sizes)} qubits where they come in that "
                "size, exported the same way",
                bench,
            ),
        ]
    )


async def _fates(runner: ChildRunner, made: Iterable[Export]) -> AsyncIterator[Fate]:
    for export in made:
        fate = await _fate(runner, export)
        print(f"{fate.name}: {fate.tier or fate.reason}", file=sys.stderr, flush=True)
        yield fate


async def _fate(runner: ChildRunner, export: Export) -> Fate:
    if export.text is None:
        return Fate(export.name, None, export.reason, written=False)
    try:
        result = await runner.run(TaskSpec(circuit=export.text, shots=_SHOTS))
    except ExecutionFailed as error:
        return Fate(export.name, None, f"{_HOW_LONG.sub('', error.message)} ({error.code})")
    tier = result.profile.tier
    found = _CONSTRUCT.search(export.text)
    return Fate(export.name, tier, f"`{found[1]}`" if found and tier != "scanner" else "")


def _specification() -> list[str]:
    texts = specification_examples()
    fates = [fate_of(name, text) for name, text in texts.items()]
    meant = [fate for fate in fates if has_meaning(texts[fate.name]) and fate.name not in FAULTY]
    lines = [
        "## The examples of the OpenQASM 3 specification\n",
        f"{_share([fate.runs for fate in meant])} of those that mean something on a simulator run. {len(FAULTY)} "
        f"others are not valid as they are printed, and {len(fates) - len(meant) - len(FAULTY)} need `extern`, "
        "pulses or timing.\n",
        "| example | tier | why not |",
        "|---|---|---|",
    ]
    for fate in fates:
        why = FAULTY.get(fate.name, "no meaning on a simulator") + "; " + fate.reason
        lines.append(f"| `{fate.name}` | {fate.tier or '-'} | {'' if fate.runs else why} |")
    return [*lines, ""]


def _exported(title: str, what: str, fates: Sequence[Fate]) -> list[str]:
    written = _written(fates)
    meant = [fate for fate in written if _UNMEASURED not in fate.reason]
    tiers = Counter(fate.tier for fate in written)
    lines = [
        f"## {title}\n",
        f"{len(written)} programs, {what}: {_share([fate.tier == 'scanner' for fate in written])} are served by the "
        f"scanner, {_share([fate.runs for fate in written])} run ({tiers['importer']} by the importer, "
        f"{tiers['unroller']} by the unroller).\n",
    ]
    if len(meant) < len(written):
        lines.append(f"Of those that measure anything {_share([fate.runs for fate in meant])} run.\n")
    lines += _grouped("Qiskit writes no program", [fate for fate in fates if not fate.written])
    lines += _grouped("Do not run", [fate for fate in written if not fate.runs])
    lines += _grouped("Not by the scanner", [fate for fate in written if fate.tier in ("importer", "unroller")])
    return lines


def _grouped(what: str, fates: Sequence[Fate]) -> Iterator[str]:
    for reason in sorted({fate.reason for fate in fates}):
        yield f"{what}, {reason}: {_names([fate.name for fate in fates if fate.reason == reason])}.\n"


def _names(names: Sequence[str]) -> str:
    """Names, those of benchmarks once with all their sizes."""
    sizes: dict[str, list[int]] = {}
    for name in names:
        benchmark, _, size = name.partition(" ")
        sizes.setdefault(benchmark, []).extend([int(size)] if size else [])
    return "; ".join(f"`{name}`{' ' if found else ''}{_listed(found)}" for name, found in sizes.items())


def _written(fates: Sequence[Fate]) -> list[Fate]:
    return [fate for fate in fates if fate.written]


def _share(flags: Sequence[bool]) -> str:
    return f"{sum(flags)} of {len(flags)} ({100 * sum(flags) / max(1, len(flags)):.1f} %)"


def _reasons(reasons: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"`{name}`, {why}" for name, why in reasons)


def _listed(numbers: Sequence[int]) -> str:
    """Ascending numbers, those that follow each other as ranges."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and number == ranges[-1][-1] + 1:
            ranges[-1].append(number)
        else:
            ranges.append([number])
    return ", ".join(str(one[0]) if len(one) == 1 else f"{one[0]} to {one[-1]}" for one in ranges)


def _standard_gates() -> Iterator[Export]:
    for name, gate in sorted(get_standard_gate_name_mapping().items()):
        if isinstance(gate, Gate) and gate.num_qubits:
            built: Any = type(gate)(*_ANGLES[: len(gate.params)]) if gate.params else gate
            circuit = QuantumCircuit(gate.num_qubits, gate.num_qubits)
            circuit.append(built, range(gate.num_qubits))
            circuit.measure(range(gate.num_qubits), range(gate.num_qubits))
            yield Export(name=name, text=str(qasm3.dumps(circuit)))


def _library() -> Iterator[Export]:
    for name in library_names():
        try:
            yield Export(name=name, text=library_program(name))
        except QASM3Error as error:
            yield Export(name=name, reason=str(error).strip("\"'"))


if __name__ == "__main__":
    main()
