"""`gan-topdis metrics`: disentanglement metrics of codes in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.names import Names
from gan_topdis.cli.options import resolved, run_options, setting
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.metrics import METRICS, PROTOCOLS, MetricsConfig

SCORES_FILE, REPORT_FILE = "metrics.json", "metrics.html"


@click.command(epilog="Example: gan-topdis metrics --codes codes.npz --protocol fast --outdir out/metrics")
@setting(
    MetricsConfig,
    "codes",
    metavar="FILE",
    help=".npz with codes (n, d) and factors (n, k), or factor_sizes (k,) of a complete grid.  [required]",
)
@setting(
    MetricsConfig,
    "protocol",
    type=click.Choice(PROTOCOLS),
    help="Numbers of points and votes: as published (minutes, nearly all for DCI), or DCI on a tenth.",
)
@setting(MetricsConfig, "only", type=Names(METRICS), metavar="NAMES", help="Metrics, comma-separated.")
@setting(
    MetricsConfig,
    "seed",
    type=click.IntRange(min=0),
    metavar="INT",
    help="Draws rows and votes, seeds trees.",
)
@run_options()
@click.pass_context
def metrics(context: click.Context, outdir: str, overwrite: bool, dry_run: bool, **_: Any) -> None:
    """Score codes against known factors: MIG, FactorVAE, SAP, DCI and others, beside their ceilings.

    Codes are the means of any encoder, one row per image. Writes metrics.json, metrics.html, results.jsonl
    and run.json to --outdir and prints the table.
    """
    with expected_errors():
        config = resolved(MetricsConfig, context)
        if not config.codes:
            raise click.UsageError("Missing option '--codes'.", context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), overwrite=overwrite)


def _run(config: MetricsConfig, outdir: Path, arguments: tuple[str, ...], *, overwrite: bool) -> None:
    from gan_topdis.metrics import evaluate, read_codes
    from gan_topdis.metrics.evaluate import require_packages
    from gan_topdis.report import metrics_json, metrics_text, render_metrics
    from gan_topdis.run import RunRecord, open_run_directory, recorded, write_atomically
    from gan_topdis.run.record import append_result

    require_packages(config.only)  # refused, as a file is, before the directory is touched
    file = read_codes(config.codes)
    open_run_directory(outdir, "metrics", (SCORES_FILE, REPORT_FILE), overwrite=overwrite)
    record = RunRecord(
        verb="metrics", config=as_mapping(config), network={}, command_line=["gan-topdis", *arguments]
    )
    with recorded(record, outdir):
        scores = evaluate(
            file.codes,
            file.factors if file.grid is None else file.grid,
            protocol=config.protocol,
            seed=config.seed,
            only=config.only,
            on_metric=lambda name: click.echo(f"{name} ...", err=True),
        )
        content = metrics_json(scores, file.factor_names)
        write_atomically(
            outdir / SCORES_FILE, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )
        for name, values in content["metrics"].items():
            kept = {key: values[key] for key in ("score", "ceiling", "per_factor", "ceiling_per_factor")}
            append_result(outdir, {"verb": "metrics", "metric": name, **kept})
        page = render_metrics(scores, file.factor_names, settings=as_mapping(config))
        write_atomically(outdir / REPORT_FILE, page)
        click.echo(metrics_text(scores, file.factor_names))
        click.echo(f"\n{outdir / REPORT_FILE}\n{outdir / SCORES_FILE}")
