"""The simulation methods."""

from enum import StrEnum


class Method(StrEnum):
    """The simulation methods: Aer's by their names, and `stim`, that library's sampler.

    Stored tasks may name the extended stabilizer, which `METHODS` of `domain/devices/backend.py` no longer has.
    """

    AUTOMATIC = "automatic"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"
    STABILIZER = "stabilizer"
    EXTENDED_STABILIZER = "extended_stabilizer"
    MATRIX_PRODUCT_STATE = "matrix_product_state"
    STIM = "stim"
