"""Division of integers, for all front ends.

Source: C99 (ISO/IEC 9899:1999) 6.5.5, paragraph 6, which the OpenQASM 3 specification follows ("Types and Casting",
section "Casting specifics").
"""


def quotient(dividend: int, divisor: int) -> int:
    """The quotient rounded towards zero: -7 / 2 is -3.

    Raises:
        ZeroDivisionError: the divisor is 0.
    """
    magnitude = abs(dividend) // abs(divisor)
    return magnitude if (dividend < 0) == (divisor < 0) else -magnitude


def remainder(dividend: int, divisor: int) -> int:
    """The remainder of `quotient`, with the sign of the dividend: -7 % 2 is -1.

    Raises:
        ZeroDivisionError: the divisor is 0.
    """
    return dividend - divisor * quotient(dividend, divisor)
