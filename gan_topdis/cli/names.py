"""`scenes,demo`: an option of several known names."""

from __future__ import annotations

from typing import Any

import click


class Names(click.ParamType):
    """Comma-separated names out of known ones, each once."""

    name = "names"

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        names = tuple(dict.fromkeys(part.strip() for part in value.split(",")))
        for name in names:
            if name not in self.known:
                self.fail(f"should be of {', '.join(self.known)}, got {name!r}", param, ctx)
        return names
