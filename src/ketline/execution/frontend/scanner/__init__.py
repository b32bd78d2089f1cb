"""The first front end: reads flat programs in one pass over their text."""

from ketline.execution.frontend.scanner.constants import differentiated
from ketline.execution.frontend.scanner.lexicon import Declined
from ketline.execution.frontend.scanner.scan import Scanned, clear_caches, scan

__all__ = ["Declined", "Scanned", "clear_caches", "differentiated", "scan"]
