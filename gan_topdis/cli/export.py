"""`gan-topdis export`: found directions in the file of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.import_ import WRITTEN_FORMATS, FormatName, output_options, require_one_place
from gan_topdis.cli.options import loading_options
from gan_topdis.config import DiscoverConfig

FILE_NAMES = {
    "native": "directions.npz",
    "sefa": "sefa.npy",
    "factor": "factor.pt",
    "pti_pca": "pca.pt",
    "latentclr": "best_model.pt",
}
"""Of formats of one file; the others name their files themselves, in --outdir."""


@click.command(
    epilog="Example: gan-topdis export --directions out/directions.npz --format pti --outdir directions"
)
@click.option(
    "--directions",
    required=True,
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="directions.npz of a discovery.",
)
@click.option(
    "--format",
    "format_",
    required=True,
    type=FormatName(WRITTEN_FORMATS),
    metavar="FORMAT",
    help=f"One of {', '.join(WRITTEN_FORMATS)}.",
)
@click.option("--network", metavar="NETWORK", help="Refuse directions of another network than this one.")
@loading_options(DiscoverConfig)[2]
@loading_options(DiscoverConfig)[1]
@loading_options(DiscoverConfig)[0]
@click.option(
    "--index",
    "indices",
    type=click.IntRange(min=0),
    multiple=True,
    metavar="INDEX",
    help="Export only this direction; repeatable.",
)
@click.option("--model-name", metavar="TEXT", help="For ganspace: its name of the network, e.g. StyleGAN2.")
@click.option("--output-class", metavar="TEXT", help="For ganspace: its name of the class, e.g. ffhq.")
@click.option("--ckpt", metavar="TEXT", help="For factor: file name of the network, to be shown.")
@output_options
@click.pass_context
def export(
    context: click.Context,
    directions: str,
    format_: str,
    network: str | None,
    device: str,
    trust_pickle: bool,
    stylegan_repo: str | None,
    indices: tuple[int, ...],
    out: str | None,
    outdir: str | None,
    overwrite: bool,
    **given: Any,
) -> None:
    """Write directions as another program keeps them, so that it shows them unchanged.

    What the format does not keep is said on stderr; the files written are listed on stdout.
    """
    with expected_errors():
        require_one_place(context, out, outdir)
        from gan_topdis.cli.network import open_network
        from gan_topdis.directions import Directions
        from gan_topdis.directions.formats import write_directions

        found = Directions.load(directions)
        generator = None
        if network is not None:
            generator = open_network(
                network, device=device, trust_pickle=trust_pickle, stylegan_repo=stylegan_repo
            )
        name = FILE_NAMES.get(format_)
        target = Path(str(out or outdir)) if out or name is None else Path(str(outdir)) / name
        if not overwrite and (target.is_file() or (target.is_dir() and any(target.iterdir()))):
            raise ValueError(f"{target} is there already; replace what it holds with --overwrite")
        (target.parent if out or name else target).mkdir(parents=True, exist_ok=True)
        written = write_directions(
            found,
            target,
            format_,
            generator=generator,
            indices=indices or None,
            **{name: value for name, value in given.items() if value is not None},
        )
        for note in written.notes:
            click.echo(f"{format_}: {note}", err=True)
    for file in written.files:
        click.echo(str(file))
