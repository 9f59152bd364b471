"""`gan-topdis evaluate`: scores of directions without labels, with the baselines in the same table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import Odd, Seeds, network_options, resolved, run_options, setting
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.evaluate import LEAST_PICTURES, EvaluateConfig

if TYPE_CHECKING:  # importing them would import torch
    from gan_topdis.directions import Directions
    from gan_topdis.directions.scores import Evaluation
    from gan_topdis.generators import Generator

SCORES_FILE, REPORT_FILE = "scores.json", "report.html"


def _checked_seeds(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        Seeds().convert(value, parameter, context)
    return value


@click.command(epilog="Example: gan-topdis evaluate --directions out/directions.npz --outdir out/evaluate")
@network_options(EvaluateConfig)
@setting(EvaluateConfig, "directions", metavar="FILE", help="Directions file to score.  [required]")
@run_options()
@click.option(
    "--again",
    "again",
    multiple=True,
    metavar="FILE",
    help="What another run of the same search found, for its stability; repeatable.",
)
@setting(
    EvaluateConfig,
    "restarts",
    type=click.IntRange(min=0),
    metavar="COUNT",
    help="Search again this often, with other seeds, for the stability.",
)
@setting(
    EvaluateConfig,
    "points",
    type=click.IntRange(min=LEAST_PICTURES),
    metavar="PICTURES",
    help="Pictures that scores are computed from.",
)
@setting(
    EvaluateConfig,
    "seed_list",
    metavar="SEEDS",
    callback=_checked_seeds,
    default_text="drawn by --seed",
    help="These pictures instead, e.g. 0-127.",
)
@setting(
    EvaluateConfig,
    "seed",
    type=click.IntRange(min=0),
    metavar="INT",
    help="Draws pictures, random directions and noise.",
)
@setting(
    EvaluateConfig,
    "class_index",
    type=click.IntRange(min=0),
    metavar="INDEX",
    default_text="that of the directions",
    help="Class of the pictures; conditional networks need it.",
)
@setting(
    EvaluateConfig,
    "layers",
    "--styles",
    metavar="LAYERS",
    default_text="as discovered",
    help="Layers to move: 0-6,9, coarse, middle, fine, 4x4-32x32, all.",
)
@setting(EvaluateConfig, "trunc", type=float, metavar="PSI", help="Truncation psi of the pictures.")
@setting(
    EvaluateConfig,
    "trunc_cutoff",
    type=click.IntRange(min=0),
    metavar="LAYERS",
    default_text="all",
    help="How many layers are truncated.",
)
@setting(
    EvaluateConfig,
    "max_strength",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SIGMA",
    help="Largest strength tried, in standard deviations of the latent.",
)
@setting(EvaluateConfig, "steps", type=Odd(), metavar="COUNT", help="Strengths behind the column monotone.")
@setting(
    EvaluateConfig,
    "feature_size",
    type=click.IntRange(min=1),
    metavar="PIXELS",
    help="Pictures are averaged to this size to be compared.",
)
@setting(
    EvaluateConfig,
    "random_directions",
    type=click.IntRange(min=16),
    metavar="COUNT",
    help="Random directions to compare with.",
)
@setting(
    EvaluateConfig,
    "max_batch",
    type=click.IntRange(min=1),
    metavar="IMAGES",
    default_text="by resolution",
    help="Images made at a time; changes memory, not results.",
)
@click.pass_context
def evaluate(context: click.Context, outdir: str, overwrite: bool, dry_run: bool, **_: Any) -> None:
    """Score directions beside random directions, PCA of w, SeFa and new noise maps.

    Writes scores.json, report.html, results.jsonl and run.json to --outdir and prints the table. What
    the columns mean is in docs/scores.md.
    """
    with expected_errors():
        config = resolved(EvaluateConfig, context)
        if not config.directions:
            raise click.UsageError("Missing option '--directions'.", context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), overwrite=overwrite)


def _run(config: EvaluateConfig, outdir: Path, arguments: tuple[str, ...], *, overwrite: bool) -> None:
    from gan_topdis.cli.fitted_directions import class_found_in, fitted_directions
    from gan_topdis.cli.network import class_of, describe_network, open_network
    from gan_topdis.cli.progress import ProgressDisplay
    from gan_topdis.directions.scores import EvaluationSettings, evaluate_directions, require_evaluable
    from gan_topdis.run import RunRecord, open_run_directory, recorded

    # everything that can be refused is refused before the directory is touched
    generator = open_network(
        config.network,
        device=config.device,
        trust_pickle=config.trust_pickle,
        stylegan_repo=config.stylegan_repo,
    )
    directions = fitted_directions(config.directions, generator, config.layers)
    restarts = [fitted_directions(path, generator, config.layers) for path in config.again]
    settings = EvaluationSettings(
        class_index=class_of(generator, class_found_in(directions, config.class_index)),
        **config.evaluation_options(),
    )
    require_evaluable(generator, directions, settings, restarts)
    if config.restarts:
        _require_search(directions, config.directions)

    open_run_directory(outdir, "evaluate", (SCORES_FILE, REPORT_FILE), overwrite=overwrite)
    record = RunRecord(
        verb="evaluate",
        config=as_mapping(config),
        network=describe_network(generator, config.network),
        command_line=["gan-topdis", *arguments],
    )
    with recorded(record, outdir):
        with ProgressDisplay() as display:
            for number in range(config.restarts):
                restarts.append(_found_again(generator, directions, number + 1, display))
            evaluation = evaluate_directions(
                generator, directions, settings, restarts=restarts, on_progress=display
            )
        _write(evaluation, config, outdir)


def _require_search(directions: Directions, path: str) -> None:
    """Raises: ValueError: the file does not say how to find its directions again."""
    from gan_topdis.directions import methods

    meta = directions.meta
    if meta.get("method") not in methods() or not isinstance(meta.get("options"), dict):
        raise ValueError(
            f"{path} does not say by which search its directions were found, so it cannot be restarted; "
            "give what other runs found with --again"
        )


def _found_again(generator: Generator, directions: Directions, number: int, display: Any) -> Directions:
    """What the search of a directions file finds with another seed."""
    import numpy as np

    from gan_topdis.directions import discover

    meta = directions.meta
    return discover(
        generator,
        len(directions),
        method=meta["method"],
        seed=int(meta.get("seed", 0)) + number,
        class_index=meta.get("class_index"),
        layers=np.asarray(directions.layers.any(axis=0)),
        on_progress=display,
        **meta["options"],
    )


def _write(evaluation: Evaluation, config: EvaluateConfig, outdir: Path) -> None:
    """Write all files and print the table."""
    from gan_topdis.report import evaluation_summary, evaluation_table, render_evaluation
    from gan_topdis.run import write_atomically
    from gan_topdis.run.record import append_result

    content = evaluation.as_json()
    write_atomically(
        outdir / SCORES_FILE, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )
    for name, scores in {"directions": content["directions"], **content["baselines"]}.items():
        for index, row in enumerate(scores["rows"]):
            append_result(outdir, {"verb": "evaluate", "set": name, "direction": index, **row})
    write_atomically(outdir / REPORT_FILE, render_evaluation(evaluation, settings=as_mapping(config)))
    click.echo(evaluation_table(evaluation))
    click.echo(f"\n{outdir / REPORT_FILE}\n{outdir / SCORES_FILE}")
    for sentence in evaluation_summary(evaluation):
        click.echo(f"\n{sentence}")
