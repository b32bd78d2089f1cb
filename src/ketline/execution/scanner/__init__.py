"""The first tier of reading: flat programs, in one pass over their text."""

from ketline.execution.scanner.reading import Scanned, scan

__all__ = ["Scanned", "scan"]
