"""Rendering of the page templates, for the routes in `api.pages`; all values are escaped."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from ketline.web import formatting
from ketline.web.assets import EDITION

_TEMPLATES = Path(__file__).parent / "templates"

# No inline script or style, nothing from other hosts, no framing by other sites, and no forms that submit to them.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


def render(template: str, shown: Mapping[str, object], *, root: str) -> str:
    """Render a page or a part of one; `root` is the relative path from the page's URL to `/`."""
    return _environment().get_template(template).render({**shown, "root": root, "now": datetime.now(UTC)})


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        absolute=formatting.absolute,
        relative=formatting.relative,
        duration=formatting.duration,
        long_duration=formatting.long_duration,
        round_duration=formatting.round_duration,
        figure=formatting.figure,
        size=formatting.size,
        observable=formatting.observable,
        noise=formatting.noise,
        device=formatting.device,
    )
    environment.globals["edition"] = EDITION
    return environment
