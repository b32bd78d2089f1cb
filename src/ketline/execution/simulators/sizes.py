"""Formats sizes in bytes for messages about memory."""

_UNITS = ("MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB")


def readable(size: int) -> str:
    """Bytes with one binary unit: up to YiB as a number, beyond as a power of two."""
    if size < 1 << 20:
        return f"{max(1, size >> 10)} KiB"
    step = (size.bit_length() - 21) // 10
    if step >= len(_UNITS):
        return f"2^{size.bit_length() - 1} bytes"
    return f"{size >> (20 + 10 * step)} {_UNITS[step]}"
