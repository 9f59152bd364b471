"""`gan-topdis train-gan`: a GAN with or without PPM-Reg, its pictures, and a file of its generator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import continued_run_options, resolved, setting, training_options
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.train_gan import FRESH, NETWORKS, OBJECTIVES, PACKAGED, PRECISIONS, TrainGANConfig
from gan_topdis.config.train_vae import MADE, PUBLISHED

if TYPE_CHECKING:  # importing them would import torch
    from gan_topdis.data import LabelledImages
    from gan_topdis.gan import CramerGAN, FreshImages
    from gan_topdis.training import TrainingProgress

OUTPUTS = ("gan.safetensors", "generator.safetensors", "checkpoint.pt", "log.csv", "samples.png")
SHEET = 8
"""Rows and columns of samples.png."""
_COUNT, _WEIGHT = click.IntRange(min=1), click.FloatRange(min=0)
_POSITIVE = click.FloatRange(min=0, min_open=True)


@click.command(
    epilog="Example: gan-topdis train-gan --data fashion-mnist --ppm-weight 0.025 --outdir out/gan"
)
@setting(
    TrainGANConfig,
    "data",
    metavar="NAME|PATH",
    help=f"{', '.join((*PACKAGED, FRESH, *MADE, *PUBLISHED))}, a dSprites, 3D Shapes or MPI3D file, or a "
    "folder.",
)
@setting(
    TrainGANConfig,
    "resolution",
    type=click.IntRange(min=8),
    metavar="PIXELS",
    help=f"Of {FRESH}, made sets, folders.",
)
@setting(
    TrainGANConfig,
    "every",
    metavar="STEPS",
    default_text="all values",
    help="Steps through the values of each factor of a made set, e.g. 1,1,4,2,2.",
)
@setting(TrainGANConfig, "grey", is_flag=True, help="Grey images of a folder.")
@setting(
    TrainGANConfig,
    "objective",
    type=click.Choice(OBJECTIVES),
    help="Cramer distance, or StyleGAN2's logistic loss.",
)
@setting(
    TrainGANConfig,
    "network",
    type=click.Choice(NETWORKS),
    help="Those of the PPM-Reg paper (28 or 32 pixels), or StyleGAN2 (a power of two).",
)
@setting(
    TrainGANConfig,
    "ppm_weight",
    type=_WEIGHT,
    metavar="WEIGHT",
    help="Of PPM-Reg on the critic's latents, lambda; 0 leaves it out.",
)
@setting(
    TrainGANConfig,
    "ppm_weight_0",
    type=_WEIGHT,
    metavar="WEIGHT",
    default_text="as published",
    help="Of dimension 0, lambda_0.",
)
@setting(
    TrainGANConfig,
    "ppm_weight_1",
    type=_WEIGHT,
    metavar="WEIGHT",
    default_text="as published",
    help="Of dimension 1, lambda_1.",
)
@setting(
    TrainGANConfig,
    "ppm_bandwidth",
    type=_POSITIVE,
    metavar="WIDTH",
    default_text="as published",
    help="Of the kernel on bars, in the square of the unit of the latents.",
)
@setting(
    TrainGANConfig,
    "ppm_subsamples",
    type=_COUNT,
    metavar="TUPLES",
    default_text="1024",
    help="Of each cloud and dimension, s.",
)
@setting(
    TrainGANConfig,
    "gradient_penalty",
    type=_WEIGHT,
    metavar="WEIGHT",
    default_text="10",
    help="Of cramer's gradient penalty.",
)
@setting(
    TrainGANConfig,
    "critic_steps",
    type=click.IntRange(min=0),
    metavar="STEPS",
    default_text="5",
    help="Of cramer's critic before each of the generator.",
)
@setting(
    TrainGANConfig,
    "r1_weight",
    type=_WEIGHT,
    metavar="WEIGHT",
    default_text="0.05",
    help="Of logistic's R1 penalty, gamma.",
)
@setting(
    TrainGANConfig,
    "r1_interval",
    type=_COUNT,
    metavar="STEPS",
    default_text="16",
    help="Between two R1 penalties.",
)
@setting(
    TrainGANConfig,
    "path_weight",
    type=_WEIGHT,
    metavar="WEIGHT",
    default_text="2",
    help="Of logistic's path lengths.",
)
@setting(
    TrainGANConfig,
    "path_interval",
    type=_COUNT,
    metavar="STEPS",
    default_text="8",
    help="Between two path-length penalties.",
)
@setting(
    TrainGANConfig,
    "mixing",
    type=click.FloatRange(0, 1),
    metavar="PROBABILITY",
    default_text="0.9",
    help="Of style mixing in logistic.",
)
@setting(TrainGANConfig, "steps", type=_COUNT, metavar="STEPS", help="Of cramer: of either network.")
@setting(
    TrainGANConfig,
    "batch_size",
    type=click.IntRange(min=2),
    metavar="IMAGES",
    default_text="192, logistic 32",
    help="Over all processes; even.",
)
@setting(
    TrainGANConfig,
    "learning_rate",
    type=_POSITIVE,
    metavar="RATE",
    default_text="1e-4, logistic 0.0025",
    help="Of Adam.",
)
@setting(
    TrainGANConfig,
    "average_images",
    type=_WEIGHT,
    metavar="IMAGES",
    help="Half-life of the averaged weights of the generator.",
)
@setting(
    TrainGANConfig,
    "latent",
    type=_COUNT,
    metavar="DIMENSIONS",
    default_text="as published, stylegan2 64",
    help="Of z.",
)
@setting(TrainGANConfig, "width", type=_COUNT, metavar="MAPS", help="Of stylegan2, at every resolution.")
@setting(TrainGANConfig, "mapping_layers", type=_COUNT, metavar="LAYERS", help="Of stylegan2.")
@setting(TrainGANConfig, "seed", type=click.IntRange(min=0), metavar="INT", help="Weights, batches, noise.")
@training_options(TrainGANConfig, precisions=PRECISIONS, kept="Checkpoints and samples.png.")
@continued_run_options()
@click.pass_context
def train_gan(
    context: click.Context, outdir: str, overwrite: bool, resume: bool, dry_run: bool, **_: Any
) -> None:
    """Train a GAN, with PPM-Reg where it has a weight.

    Writes generator.safetensors (for `gan-topdis discover --network`), gan.safetensors (both networks),
    checkpoint.pt, log.csv, samples.png and run.json to --outdir. Ctrl-C keeps a checkpoint.
    """
    with expected_errors():
        config = resolved(TrainGANConfig, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), resume=resume, overwrite=overwrite)


def _run(
    config: TrainGANConfig, outdir: Path, arguments: tuple[str, ...], *, resume: bool, overwrite: bool
) -> None:
    from gan_topdis.cli.training_run import LastLog, is_first_process, training_progress, training_run
    from gan_topdis.run.record import append_result

    data, described = _data(config)
    if not is_first_process():
        _fit(config, data, outdir, resume, lambda _: None)
        return
    last = LastLog()
    with training_run(
        "train-gan", outdir, OUTPUTS, as_mapping(config), arguments, resume=resume, overwrite=overwrite
    ):
        with training_progress("training", last) as on_progress:
            _fit(config, data, outdir, resume, on_progress)
        append_result(outdir, {"verb": "train-gan", "step": config.steps, **last.numbers})
    click.echo(f"{described}, {config.steps} steps")
    click.echo(last)
    for name in ("generator.safetensors", "gan.safetensors", "samples.png"):
        click.echo(outdir / name)
    network = outdir / "generator.safetensors"
    click.echo(f"directions: gan-topdis discover --network {network} --outdir {outdir / 'directions'}")


def _data(config: TrainGANConfig) -> tuple[LabelledImages | FreshImages, str]:
    """The images, and words about them."""
    from gan_topdis.cli.data_set import open_data_set
    from gan_topdis.gan import fresh_scenes

    if config.data == FRESH:
        if config.every is not None:
            raise ValueError(f"every is for data sets that are made ({', '.join(MADE)}), not for {FRESH}")
        return fresh_scenes(config.resolution), f"{FRESH}: new images at each step"
    data = open_data_set(config.data, resolution=config.resolution, every=config.strides, grey=config.grey)
    return data, f"{data.name}: {len(data)} images"


def _fit(
    config: TrainGANConfig,
    data: LabelledImages | FreshImages,
    outdir: Path,
    resume: bool,
    on_progress: Callable[[TrainingProgress], None],
) -> CramerGAN:
    from gan_topdis.gan import fit

    options = {
        name: getattr(config, name)
        for name in ("ppm_bandwidth", "ppm_subsamples", "gradient_penalty", "critic_steps")
        if getattr(config, name) is not None
    }
    if config.ppm_weight_0 is not None:
        options["ppm_weights"] = (config.ppm_weight_0, config.ppm_weight_1)
    logistic = {
        name: getattr(config, name)
        for name in ("r1_weight", "r1_interval", "path_weight", "path_interval", "mixing")
        if getattr(config, name) is not None
    }
    return fit(
        data,
        ppm_weight=config.ppm_weight,
        objective=config.objective,
        network=config.network,
        objective_options=logistic,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        average_images=config.average_images,
        latent=config.latent,
        width=config.width,
        mapping_layers=config.mapping_layers,
        seed=config.seed,
        device=config.device,
        precision=config.precision,
        outdir=outdir,
        resume=resume,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        on_progress=on_progress,
        on_checkpoint=lambda done, gan: _sheet(gan, config, outdir, done),
        **options,
    )


def _sheet(gan: CramerGAN, config: TrainGANConfig, outdir: Path, done: int) -> None:
    """samples.png: the same latents every time."""
    from gan_topdis.report import RowLabel, contact_sheet, to_pixels
    from gan_topdis.run import write_atomically

    if gan.channels not in (1, 3, 4):
        return  # no picture has so many
    pixels = to_pixels(2 * gan.sample(SHEET * SHEET) - 1)
    sheet = contact_sheet(
        pixels.reshape(SHEET, SHEET, *pixels.shape[1:]),
        [RowLabel("")] * SHEET,
        [""] * SHEET,
        title=f"Samples of {config.objective}, {config.data}",
        subtitle=f"after {done} steps; averaged weights, latents of seed 0, not chosen",
        smallest=64,
        largest=128,
    )
    write_atomically(outdir / "samples.png", sheet.save)
