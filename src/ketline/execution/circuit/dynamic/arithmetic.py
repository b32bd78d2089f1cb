"""Arithmetic of unsigned integers on their bits, bit 0 first; results wrap at the width of the operands.

`expressions.py` evaluates operators with it.

Source: schoolbook circuits, e.g. D. E. Knuth, "The Art of Computer Programming", volume 2, section 4.3.1.
"""

from collections.abc import Sequence

from ketline.execution.circuit.dynamic.terms import Logic, Term

Word = list[Term]


def word_of(number: int, width: int) -> Word:
    return [bool(number >> index & 1) for index in range(width)]


def number_of(word: Sequence[Term]) -> int | None:
    """The number that constant bits represent; None if a bit is not constant."""
    if not all(isinstance(bit, bool) for bit in word):
        return None
    return sum(1 << index for index, bit in enumerate(word) if bit)


def add(logic: Logic, one: Word, other: Word, carry: Term = False) -> tuple[Word, Term]:
    """The sum of two words of one width, and the carry."""
    result: Word = []
    for left, right in zip(one, other, strict=True):
        left, right = logic.as_bit(left), logic.as_bit(right)
        half = logic.differ(left, right)
        result.append(logic.differ(half, carry))
        carry = logic.as_bit(logic.either(logic.both(left, right), logic.both(half, carry)))
    return result, carry


def subtract(logic: Logic, one: Word, other: Word) -> tuple[Word, Term]:
    """The difference, and whether `one` is at least as large as `other`."""
    return add(logic, one, [logic.negated(bit) for bit in other], carry=True)


def less(logic: Logic, one: Word, other: Word) -> Term:
    return logic.negated(subtract(logic, one, other)[1])


def equal(logic: Logic, one: Word, other: Word) -> Term:
    pairs = zip(one, other, strict=True)
    return logic.all_of([logic.negated(logic.differ(left, right)) for left, right in pairs])


def multiply(logic: Logic, one: Word, other: Word) -> Word:
    width = len(one)
    product = word_of(0, width)
    one = [logic.as_bit(bit) for bit in one]
    for index, bit in enumerate(map(logic.as_bit, other)):
        if bit is not False:
            row = [False] * index + [logic.both(factor, bit) for factor in one[: width - index]]
            product = [logic.as_bit(term) for term in add(logic, product, row)[0]]
    return product


def divide(logic: Logic, one: Word, other: Word) -> Word:
    """The quotient, rounded down; undefined for a division by 0."""
    width = len(one)
    divisor: Word = [*map(logic.as_bit, other), False]
    remainder = word_of(0, width + 1)
    quotient = word_of(0, width)
    for index in reversed(range(width)):
        remainder = [logic.as_bit(one[index]), *remainder[:width]]
        difference, fits = subtract(logic, remainder, divisor)
        quotient[index] = fits
        pairs = zip(difference, remainder, strict=True)
        remainder = [logic.as_bit(logic.chosen(fits, less_, more)) for less_, more in pairs]
    return quotient


def shift(logic: Logic, word: Word, distance: Word, *, left: bool) -> Word:
    """A word shifted by any distance, filled with zeros."""
    width = len(word)
    for index, bit in enumerate(distance):
        moved = _moved(word, min(1 << index, width) if index < width.bit_length() else width, left=left)
        bit = logic.as_bit(bit)
        word = [logic.chosen(bit, there, here) for there, here in zip(moved, word, strict=True)]
    return word


def select(logic: Logic, word: Word, index: Word) -> Term:
    """The bit at a position; False beyond the word's end."""
    choices: Word = list(word)
    for bit in map(logic.as_bit, index):
        if len(choices) == 1:
            choices = [logic.both(logic.negated(bit), choices[0])]
            continue
        pairs = zip(choices[::2], [*choices[1::2], False][: (len(choices) + 1) // 2], strict=True)
        choices = [logic.chosen(bit, high, low) for low, high in pairs]
    return choices[0]


def _moved(word: Word, distance: int, *, left: bool) -> Word:
    zeros = word_of(0, distance)
    kept = len(word) - distance
    return zeros + word[:kept] if left else word[distance:] + zeros
