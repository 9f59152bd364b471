"""Options that verbs share, their types, and how they join with a settings file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from gan_topdis.config import format_seeds, parse_seeds, read_config
from gan_topdis.config.ranges import DEVICES, MEDIA, NOISE_MODES
from gan_topdis.config.yaml_file import key_of

Config = TypeVar("Config")
Parameter = click.Parameter | None
Context = click.Context | None
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class Seeds(click.ParamType):
    """`0,1,4-6`."""

    name = "seeds"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> tuple[int, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return parse_seeds(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Media(click.ParamType):
    """`png,gif`."""

    name = "media"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        kinds = tuple(part.strip() for part in value.split(","))
        for kind in kinds:
            if kind not in MEDIA:
                self.fail(f"should be of {', '.join(MEDIA)}, got {kind!r}", param, ctx)
        return kinds


class Renaming(click.ParamType):
    """`3=smile`."""

    name = "renaming"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> tuple[int, str]:
        if isinstance(value, tuple):
            return value
        index, equals, text = value.partition("=")
        if not equals or not index.isdecimal() or not text.strip():
            self.fail(f"should be INDEX=TEXT such as 3=smile, got {value!r}", param, ctx)
        return int(index), text.strip()


class Odd(click.ParamType):
    """An odd number, at least 3."""

    name = "odd"

    def convert(self, value: Any, param: Parameter, ctx: Context) -> int:
        number = click.IntRange(min=3).convert(value, param, ctx)
        if number % 2 == 0:
            self.fail(f"should be odd, so that strength 0 is shown, got {number}", param, ctx)
        return number


def setting(
    kind: type, field: str, *aliases: str, default_text: str | None = None, **details: Any
) -> Decorator:
    """The option of one field of a config, with the field's default.

    Args:
        kind: config dataclass.
        field: its field; the option is named by its key.
        aliases: further spellings.
        default_text: shown in the help in place of a default of None.
        details: of `click.option`.
    """
    (item,) = [item for item in fields(kind) if item.name == field]
    default: Any = item.default
    shown: Any = default_text or not (default is None or default is False or default == "")
    if field == "seeds":
        default = format_seeds(default)
    elif isinstance(default, tuple):
        default = ",".join(default)
    return click.option(f"--{key_of(item)}", *aliases, field, default=default, show_default=shown, **details)


def network_options(kind: type) -> Decorator:
    """Which network, where it runs, and whether it may run code."""
    return _all(
        setting(kind, "network", metavar="NETWORK", help="Network file, or a built-in name such as scenes."),
        *loading_options(kind),
    )


def loading_options(kind: type) -> tuple[Decorator, ...]:
    """Where a network runs, and whether it may run code."""
    return (
        setting(kind, "device", metavar="|".join(DEVICES), help="Where to compute.", callback=_device),
        setting(
            kind,
            "trust_pickle",
            is_flag=True,
            help="Unpickle the network natively: RUNS CODE FROM THE FILE.",
        ),
        setting(
            kind,
            "stylegan_repo",
            type=click.Path(exists=True, file_okay=False),
            metavar="DIR",
            help="With --trust-pickle: checkout of the program that wrote the network.",
        ),
    )


def picture_options(kind: type) -> Decorator:
    """Which pictures are shown."""
    return _all(
        setting(kind, "seeds", type=Seeds(), metavar="SEEDS", help="Pictures shown, e.g. 0,1,4-6."),
        setting(kind, "trunc", type=float, metavar="PSI", help="Truncation psi of the pictures shown."),
        setting(
            kind,
            "trunc_cutoff",
            type=click.IntRange(min=0),
            metavar="LAYERS",
            default_text="all",
            help="How many layers are truncated.",
        ),
        setting(
            kind,
            "class_index",
            type=click.IntRange(min=0),
            metavar="INDEX",
            help="Class of the pictures; conditional networks need it.",
        ),
        setting(kind, "noise_mode", type=click.Choice(NOISE_MODES), help="Noise maps of the pictures shown."),
        setting(
            kind,
            "max_strength",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SIGMA",
            help="Largest strength shown, in standard deviations of the latent.",
        ),
        setting(kind, "steps", type=Odd(), metavar="COUNT", help="Strengths shown; odd, so that 0 is."),
        setting(
            kind,
            "max_batch",
            type=click.IntRange(min=1),
            metavar="IMAGES",
            default_text="by resolution",
            help="Images made at a time; changes memory, not results.",
        ),
    )


def run_options() -> Decorator:
    """Where results go, and where settings come from."""
    return _all(
        click.option(
            "--outdir", required=True, type=click.Path(file_okay=False), metavar="DIR", help="Where to write."
        ),
        click.option("--overwrite", is_flag=True, help="Replace what an earlier run wrote to --outdir."),
        click.option(
            "--config",
            "config_file",
            type=click.Path(exists=True, dir_okay=False),
            metavar="YAML",
            help="Settings, keys as these options; options given here win.",
        ),
        click.option("-n", "--dry-run", is_flag=True, help="Print the resolved settings and stop."),
    )


def training_options(kind: type, *, kept: str = "Checkpoints.", precisions: tuple[str, ...]) -> Decorator:
    """Precision and device of a training, and how often it writes.

    Args:
        kind: config dataclass with these fields.
        kept: help of `--checkpoint-every`.
        precisions: to choose from.
    """
    steps = click.IntRange(min=1)
    return _all(
        setting(kind, "precision", type=click.Choice(precisions), help="float32, or networks in bfloat16."),
        setting(kind, "device", metavar="|".join(DEVICES), help="Where to compute."),
        setting(kind, "log_every", type=steps, metavar="STEPS", help="Lines of log.csv."),
        setting(kind, "checkpoint_every", type=steps, metavar="STEPS", help=kept),
    )


def continued_run_options() -> Decorator:
    """Those of `run_options`, and whether the run is continued."""
    return _all(
        run_options(),
        click.option("--resume", is_flag=True, help="Continue the run in --outdir, to the very same result."),
    )


def resolved(kind: type[Config], context: click.Context) -> Config:
    """The settings of a command: defaults, then the settings file, then options given.

    Raises:
        ValueError: in the settings file is an unknown key or a wrong value.
        OSError: the file cannot be read.
    """
    file = context.params.get("config_file")
    values = {} if file is None else read_config(file, kind)
    for item in fields(kind):  # type: ignore[arg-type]
        source = context.get_parameter_source(item.name)
        if source in (ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT):
            values[item.name] = context.params[item.name]
    return kind(**values)


def _device(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if value.partition(":")[0] not in DEVICES:
        raise click.BadParameter(f"should be one of {', '.join(DEVICES)}, got {value!r}")
    return value


def _all(*decorators: Decorator) -> Decorator:
    """Several decorators as one, options in the order given."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate
