"""`gan-topdis apply`: named edits on seeds or on projected latents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import Seeds, network_options, resolved, run_options, setting
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.apply import INTERPRETATIONS, ORDERS, ApplyConfig
from gan_topdis.config.ranges import NOISE_MODES

if TYPE_CHECKING:  # importing them would import torch
    from torch import Tensor

    from gan_topdis.directions.formats.latents import LatentCodes
    from gan_topdis.generators import Generator

LATENTS = "projected_w"
SUFFIXES = {"npz": ".npz", "npy": ".npy", "torch": ".pt", "rosinality": ".pt"}
"""Ending of the file of edited latents, by the form in which they came."""
OUTPUTS = (
    "seed[0-9][0-9][0-9][0-9]*.png",
    "proj[0-9][0-9]*.png",
    *sorted({LATENTS + suffix for suffix in SUFFIXES.values()}),
)


def _checked_seeds(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        Seeds().convert(value, parameter, context)
    return value


@click.command(
    epilog="Example: gan-topdis apply --directions out/directions.npz --edit 0=2 --seeds 0-7 --outdir edits"
)
@network_options(ApplyConfig)
@setting(ApplyConfig, "directions", metavar="FILE", help="Directions file that edits are from.  [required]")
@run_options()
@click.option(
    "--edit",
    "edits",
    multiple=True,
    metavar="NAME_OR_INDEX=SIGMA",
    help="How far to move along a direction, e.g. smile=1.5 or 3=-2; repeatable, added up.  [required]",
)
@setting(
    ApplyConfig,
    "seed_list",
    metavar="SEEDS",
    callback=_checked_seeds,
    help="Pictures to edit, e.g. 0,1,4-6; seed N is generate.py's.",
)
@setting(
    ApplyConfig,
    "projected_w",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Latents to edit instead: projected_w.npz, .npy, or .pt of PTI and e4e.",
)
@setting(
    ApplyConfig,
    "interpret",
    type=click.Choice(INTERPRETATIONS),
    help="What a two-dimensional array in --projected-w is: codes in W, or one code in W+.",
)
@setting(
    ApplyConfig,
    "class_index",
    type=click.IntRange(min=0),
    metavar="INDEX",
    default_text="that of the directions",
    help="Class of the seeds; conditional networks need it.",
)
@setting(
    ApplyConfig,
    "layers",
    "--styles",
    metavar="LAYERS",
    default_text="as discovered",
    help="Layers to move: 0-6,9, coarse, middle, fine, 4x4-32x32, all.",
)
@setting(ApplyConfig, "trunc", type=float, metavar="PSI", help="Truncation psi of the seeds.")
@setting(
    ApplyConfig,
    "trunc_cutoff",
    type=click.IntRange(min=0),
    metavar="LAYERS",
    default_text="all",
    help="How many layers are truncated.",
)
@setting(
    ApplyConfig,
    "edit_order",
    type=click.Choice(ORDERS),
    help="Edit after truncation, or before it as GANSpace and rosinality do.",
)
@setting(ApplyConfig, "noise_mode", type=click.Choice(NOISE_MODES), help="Noise maps of the pictures.")
@setting(
    ApplyConfig,
    "seed",
    type=click.IntRange(min=0),
    metavar="INT",
    help="Of the noise maps with --noise-mode random.",
)
@setting(
    ApplyConfig,
    "max_batch",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    default_text="by resolution",
    help="Images made at a time; changes memory, not results.",
)
@click.pass_context
def apply(context: click.Context, outdir: str, overwrite: bool, dry_run: bool, **_: Any) -> None:
    """Edit pictures: move their latents along directions, in standard deviations.

    Writes to --outdir: seed0000.png and so on as generate.py names them, or proj00.png and so on of
    --projected-w; the edited latents in the form in which they came, else projected_w.npz; run.json.
    """
    with expected_errors():
        config = resolved(ApplyConfig, context)
        _require_complete(config, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), overwrite=overwrite)


def _require_complete(config: ApplyConfig, context: click.Context) -> None:
    """Refuses settings that are missing or exclude each other, as mistakes of typing (exit code 2)."""
    if not config.directions:
        raise click.UsageError("Missing option '--directions'.", context)
    if not config.edits:
        raise click.UsageError("Missing option '--edit'.", context)
    if config.projected_w is None:
        if config.seed_list is None:
            raise click.UsageError("Missing option '--seeds' or '--projected-w'.", context)
        if config.interpret is not None:
            raise click.UsageError("--interpret is of --projected-w, not of seeds.", context)
        return
    for option, given in (
        ("--seeds", config.seed_list is not None),
        ("--trunc", config.trunc != 1),
        ("--trunc-cutoff", config.trunc_cutoff is not None),
        ("--class", config.class_index is not None),
        ("--edit-order before", config.edit_order == "before"),
    ):
        if given:
            raise click.UsageError(f"{option} is of seeds and has no meaning with --projected-w.", context)


def _run(config: ApplyConfig, outdir: Path, arguments: tuple[str, ...], *, overwrite: bool) -> None:
    import torch

    from gan_topdis.cli.fitted_directions import fitted_directions
    from gan_topdis.cli.network import describe_network, open_network, warn
    from gan_topdis.directions.edits import edited_latents, resolve_edit
    from gan_topdis.directions.formats.latents import write_latents
    from gan_topdis.report import require_picture_channels
    from gan_topdis.run import RunRecord, open_run_directory, recorded

    # everything that can be refused is refused before the directory is touched
    generator = open_network(
        config.network,
        device=config.device,
        trust_pickle=config.trust_pickle,
        stylegan_repo=config.stylegan_repo,
    )
    require_picture_channels(generator.channels)
    directions = fitted_directions(config.directions, generator, config.layers)
    edits = [resolve_edit(text, directions.names) for text in config.edits]
    if config.projected_w is not None and Path(config.projected_w).resolve().parent == outdir.resolve():
        raise ValueError(
            f"outdir should be another folder than that of the latents, such as {outdir / 'apply'}"
        )
    ws, codes = _unedited(config, generator, directions.meta.get("class_index"))
    before = config.edit_order == "before"
    if directions.meta.get("edit_order") == "before" and not before and config.trunc != 1:
        warn(
            "these directions are of a program that edits before truncation; "
            "--edit-order before does as it does"
        )
    moved = edited_latents(
        ws,
        directions,
        edits,
        truncation_psi=config.trunc if before else 1.0,
        truncation_cutoff=config.trunc_cutoff,
    )

    open_run_directory(outdir, "apply", OUTPUTS, overwrite=overwrite)
    record = RunRecord(
        verb="apply",
        config=as_mapping(config),
        network=describe_network(generator, config.network),
        command_line=["gan-topdis", *arguments],
    )
    with recorded(record, outdir):
        with torch.no_grad():
            written = _write_pictures(config, generator, moved, outdir)
        latents = outdir / (LATENTS + SUFFIXES["npz" if codes is None else codes.kind])
        write_latents(latents, moved, like="npz" if codes is None else codes)
    click.echo("\n".join(str(path) for path in (*written, latents)))


def _unedited(
    config: ApplyConfig, generator: Generator, found_in: int | None
) -> tuple[Tensor, LatentCodes | None]:
    """ws of the pictures to edit, and the form of the file that they are from, if any.

    Raises:
        ValueError: the file does not fit the network, a class is missing or out of range, or the
            truncation cutoff is.
    """
    import torch

    from gan_topdis.cli.network import class_of
    from gan_topdis.directions.formats.latents import read_latents

    if config.projected_w is not None:
        codes = read_latents(
            config.projected_w, num_ws=generator.num_ws, w_dim=generator.w_dim, interpret=config.interpret
        )
        return torch.from_numpy(codes.ws).to(generator.device), codes
    class_index = class_of(generator, found_in if config.class_index is None else config.class_index)
    with torch.no_grad():
        ws = generator.map(
            generator.latents(config.seeds),
            generator.label(class_index, len(config.seeds)),
            truncation_psi=config.trunc,
            truncation_cutoff=config.trunc_cutoff,
        )
    return ws, None


def _write_pictures(config: ApplyConfig, generator: Generator, ws: Tensor, outdir: Path) -> list[Path]:
    """Write one picture per latent as `generate.py` does; returns their paths."""
    import torch

    from gan_topdis.report import to_picture, to_pixels
    from gan_topdis.run import write_atomically

    new_noise = config.noise_mode == "random"
    at_once = 1 if new_noise else config.max_batch or generator.images_at_once
    paths: list[Path] = []
    for part in ws.split(at_once):
        if new_noise:  # drawn from torch's own generator; picture by picture, so that batches do not matter
            torch.manual_seed(config.seed + len(paths))
        images = generator.synthesize(part, noise_mode=config.noise_mode).cpu()
        for pixels in to_pixels(images):
            index = len(paths)
            name = f"proj{index:02d}.png" if config.projected_w else f"seed{config.seeds[index]:04d}.png"
            paths.append(outdir / name)
            write_atomically(paths[-1], to_picture(pixels).save)
    return paths
