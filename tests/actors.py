"""The actor of what tests do without a request."""

from ketline.domain.access import Owner
from ketline.domain.audit import Actor

TESTER = Actor(owner=Owner("tester"), origin="tests")
