"""`gan-topdis traverse`: pictures of seeds moved along found directions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import (
    Media,
    Renaming,
    network_options,
    picture_options,
    resolved,
    run_options,
    setting,
)
from gan_topdis.config import TraverseConfig, as_mapping, to_yaml

if TYPE_CHECKING:  # importing them would import torch
    import numpy as np
    from torch import Tensor

    from gan_topdis.directions import Directions
    from gan_topdis.generators import Generator

OUTPUTS = (
    "dir[0-9][0-9][0-9].png",
    "dir[0-9][0-9][0-9].gif",
    "seed[0-9][0-9][0-9][0-9]*.png",
    "grid.png",
    "directions.npz",
)
CELL_PIXELS = 512
"""Longer side of a picture in dirNNN.png; seedNNNN.png have the network's resolution."""
SHOWN_PIXELS = 256
"""Longer side of a picture in grid.png and in animations."""
ANIMATION_STEPS = 25
"""Strengths from one end of an animation to the other."""


@click.command(
    epilog="Example: gan-topdis traverse --directions out/directions.npz --seeds 0-3 --outdir out/traverse"
)
@network_options(TraverseConfig)
@setting(TraverseConfig, "directions", metavar="FILE", help="directions.npz of a discovery.  [required]")
@run_options()
@picture_options(TraverseConfig)
@setting(
    TraverseConfig,
    "layers",
    "--styles",
    metavar="LAYERS",
    default_text="as discovered",
    help="Layers to move: 0-6,9, coarse, middle, fine, 4x4-32x32, all.",
)
@setting(
    TraverseConfig,
    "seed",
    type=click.IntRange(min=0),
    metavar="INT",
    help="Of the noise maps with --noise-mode random.",
)
@setting(TraverseConfig, "media", type=Media(), metavar="png,gif", help="Kinds of file to write.")
@click.option(
    "--name",
    "names",
    type=Renaming(),
    multiple=True,
    metavar="INDEX=TEXT",
    help="Name a direction, e.g. 3=smile; repeatable. Writes directions.npz with the names.",
)
@click.pass_context
def traverse(
    context: click.Context,
    outdir: str,
    overwrite: bool,
    dry_run: bool,
    names: tuple[tuple[int, str], ...],
    **_: Any,
) -> None:
    """Show what directions do to pictures.

    Writes to --outdir: dir000.png and so on (rows seeds, columns strengths), seed0000.png and so on
    (unedited), grid.png (all directions, first seed), with --media gif also dir000.gif; and run.json.
    """
    with expected_errors():
        config = resolved(TraverseConfig, context)
        if not config.directions:
            raise click.UsageError("Missing option '--directions'.", context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), names, overwrite=overwrite)


def _run(
    config: TraverseConfig,
    outdir: Path,
    arguments: tuple[str, ...],
    names: tuple[tuple[int, str], ...],
    *,
    overwrite: bool,
) -> None:
    import torch

    from gan_topdis.cli.fitted_directions import class_found_in, fitted_directions
    from gan_topdis.cli.network import class_of, describe_network, latents_of_pictures, open_network
    from gan_topdis.run import RunRecord, open_run_directory, recorded

    if Path(config.directions).resolve().parent == outdir.resolve():
        raise ValueError(
            f"outdir should be another folder than that of the directions file, such as {outdir / 'traverse'}"
        )
    generator = open_network(
        config.network,
        device=config.device,
        trust_pickle=config.trust_pickle,
        stylegan_repo=config.stylegan_repo,
    )
    directions = renamed(fitted_directions(config.directions, generator, config.layers), names)
    config = replace(config, class_index=class_found_in(directions, config.class_index))
    ws = latents_of_pictures(generator, config, class_of(generator, config.class_index))

    open_run_directory(outdir, "traverse", OUTPUTS, overwrite=overwrite)
    record = RunRecord(
        verb="traverse",
        config=as_mapping(config),
        network=describe_network(generator, config.network),
        command_line=["gan-topdis", *arguments],
    )
    with recorded(record, outdir):
        if config.noise_mode == "random":
            torch.manual_seed(config.seed)  # synthesis draws such noise from torch's own generator
        if names:
            directions.save(outdir / "directions.npz")
        written = _draw(config, generator, directions, ws, outdir)
    click.echo("\n".join(str(outdir / name) for name in written))


def renamed(directions: Directions, names: tuple[tuple[int, str], ...]) -> Directions:
    """Directions with some names replaced.

    Raises:
        ValueError: there is no direction of that index.
    """
    new = list(directions.names)
    for index, text in names:
        if index >= len(new):
            raise ValueError(f"name should be of a direction 0 .. {len(new) - 1}, got {index}={text}")
        new[index] = text
    return replace(directions, names=tuple(new))


def _draw(
    config: TraverseConfig, generator: Generator, directions: Directions, ws: Tensor, outdir: Path
) -> list[str]:
    """Write all pictures; returns the names of the files, the sheet first."""
    import numpy as np

    from gan_topdis.cli.network import pixels_along
    from gan_topdis.cli.progress import ProgressDisplay
    from gan_topdis.directions import symmetric_strengths
    from gan_topdis.directions.progress import Progress
    from gan_topdis.report import (
        RowLabel,
        contact_sheet,
        direction_label,
        direction_sheet,
        save_animation,
        strength_label,
        thumbnails,
    )
    from gan_topdis.run import write_atomically

    def along(index: int, strengths: list[float], largest: int) -> np.ndarray:
        return pixels_along(
            generator,
            directions,
            ws,
            index=index,
            strengths=strengths,
            noise_mode=config.noise_mode,
            max_batch=config.max_batch,
            largest=largest,
        )

    strengths = symmetric_strengths(config.max_strength, config.steps)
    labels = [strength_label(strength) for strength in strengths]
    written: list[str] = []
    first_seed: list[np.ndarray] = []
    if "png" in config.media:
        written += _write_unedited(config, generator, ws, outdir)
    with ProgressDisplay() as display:
        for index, name in enumerate(directions.names):
            stem = f"dir{index:03d}"
            if "png" in config.media:
                pixels = along(index, strengths, CELL_PIXELS)  # (seeds, strengths, H, W, C)
                first_seed.append(thumbnails(pixels[0], SHOWN_PIXELS))
                label = direction_label(directions, index)
                sheet = contact_sheet(
                    pixels,
                    [RowLabel(f"seed {seed}") for seed in config.seeds],
                    labels,
                    title=name,
                    subtitle=" · ".join((generator.name, *label.details)),
                    marked_column=len(strengths) // 2,
                    largest=CELL_PIXELS,
                )
                write_atomically(outdir / f"{stem}.png", sheet.save)
                written.append(f"{stem}.png")
            if "gif" in config.media:
                swing = symmetric_strengths(config.max_strength, ANIMATION_STEPS)
                write_atomically(
                    outdir / f"{stem}.gif", partial(save_animation, pixels=along(index, swing, SHOWN_PIXELS))
                )
                written.append(f"{stem}.gif")
            display(Progress(f"direction {index + 1} of {len(directions)}", index + 1, len(directions)))
    if first_seed:
        sheet = direction_sheet(directions, np.stack(first_seed), seed=config.seeds[0], strengths=strengths)
        write_atomically(outdir / "grid.png", sheet.save)
        written.insert(0, "grid.png")
    return written


def _write_unedited(config: TraverseConfig, generator: Generator, ws: Tensor, outdir: Path) -> list[str]:
    """Write seedNNNN.png as `generate.py` does; returns their names."""
    import torch

    from gan_topdis.report import to_picture, to_pixels
    from gan_topdis.run import write_atomically

    names = []
    at_once = config.max_batch or generator.images_at_once
    with torch.no_grad():
        for part, seeds in zip(
            ws.split(at_once),
            (config.seeds[i : i + at_once] for i in range(0, len(config.seeds), at_once)),
            strict=True,
        ):
            images = generator.synthesize(part, noise_mode=config.noise_mode).cpu()
            for seed, pixels in zip(seeds, to_pixels(images), strict=True):
                names.append(f"seed{seed:04d}.png")
                write_atomically(outdir / names[-1], to_picture(pixels).save)
    return names
