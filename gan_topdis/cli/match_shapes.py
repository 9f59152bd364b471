"""`gan-topdis match-shapes`: a cloud becomes a shape, with or without a topological term."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import continued_run_options, resolved, setting
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.match_shapes import LOSSES, REGULARIZERS, SHAPES, MatchShapesConfig
from gan_topdis.config.ranges import DEVICES

if TYPE_CHECKING:  # importing them would import torch
    from torch import Tensor

    from gan_topdis.shapes import ShapeMatch

OUTPUTS = ("shapes.npz", "curve.csv", "figure.png", "animation.gif", "checkpoint.pt", "log.csv")


@click.command(
    epilog="Example: gan-topdis match-shapes --reference two-circles --loss mmd --regularizer ppm "
    "--outdir out/circles"
)
@setting(
    MatchShapesConfig,
    "reference",
    metavar="NAME|FILE",
    help=f"{', '.join(SHAPES)}, or points in a .npy or .csv file.",
)
@setting(
    MatchShapesConfig,
    "keep_units",
    is_flag=True,
    help="Leave the points of a file as they are; else they are scaled to the size of a unit circle.",
)
@setting(
    MatchShapesConfig,
    "loss",
    type=click.Choice(LOSSES),
    help="Main loss; cramer is paired as published, mmd has a Gaussian kernel.",
)
@setting(
    MatchShapesConfig,
    "loss_weight",
    type=click.FloatRange(min=0),
    metavar="WEIGHT",
    default_text="as published",
    help="Of the main loss.",
)
@setting(
    MatchShapesConfig,
    "kernel_width",
    type=click.FloatRange(min=0, min_open=True),
    metavar="LENGTH^2",
    help="Of the kernel exp(-d^2 / width) of loss mmd.",
)
@setting(
    MatchShapesConfig,
    "regularizer",
    type=click.Choice(REGULARIZERS),
    help="PPM-Reg, its Wasserstein form, or full diagrams.",
)
@setting(
    MatchShapesConfig,
    "weight_h0",
    type=click.FloatRange(min=0),
    metavar="WEIGHT",
    default_text="1, 1, 0.05 for ppm, w-ppm, pd",
    help="Of the regularizer in dimension 0.",
)
@setting(
    MatchShapesConfig,
    "weight_h1",
    type=click.FloatRange(min=0),
    metavar="WEIGHT",
    default_text="6000, 3, 0.05",
    help="Of the regularizer in dimension 1.",
)
@setting(
    MatchShapesConfig,
    "width",
    type=click.FloatRange(min=0, min_open=True),
    metavar="LENGTH^2",
    help="Of the kernel of PPM-Reg.",
)
@setting(
    MatchShapesConfig,
    "subsamples",
    type=click.IntRange(min=1),
    metavar="TUPLES",
    help="Of each cloud and dimension.",
)
@setting(
    MatchShapesConfig,
    "points",
    type=click.IntRange(min=4),
    metavar="COUNT",
    default_text="those of the reference",
    help="Of the cloud that moves.",
)
@setting(MatchShapesConfig, "steps", type=click.IntRange(min=1), metavar="STEPS", help="Gradient steps.")
@setting(
    MatchShapesConfig,
    "learning_rate",
    type=click.FloatRange(min=0, min_open=True),
    metavar="RATE",
    help="Of gradient descent.",
)
@setting(
    MatchShapesConfig,
    "momentum",
    type=click.FloatRange(min=0, max=1, max_open=True),
    metavar="SHARE",
    help="Of gradient descent.",
)
@setting(MatchShapesConfig, "seed", type=click.IntRange(min=0), metavar="INT", help="Start, pairs, tuples.")
@setting(MatchShapesConfig, "device", metavar="|".join(DEVICES), help="Where to compute.")
@setting(
    MatchShapesConfig,
    "keep_every",
    type=click.IntRange(min=1),
    metavar="STEPS",
    help="Between clouds that are kept and compared.",
)
@setting(
    MatchShapesConfig, "checkpoint_every", type=click.IntRange(min=1), metavar="STEPS", help="Checkpoints."
)
@click.option(
    "--curve/--no-curve",
    "curve",
    default=True,
    show_default=True,
    help="Compare full diagrams; needs the extra `shapes` (scipy).",
)
@continued_run_options()
@click.pass_context
def match_shapes(
    context: click.Context, outdir: str, overwrite: bool, resume: bool, dry_run: bool, **_: Any
) -> None:
    """Move a cloud of points until it matches a reference shape.

    Writes shapes.npz (all kept clouds), curve.csv (distances of persistence diagrams), figure.png,
    animation.gif, checkpoint.pt, log.csv and run.json to --outdir. Ctrl-C keeps a checkpoint.
    """
    with expected_errors():
        config = resolved(MatchShapesConfig, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), resume=resume, overwrite=overwrite)


def _run(
    config: MatchShapesConfig, outdir: Path, arguments: tuple[str, ...], *, resume: bool, overwrite: bool
) -> None:
    from gan_topdis.cli.training_run import training_progress, training_run
    from gan_topdis.run.record import append_result
    from gan_topdis.shapes import match

    reference, scale = _reference(config)
    settings = {**as_mapping(config), **scale}
    with training_run(
        "match-shapes", outdir, OUTPUTS, settings, arguments, resume=resume, overwrite=overwrite
    ):
        with training_progress("matching") as on_progress:
            result = match(
                reference,
                loss=config.loss,
                loss_weight=config.loss_weight,
                kernel_width=config.kernel_width,
                regularizer=config.regularizer,
                regularizer_weights=config.weights,
                width=config.width,
                subsamples=config.subsamples,
                points=config.points,
                steps=config.steps,
                learning_rate=config.learning_rate,
                momentum=config.momentum,
                seed=config.seed,
                keep_every=config.keep_every,
                curve=config.curve,
                device=config.device,
                outdir=outdir,
                resume=resume,
                checkpoint_every=config.checkpoint_every,
                on_progress=on_progress,
            )
        _write(result, outdir, config)
        append_result(outdir, {"verb": "match-shapes", "step": config.steps, **_last(result)})
    click.echo(f"{config.reference}: {len(result.reference)} points, {config.steps} steps")
    for name, value in _last(result).items():
        click.echo(f"{name}: {value:.4g}")
    for name in ("shapes.npz", *(("curve.csv",) if config.curve else ()), "figure.png", "animation.gif"):
        click.echo(outdir / name)


def _reference(config: MatchShapesConfig) -> tuple[str | Tensor, dict[str, Any]]:
    """What to match, and how the points of a file were moved and scaled."""
    from gan_topdis.shapes import read_points, unit_scale

    if config.reference in SHAPES:
        return config.reference, {}
    points = read_points(config.reference)
    if config.keep_units:
        return points, {}
    scaled = unit_scale(points)
    return scaled.points, {"centre-of-file": list(scaled.centre), "size-of-file": scaled.size}


def _write(result: ShapeMatch, outdir: Path, config: MatchShapesConfig) -> None:
    from gan_topdis.report.shape_matching import matching_figure, save_matching_animation
    from gan_topdis.run import write_atomically

    result.save(outdir / "shapes.npz")
    if result.curve is not None:
        write_atomically(outdir / "curve.csv", result.curve_csv())
    term = "no regularizer" if config.regularizer == "none" else config.regularizer
    title = f"{Path(config.reference).name}: {config.loss}, {term}"
    write_atomically(outdir / "figure.png", matching_figure(result, title=title).save)
    write_atomically(outdir / "animation.gif", lambda path: save_matching_animation(path, result))


def _last(result: ShapeMatch) -> dict[str, float]:
    """The curve at its end."""
    from gan_topdis.shapes.diagram_curve import COLUMNS

    if result.curve is None:
        return {}
    return dict(zip(COLUMNS, map(float, result.curve.values[-1]), strict=True))
