"""Derives the seed of each part of a task from the task's seed, so that no two parts share random numbers.

Seeds that differ by one are not independent everywhere: Aer runs shot i of a circuit with the seed + i where it
simulates shot by shot. So every part has its own seed, derived by hashing.
"""

import secrets
from hashlib import blake2b

# Part of a task's profile; other numbers mean that the same seed gives other counts. See docs/decisions/0023.
SEED_SCHEME = 2
# JSON numbers are exact up to here everywhere.
SEED_BITS = 53
_DIGEST_BYTES = 8


def derived_seed(seed: int, purpose: str, number: int = 0, *, bits: int = SEED_BITS) -> int:
    """A seed of `bits` bits, 64 at most, for one purpose and one number.

    It is the upper bits of BLAKE2b, 8 bytes read as a big-endian number, of the text "ketline/2/purpose/seed/number".
    """
    text = f"ketline/{SEED_SCHEME}/{purpose}/{seed}/{number}"
    digest = blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest, "big") >> (8 * _DIGEST_BYTES - bits)


def fresh_seed() -> int:
    """A random seed, for a task whose request has none."""
    return secrets.randbits(SEED_BITS)


def point_seed(seed: int, number: int) -> int:
    """The seed of point `number` of a sweep, from 0: a task of that point alone, with it, gives the same counts."""
    return derived_seed(seed, "point", number)
