"""`gan-topdis train-vae`: a VAE with or without TopDis, its pictures, and its codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import continued_run_options, resolved, setting, training_options
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.train_gan import PACKAGED
from gan_topdis.config.train_vae import (
    ARCHITECTURES,
    CODES,
    MADE,
    OBJECTIVES,
    PRECISIONS,
    PUBLISHED,
    SAMPLERS,
    TrainVAEConfig,
)

if TYPE_CHECKING:  # importing them would import torch
    import numpy as np
    from torch import Tensor

    from gan_topdis.data import LabelledImages
    from gan_topdis.training import TrainingProgress
    from gan_topdis.vae import VAE

OUTPUTS = (
    "vae.safetensors",
    "checkpoint.pt",
    "log.csv",
    "traversals.png",
    "reconstructions.png",
    "codes.npz",
)
PICTURES = 8
MOST_CODES = 50_000
"""Images that are encoded for `codes.npz`: all of them, or so many at random."""
_MEASURED = 2_048
"""Images at random that the spread of codes in `traversals.png` is measured on."""
_AT_ONCE = 256


@click.command(
    epilog="Example: gan-topdis train-vae --data procedural-dsprites --every 1,2,4,2,2 --topdis-weight 5 "
    "--outdir out/vae"
)
@setting(
    TrainVAEConfig,
    "data",
    metavar="NAME|PATH",
    help=f"{', '.join((*MADE, *PUBLISHED, *PACKAGED))}, a dSprites, 3D Shapes or MPI3D file, or a folder of "
    "images or IDX files.",
)
@setting(
    TrainVAEConfig, "resolution", type=click.IntRange(min=16), metavar="PIXELS", help="Of made sets, folders."
)
@setting(
    TrainVAEConfig,
    "every",
    metavar="STEPS",
    default_text="all values",
    help="Steps through the values of each factor of a made set, e.g. 1,1,4,2,2.",
)
@setting(TrainVAEConfig, "grey", is_flag=True, help="Grey images of a folder.")
@setting(TrainVAEConfig, "objective", type=click.Choice(OBJECTIVES), help="The loss without TopDis.")
@setting(
    TrainVAEConfig,
    "beta",
    type=click.FloatRange(min=0),
    metavar="WEIGHT",
    default_text="beta_tc 6, as published; beta 4, our choice",
    help="Of the regulariser of beta and beta_tc.",
)
@setting(
    TrainVAEConfig,
    "topdis_weight",
    type=click.FloatRange(min=0),
    metavar="WEIGHT",
    help="Of the TopDis loss; 0 leaves it out.",
)
@setting(
    TrainVAEConfig,
    "topdis_start",
    type=click.IntRange(min=0),
    metavar="STEPS",
    default_text="a tenth of --steps",
    help="Steps before TopDis enters.",
)
@setting(
    TrainVAEConfig, "topdis_ramp", type=click.IntRange(min=0), metavar="STEPS", help="Over which it grows."
)
@setting(
    TrainVAEConfig,
    "topdis_interval",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Compute TopDis at every so-many-th step, with as many times its weight: cheaper.",
)
@setting(
    TrainVAEConfig,
    "topdis_sampler",
    type=click.Choice(SAMPLERS),
    help="Coordinates are shifted alike often, or by their weight in the decoder, as published.",
)
@setting(TrainVAEConfig, "topdis_codes", type=click.Choice(CODES), help="What TopDis shifts.")
@click.option(
    "--orthogonalise/--no-orthogonalise",
    "orthogonalise",
    default=True,
    show_default=True,
    help="Take away what of TopDis' gradient works against the reconstruction.",
)
@setting(TrainVAEConfig, "steps", type=click.IntRange(min=1), metavar="STEPS", help="Optimiser steps.")
@setting(
    TrainVAEConfig,
    "batch_size",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    default_text="as published",
    help="Over all processes.",
)
@setting(
    TrainVAEConfig,
    "learning_rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="RATE",
    default_text="as published",
    help="Of Adam.",
)
@setting(TrainVAEConfig, "latent", type=click.IntRange(min=1), metavar="DIMENSIONS", help="Of the codes.")
@setting(TrainVAEConfig, "architecture", type=click.Choice(ARCHITECTURES), help="Small or large stack.")
@setting(TrainVAEConfig, "seed", type=click.IntRange(min=0), metavar="INT", help="Weights, batches, noise.")
@training_options(TrainVAEConfig, precisions=PRECISIONS, kept="Checkpoints and pictures.")
@continued_run_options()
@click.pass_context
def train_vae(
    context: click.Context, outdir: str, overwrite: bool, resume: bool, dry_run: bool, **_: Any
) -> None:
    """Train a VAE, with the TopDis loss where it has a weight.

    Writes vae.safetensors, checkpoint.pt, log.csv, traversals.png, reconstructions.png, codes.npz (for
    `gan-topdis metrics`) and run.json to --outdir. Ctrl-C keeps a checkpoint.
    """
    with expected_errors():
        config = resolved(TrainVAEConfig, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), resume=resume, overwrite=overwrite)


def _run(
    config: TrainVAEConfig, outdir: Path, arguments: tuple[str, ...], *, resume: bool, overwrite: bool
) -> None:
    from gan_topdis.cli.training_run import LastLog, is_first_process, training_progress, training_run
    from gan_topdis.run.record import append_result

    data = _opened(config)
    if not is_first_process():
        _fit(config, data, outdir, resume, lambda _: None)
        return
    last = LastLog()
    with training_run(
        "train-vae", outdir, OUTPUTS, as_mapping(config), arguments, resume=resume, overwrite=overwrite
    ):
        with training_progress("training", last) as on_progress:
            vae = _fit(config, data, outdir, resume, on_progress)
        _write_codes(vae, data, outdir, config)
        append_result(outdir, {"verb": "train-vae", "step": config.steps, **last.numbers})
    click.echo(f"{data.name}: {len(data)} images, {config.steps} steps")
    click.echo(last)
    for name in ("vae.safetensors", "traversals.png", "reconstructions.png", "codes.npz"):
        click.echo(outdir / name)
    if data.factors.shape[1]:
        click.echo(f"scores: gan-topdis metrics --codes {outdir / 'codes.npz'} --outdir {outdir / 'metrics'}")


def _opened(config: TrainVAEConfig) -> LabelledImages:
    """The data set, with a black frame up to a power of two pixels where its images have a size of their own:
    28 pixels become 32. A --resolution that is no power of two is left for the model to refuse."""
    from gan_topdis.cli.data_set import open_data_set
    from gan_topdis.data import framed

    data = open_data_set(config.data, resolution=config.resolution, every=config.strides, grey=config.grey)
    side = max(data.images.shape[2:])
    if side == config.resolution:
        return data
    return framed(data, multiple=1 << (side - 1).bit_length())


def _fit(
    config: TrainVAEConfig,
    data: LabelledImages,
    outdir: Path,
    resume: bool,
    on_progress: Callable[[TrainingProgress], None],
) -> VAE:
    from gan_topdis.vae import fit

    return fit(
        data,
        objective=config.objective,
        objective_options={} if config.beta is None else {"beta": config.beta},
        topdis_weight=config.topdis_weight,
        topdis_start=config.topdis_start,
        topdis_ramp=config.topdis_ramp,
        topdis_interval=config.topdis_interval,
        topdis_sampler=config.topdis_sampler,
        topdis_codes=config.topdis_codes,
        orthogonalise=config.orthogonalise,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        latent=config.latent,
        architecture=config.architecture,
        seed=config.seed,
        device=config.device,
        precision=config.precision,
        outdir=outdir,
        resume=resume,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        on_progress=on_progress,
        on_checkpoint=lambda done, vae: _draw(vae, data, outdir, config, done),
    )


def _means(vae: VAE, data: LabelledImages, rows: np.ndarray) -> Tensor:
    """Codes (n, d) of some images, on the CPU."""
    from gan_topdis.vae.latent_traversal import encoded_means

    firsts = range(0, len(rows), _AT_ONCE)
    return encoded_means(vae, [data.batch(rows[first : first + _AT_ONCE]) for first in firsts])


def _write_codes(vae: VAE, data: LabelledImages, outdir: Path, config: TrainVAEConfig) -> None:
    import numpy as np

    from gan_topdis.run import write_atomically

    rng = np.random.default_rng(config.seed)
    rows = np.sort(rng.choice(len(data), min(MOST_CODES, len(data)), replace=False))
    content: dict[str, Any] = {"codes": _means(vae, data, rows).numpy()}
    if data.factors.shape[1]:
        content |= {"factors": data.factors[rows], "factor_names": np.array(data.factor_names)}
    write_atomically(outdir / "codes.npz", lambda path: np.savez_compressed(path, **content))


def _draw(vae: VAE, data: LabelledImages, outdir: Path, config: TrainVAEConfig, done: int) -> None:
    """traversals.png and reconstructions.png: of the same images every time."""
    import numpy as np

    from gan_topdis.report import vae_sheets
    from gan_topdis.run import write_atomically

    rows = np.random.default_rng(config.seed).choice(len(data), min(_MEASURED, len(data)), replace=False)
    shown = data.batch(rows[:PICTURES]).to(next(vae.parameters()).device)
    spread = _means(vae, data, np.sort(rows)).std(dim=0)
    trained = f"{config.objective}, {data.name}, {done} steps"
    sheets = vae_sheets(vae, shown, spread, trained=trained)
    for name, sheet in zip(("traversals.png", "reconstructions.png"), sheets, strict=True):
        write_atomically(outdir / name, sheet.save)
