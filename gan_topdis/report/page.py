"""HTML pages from the templates beside this file, escaped; a name that is missing is an error."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import jinja2


def render_page(template: str, **values: Any) -> str:
    """The page of a template, `metrics.html`; all of them extend `page.html`."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        loader=jinja2.FunctionLoader(
            lambda name: files("gan_topdis.report").joinpath(name).read_text(encoding="utf-8")
        ),
    )
    return environment.get_template(template).render(**values)
