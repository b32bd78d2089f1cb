"""Checks counts in the JSON text that a simulator process sends, without decoding them. Used by `protocol`.

The process may have run a hostile program. What is accepted here is stored as it is.
"""

import re

from ketline.domain.results.counts import EncodedCounts

# Possessive, so that it takes linear time whatever the text is. More digits than these are more than any task's shots.
_COUNTS = re.compile(
    rb"\{"
    rb'"[01]++(?: [01]++)*+":(?:0|[1-9][0-9]{0,17}+)'
    rb'(?:,"[01]++(?: [01]++)*+":(?:0|[1-9][0-9]{0,17}+))*+'
    rb"\}"
)


def end_of_counts(data: bytes, start: int) -> int | None:
    """The position after an object of counts that begins at `start`; None if there is none."""
    found = _COUNTS.match(data, start)  # guard: wire.counts
    return None if found is None else found.end()


def checked_counts(text: bytes, shots: int) -> EncodedCounts:
    """The counts in a text that `end_of_counts` has found.

    Raises:
        ValueError: a bitstring is there twice, or the counts do not add up to the shots.
    """
    keys_and_numbers = text[2:-1].replace(b'":', b',"').split(b',"')
    keys, numbers = keys_and_numbers[::2], keys_and_numbers[1::2]
    if len(set(keys)) != len(keys):  # guard: wire.keys
        raise ValueError("a bitstring is there twice")
    if sum(map(int, numbers)) != shots:  # guard: wire.shots
        raise ValueError(f"the counts do not add up to {shots} shots")
    return EncodedCounts(text.decode())
