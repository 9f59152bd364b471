"""`gan-topdis train-connectivity`: an autoencoder whose codes are eta apart, its pictures, and its codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import continued_run_options, resolved, setting, training_options
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.train_connectivity import (
    BLOCK_INITS,
    OVER_BRANCHES,
    PRECISIONS,
    SPLITS,
    TrainConnectivityConfig,
)

if TYPE_CHECKING:  # importing them would import torch
    from gan_topdis.connectivity import ConnectivityAutoencoder
    from gan_topdis.data import LabelledImages
    from gan_topdis.training import TrainingProgress

MODEL_FILE = "autoencoder.safetensors"
OUTPUTS = (MODEL_FILE, "checkpoint.pt", "log.csv", "reconstructions.png", "codes.npz")
PICTURES = 8
MOST_CODES = 50_000
"""Images that are encoded for `codes.npz`: all of them, or so many at random."""
_AT_ONCE = 256


@click.command(
    epilog="Example: gan-topdis train-connectivity --data fashion-mnist --steps 5000 --outdir out/corel"
)
@setting(
    TrainConnectivityConfig,
    "data",
    metavar="NAME|PATH",
    help=f"{', '.join(SPLITS)}, each with :SPLIT or not, any --data of train-vae or train-gan, or a folder "
    "of images. Labels are not used. Sides that are no multiple of 8 get a black frame.",
)
@setting(
    TrainConnectivityConfig,
    "resolution",
    type=click.IntRange(min=8),
    metavar="PIXELS",
    help="Of folders, Tiny-ImageNet and made sets.",
)
@setting(TrainConnectivityConfig, "grey", is_flag=True, help="Grey images of a folder or of Tiny-ImageNet.")
@setting(
    TrainConnectivityConfig,
    "branches",
    type=click.IntRange(min=1),
    metavar="COUNT",
    help="Of the latent space.",
)
@setting(
    TrainConnectivityConfig,
    "branch_dim",
    type=click.IntRange(min=1),
    metavar="DIMENSIONS",
    help="Of one branch.",
)
@setting(
    TrainConnectivityConfig,
    "eta",
    type=click.FloatRange(min=0, min_open=True),
    metavar="LENGTH",
    help="Wanted length of tree edges, l1.",
)
@setting(
    TrainConnectivityConfig,
    "weight",
    type=click.FloatRange(min=0),
    metavar="LAMBDA",
    help="Of the connectivity loss; 0 is a plain autoencoder.",
)
@setting(
    TrainConnectivityConfig,
    "over_branches",
    type=click.Choice(OVER_BRANCHES),
    help="Of the loss; published weights belong to the mean.",
)
@setting(
    TrainConnectivityConfig,
    "block_init",
    type=click.Choice(BLOCK_INITS),
    help="Start of the branched layers: of a dense layer, or of the true fan-in.",
)
@setting(TrainConnectivityConfig, "steps", type=click.IntRange(min=1), metavar="STEPS", help="Of Adam.")
@setting(
    TrainConnectivityConfig,
    "batch_size",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Over all processes; tree edges are those of one process's share.",
)
@setting(
    TrainConnectivityConfig,
    "learning_rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="RATE",
    help="Of Adam.",
)
@setting(TrainConnectivityConfig, "seed", type=click.IntRange(min=0), metavar="INT", help="Weights, batches.")
@training_options(TrainConnectivityConfig, precisions=PRECISIONS, kept="Checkpoints and reconstructions.png.")
@continued_run_options()
@click.pass_context
def train_connectivity(
    context: click.Context, outdir: str, overwrite: bool, resume: bool, dry_run: bool, **_: Any
) -> None:
    """Train a connectivity-optimised autoencoder (COREL).

    Writes autoencoder.safetensors, checkpoint.pt, log.csv, reconstructions.png, codes.npz and run.json to
    --outdir. Ctrl-C keeps a checkpoint. `gan-topdis one-class` takes the autoencoder.
    """
    with expected_errors():
        config = resolved(TrainConnectivityConfig, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), resume=resume, overwrite=overwrite)


def _run(
    config: TrainConnectivityConfig,
    outdir: Path,
    arguments: tuple[str, ...],
    *,
    resume: bool,
    overwrite: bool,
) -> None:
    from gan_topdis.cli.image_sets import open_images
    from gan_topdis.cli.training_run import LastLog, is_first_process, training_progress, training_run
    from gan_topdis.run.record import append_result

    data = open_images(config.data, resolution=config.resolution, grey=config.grey)
    if not is_first_process():
        _fit(config, data, outdir, resume, lambda _: None)
        return
    last = LastLog()
    with training_run(
        "train-connectivity",
        outdir,
        OUTPUTS,
        as_mapping(config),
        arguments,
        resume=resume,
        overwrite=overwrite,
    ):
        with training_progress("training", last) as on_progress:
            model = _fit(config, data, outdir, resume, on_progress)
        _write_codes(model, data, outdir, config)
        append_result(outdir, {"verb": "train-connectivity", "step": config.steps, **last.numbers})
    click.echo(f"{data.name}: {len(data)} images, {config.steps} steps")
    click.echo(last)
    for name in (MODEL_FILE, "reconstructions.png", "codes.npz"):
        click.echo(outdir / name)
    click.echo(
        f"one class: gan-topdis one-class --model {outdir / MODEL_FILE} --data NAME "
        f"--outdir {outdir / 'one_class'}"
    )


def _fit(
    config: TrainConnectivityConfig,
    data: LabelledImages,
    outdir: Path,
    resume: bool,
    on_progress: Callable[[TrainingProgress], None],
) -> ConnectivityAutoencoder:
    from gan_topdis.connectivity import fit

    return fit(
        data,
        branches=config.branches,
        branch_dim=config.branch_dim,
        eta=config.eta,
        weight=config.weight,
        over_branches=config.over_branches,
        block_init=config.block_init,
        steps=config.steps,
        batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        seed=config.seed,
        device=config.device,
        precision=config.precision,
        outdir=outdir,
        resume=resume,
        log_every=config.log_every,
        checkpoint_every=config.checkpoint_every,
        on_progress=on_progress,
        on_checkpoint=lambda done, model: _draw(model, data, outdir, config, done),
    )


def _write_codes(
    model: ConnectivityAutoencoder, data: LabelledImages, outdir: Path, config: TrainConnectivityConfig
) -> None:
    import numpy as np

    from gan_topdis.run import write_atomically

    rng = np.random.default_rng(config.seed)
    rows = np.arange(len(data))
    if len(rows) > MOST_CODES:
        rows = np.sort(rng.choice(len(data), MOST_CODES, replace=False))
    content: dict[str, Any] = {
        "codes": encoded(model, data, rows),
        "rows": rows,
        "branches": np.array(model.branches),
    }
    if data.factors.shape[1]:
        content |= {"factors": data.factors[rows], "factor_names": np.array(data.factor_names)}
    write_atomically(outdir / "codes.npz", lambda path: np.savez_compressed(path, **content))


def _draw(
    model: ConnectivityAutoencoder,
    data: LabelledImages,
    outdir: Path,
    config: TrainConnectivityConfig,
    done: int,
) -> None:
    """reconstructions.png: of the same images every time."""
    import numpy as np
    import torch

    from gan_topdis.report import reconstruction_sheet
    from gan_topdis.run import write_atomically

    rng = np.random.default_rng(config.seed)
    device = next(model.parameters()).device
    shown = data.batch(rng.choice(len(data), min(PICTURES, len(data)), replace=False)).to(device)
    with torch.no_grad():
        again = model(shown).clamp(0, 1)
    sheet = reconstruction_sheet(
        shown,
        again,
        title=f"Reconstructions, {data.name}",
        subtitle=f"{config.branches} branches of {config.branch_dim}, connectivity weight {config.weight:g}, "
        f"eta {config.eta:g}, {done} steps",
    )
    write_atomically(outdir / "reconstructions.png", sheet.save)


def encoded(model: ConnectivityAutoencoder, data: LabelledImages, rows: Any) -> Any:
    """Codes (m, width) of rows (m,) of a data set, numpy."""
    import torch

    device = next(model.parameters()).device
    with torch.no_grad():
        parts = [
            model.encode(data.batch(rows[first : first + _AT_ONCE]).to(device)).float().cpu()
            for first in range(0, len(rows), _AT_ONCE)
        ]
    return torch.cat(parts).numpy()
