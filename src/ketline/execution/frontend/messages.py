"""Messages for mistakes that more than one front end detects, so that the wording is the same."""


def plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def index_outside(name: str | None, index: int, size: int, element: str) -> str:
    """The message for an index beyond the end of a register or array."""
    return f"index {index} is out of range: {_extent(name, size, element)}"


def range_outside(name: str | None, ends: tuple[int | None, int | None, int | None], size: int, element: str) -> str:
    """The message for a range that exceeds its register or array, or has the step 0."""
    start, end, step = ("" if one is None else str(one) for one in ends)
    written = f"[{start}:{step}:{end}]" if step else f"[{start}:{end}]"
    if step == "0":
        return f"the step of the range {written} is 0"
    return f"the range {written} is out of range: {_extent(name, size, element)}"


def _extent(name: str | None, size: int, element: str) -> str:
    extent = f"{repr(name) if name else 'this'} has {plural(size, element)}"
    if not name or not size:
        return extent
    return f"{extent}, {name}[0]" if size == 1 else f"{extent}, {name}[0] to {name}[{size - 1}]"


def no_parts(name: str | None, kind: str) -> str:
    if name and kind in ("bit", "qubit"):
        return no_index(name, kind)
    return f"a value of type '{kind}' has no parts, so it takes no index"


def no_index(name: str | None, kind: str) -> str:
    """The message for an index after the name of a single qubit or bit."""
    if not name:
        return f"a single {kind} has no index"
    return f"'{name}' is a single {kind} and has no index: write '{name}', or declare it as '{kind}[1] {name};'"


def same_qubit_twice(qubit: str, gate: str) -> str:
    return f"{qubit} is given twice: gate '{gate}' needs different qubits"


def measured_widths(qubits: int, bits: int, target: str | None = None) -> str:
    message = f"this measures {plural(qubits, 'qubit')} into {plural(bits, 'bit')}"
    if target is None:
        return message
    if qubits == 1:
        return f"{message}: name one bit, such as '{target}[0]'"
    return f"{message}: declare '{target}' with {plural(qubits, 'bit')}, or measure as many qubits as it has bits"


def missing_include(gate: str) -> str:
    return (
        f"gate '{gate}' is not defined: write 'include \"stdgates.inc\";' at the beginning to have the standard gates"
    )


def input_missing(name: str, kind: str) -> str:
    example = {"bool": "true", "int": "1", "uint": "1", "bit": '"1"', "float": "0.5", "angle": "0.5"}
    base, _, width = kind.partition("[")
    value = example.get(base) if base != "array" else '{"array": […]}'
    if base == "bit" and width:
        value = '"' + "0" * min(int(width.rstrip("]") or 1), 8) + '"' if width.rstrip("]").isdigit() else value
    such = f', such as {{"{name}": {value}}}' if value else ""
    return f"input '{name}' of type '{kind}' has no value: give it one in the task's 'inputs'{such}"


def named_otherwise(name: str, in_dialect: str) -> str:
    """The message for a gate of stdgates.inc in a program that calls gates by Amazon Braket's names."""
    return (
        f"gate '{name}' is not defined: this program calls gates by Amazon Braket's names, so write '{in_dialect}', or "
        "write 'include \"stdgates.inc\";' at the beginning and use only its names"
    )
