"""`gan-topdis import`: directions of another program as directions.npz."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import Renaming, loading_options
from gan_topdis.config import DiscoverConfig

WRITTEN_FORMATS = (
    "native",
    "ganspace",
    "ganspace_edit",
    "sefa",
    "factor",
    "interfacegan",
    "pti",
    "pti_pca",
    "gan_latent_discovery",
    "latentclr",
    "steerability",
)
READ_FORMATS = (*WRITTEN_FORMATS, "warped")
"""Names of `gan_topdis.directions.formats.formats()`, here without importing torch; a test compares them."""


class FormatName(click.ParamType):
    """The name of a format, `-` and `_` alike."""

    name = "format"

    def __init__(self, known: tuple[str, ...]) -> None:
        self.known = known

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        spelled = str(value).replace("-", "_")
        if spelled not in self.known:
            self.fail(f"should be one of {', '.join(self.known)}, got {value!r}", param, ctx)
        return spelled


class Numbers(click.ParamType):
    """`0.8` or `0.8,1.1`."""

    name = "numbers"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"should be a number, or one per direction as 0.8,1.1, got {value!r}", param, ctx)


def output_options(command: Any) -> Any:
    """Where the result goes: exactly one of a file and a folder."""
    for option in (
        click.option("--overwrite", is_flag=True, help="Replace what is there."),
        click.option(
            "--outdir", type=click.Path(file_okay=False), metavar="DIR", help="Write into this folder."
        ),
        click.option("--out", type=click.Path(), metavar="PATH", help="Write this file."),
    ):
        command = option(command)
    return command


def require_one_place(context: click.Context, out: str | None, outdir: str | None) -> None:
    """Raises: click.UsageError: not exactly one of --out and --outdir."""
    if (out is None) == (outdir is None):
        raise click.UsageError("Give one of '--out' and '--outdir'.", context)


@click.command(
    "import",
    epilog="Example: gan-topdis import factor.pt --format factor --network network.pkl --outdir out",
)
@click.argument("file", type=click.Path(exists=True))
@click.option(
    "--format",
    "format_",
    required=True,
    type=FormatName(READ_FORMATS),
    metavar="FORMAT",
    help=f"What the file is: {', '.join(READ_FORMATS)}.",
)
@click.option(
    "--network", metavar="NETWORK", help="Network the directions are for; checks them, measures sigma."
)
@loading_options(DiscoverConfig)[2]
@loading_options(DiscoverConfig)[1]
@loading_options(DiscoverConfig)[0]
@click.option(
    "--space", type=click.Choice(["z", "w", "w+"]), help="Where the file does not say: latent space."
)
@click.option(
    "--layers",
    "--styles",
    metavar="LAYERS",
    help="Where the file does not say: 0-6,9, all; with --network also coarse, middle, fine, 4x4-32x32.",
)
@click.option(
    "--order",
    type=click.Choice(["before", "after"]),
    help="Where the format does not say: its program edits before or after truncation.",
)
@click.option(
    "--num-ws", type=click.IntRange(min=1), metavar="LAYERS", help="Without --network: number of layers."
)
@click.option(
    "--scale",
    type=Numbers(),
    metavar="SIGMA",
    help="Without --network: standard deviation along all or each direction, latent units.",
)
@click.option(
    "--class",
    "class_index",
    type=click.IntRange(min=0),
    metavar="INDEX",
    help="Class of the latents measured.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), metavar="INT", help="Of the latents measured.  [default: 0]"
)
@click.option(
    "--code",
    type=click.Path(exists=True, dir_okay=False),
    metavar="NPY",
    help="For warped: the latent where directions are taken.",
)
@click.option(
    "--name",
    "names",
    type=Renaming(),
    multiple=True,
    metavar="INDEX=TEXT",
    help="Name a direction, e.g. 3=smile; repeatable.",
)
@output_options
@click.pass_context
def import_(
    context: click.Context,
    file: str,
    format_: str,
    network: str | None,
    device: str,
    trust_pickle: bool,
    stylegan_repo: str | None,
    code: str | None,
    names: tuple[tuple[int, str], ...],
    out: str | None,
    outdir: str | None,
    overwrite: bool,
    **given: Any,
) -> None:
    """Read directions of another program and write them as directions.npz.

    FILE is a file, or a folder where the format has one direction a file. Nothing in it is executed. What
    the format does not say has to be given; the error names the option.
    """
    with expected_errors():
        require_one_place(context, out, outdir)
        from gan_topdis.cli.network import open_network
        from gan_topdis.cli.traverse import renamed
        from gan_topdis.directions import Directions
        from gan_topdis.directions.formats.completion import stated

        target = Path(out) if out is not None else Path(str(outdir)) / "directions.npz"
        if target.exists() and not overwrite:
            raise ValueError(f"{target} is there already; replace it with --overwrite")
        options = {name: value for name, value in given.items() if value is not None}
        if code is not None:
            from gan_topdis.directions.formats.arrays_file import read_npy

            options["code"] = read_npy(Path(code))
        generator = None
        if network is not None:
            generator = open_network(
                network, device=device, trust_pickle=trust_pickle, stylegan_repo=stylegan_repo
            )
        directions = renamed(Directions.read(file, format_, generator=generator, **options), names)
        statement = directions.meta.get("imported")
        if format_ != "native" and isinstance(statement, dict):
            click.echo(f"{file}: {stated(statement)}", err=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        directions.save(target)
    click.echo(str(target))
