"""The actor of what tests do without a request."""

from ketline.domain.access.audit import Actor
from ketline.domain.access.principals import Owner

TESTER = Actor(owner=Owner("tester"), origin="tests")
