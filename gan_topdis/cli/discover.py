"""`gan-topdis discover`: from a network to ranked directions, a contact sheet and a report."""

from __future__ import annotations

import math
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.continuation import continuation
from gan_topdis.cli.errors import Interrupted, expected_errors, one_line
from gan_topdis.cli.options import (
    network_options,
    picture_options,
    resolved,
    run_options,
    setting,
)
from gan_topdis.cli.search_options import search_options
from gan_topdis.config import DiscoverConfig, as_mapping, to_yaml
from gan_topdis.config.ranges import METHODS

if TYPE_CHECKING:  # importing them would import torch
    import numpy as np
    from torch import Tensor

    from gan_topdis.directions import Directions
    from gan_topdis.generators import Generator
    from gan_topdis.run import RunRecord

DIRECTIONS_FILE, SHEET_FILE, REPORT_FILE = "directions.npz", "grid.png", "report.html"
OUTPUTS = (DIRECTIONS_FILE, SHEET_FILE, REPORT_FILE)
SHOWN_PIXELS = 256
"""Longer side of a picture in the sheet and the report."""
SHOWN_ONLY = ("seeds", "trunc", "trunc-cutoff", "noise-mode", "max-strength", "steps")
"""Settings that change pictures but not directions; with `device` and the place of the network file,
those that may change between a run and its continuation."""


@click.command(epilog="Example: gan-topdis discover --network scenes --count 6 --outdir out")
@network_options(DiscoverConfig)
@run_options()
@click.option("--resume", is_flag=True, help="Continue the interrupted run in --outdir, if there is one.")
@setting(DiscoverConfig, "count", type=click.IntRange(min=1), metavar="COUNT", help="Directions to find.")
@setting(
    DiscoverConfig,
    "method",
    type=click.Choice(METHODS),
    help="How; the first three search, the others are baselines.",
)
@setting(DiscoverConfig, "seed", type=click.IntRange(min=0), metavar="INT", help="Of the search.")
@setting(
    DiscoverConfig,
    "layers",
    "--styles",
    metavar="LAYERS",
    help="Layers that directions move: 0-6,9, coarse, middle, fine, 4x4-32x32, all.",
)
@search_options
@picture_options(DiscoverConfig)
@click.pass_context
def discover(
    context: click.Context, outdir: str, overwrite: bool, resume: bool, dry_run: bool, **_: Any
) -> None:
    """Find latent directions of a network, rank them, and show what they do.

    Writes directions.npz, grid.png, report.html and run.json to --outdir. Ctrl-C keeps the directions
    found until then; --resume continues to the result of an uninterrupted run.
    """
    with expected_errors():
        config = resolved(DiscoverConfig, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), resume=resume, overwrite=overwrite)


def _run(
    config: DiscoverConfig, outdir: Path, arguments: tuple[str, ...], *, resume: bool, overwrite: bool
) -> None:
    from gan_topdis.cli.network import class_of, describe_network, latents_of_pictures, open_network
    from gan_topdis.directions.layers import resolve_layers
    from gan_topdis.directions.registry import require_supported
    from gan_topdis.run import RunRecord, open_run_directory

    # everything that can be refused is refused before the directory is touched
    generator = open_network(
        config.network,
        device=config.device,
        trust_pickle=config.trust_pickle,
        stylegan_repo=config.stylegan_repo,
    )
    class_index = class_of(generator, config.class_index)
    layers = resolve_layers(config.layers, generator.layer_table())
    ws = latents_of_pictures(generator, config, class_index)
    require_supported(
        generator, config.method, warm_start=config.warm_start, feature_layer=config.feature_layer
    )

    earlier = open_run_directory(
        outdir, "discover", OUTPUTS, can_resume=True, resume=resume, overwrite=overwrite
    )
    network = describe_network(generator, config.network)
    found = None
    if earlier is not None:
        _require_same_run(earlier, config, generator)
        found = _found_earlier(outdir)
    elif resume:
        click.echo(f"No run to continue in {outdir}; starting one.", err=True)
    record = RunRecord(
        verb="discover",
        config=as_mapping(config),
        network=network,
        command_line=["gan-topdis", *arguments],
        sessions=() if earlier is None else earlier.sessions,
    ).started()
    record.save(outdir)

    finished = False
    try:
        directions, interrupted = _search(
            config, generator, outdir, class_index=class_index, layers=layers, found=found
        )
        if directions is not None:
            _save(directions, outdir)
            _show(directions, config, generator, ws, outdir)
        if not interrupted and (earlier is None or earlier.status != "complete"):
            _append_results(directions, outdir)
        record.ended("interrupted" if interrupted else "complete").save(outdir)
        finished = True
    except KeyboardInterrupt:
        raise Interrupted(f"{_kept(outdir)}; continue with: {continuation(arguments)}") from None
    except OSError as error:
        raise click.ClickException(
            f"{one_line(error)}; {_kept(outdir)}; continue with: {continuation(arguments)}"
        ) from error
    finally:
        if not finished:
            _mark_failed(record, outdir)
    if interrupted:
        raise Interrupted(
            f"{_count_kept(directions, config.count)} in {outdir}; continue with: {continuation(arguments)}"
        )


def _search(
    config: DiscoverConfig,
    generator: Generator,
    outdir: Path,
    *,
    class_index: int | None,
    layers: np.ndarray,
    found: Directions | None,
) -> tuple[Directions | None, bool]:
    """The directions, and whether Ctrl-C ended the search early; after each one they are saved."""
    from gan_topdis.cli.network import warn
    from gan_topdis.cli.progress import ProgressDisplay
    from gan_topdis.directions import discover as find

    if found is not None and found.meta.get("complete"):
        click.echo(f"All {len(found)} directions were found before; drawing them again.", err=True)
        return found, False
    latest = found

    def keep(partial: Directions) -> None:
        nonlocal latest
        latest = partial
        try:
            partial.save(outdir / DIRECTIONS_FILE)
        except OSError as error:  # the search goes on: the disk may have room again when it ends
            warn(f"{one_line(error)}; {len(partial)} directions are in memory only")

    with ProgressDisplay() as display:
        try:
            return (
                find(
                    generator,
                    config.count,
                    method=config.method,
                    seed=config.seed,
                    class_index=class_index,
                    layers=layers,
                    on_progress=display,
                    on_direction=keep,
                    found=found,
                    **config.search_options(),
                ),
                False,
            )
        except KeyboardInterrupt:
            return latest, True


def _show(
    directions: Directions, config: DiscoverConfig, generator: Generator, ws: Tensor, outdir: Path
) -> None:
    """Write sheet and report, and print the table."""
    import numpy as np

    from gan_topdis.cli.network import pixels_along
    from gan_topdis.directions import symmetric_strengths
    from gan_topdis.report import direction_sheet, render_report, summary, text_table
    from gan_topdis.run import write_atomically

    strengths = symmetric_strengths(config.max_strength, config.steps)
    pixels = np.stack(
        [
            pixels_along(
                generator,
                directions,
                ws,
                index=index,
                strengths=strengths,
                noise_mode=config.noise_mode,
                max_batch=config.max_batch,
                largest=SHOWN_PIXELS,
            )
            for index in range(len(directions))
        ]
    )  # (count, seeds, strengths, H, W, C)
    sheet = direction_sheet(directions, pixels[:, 0], seed=config.seeds[0], strengths=strengths)
    write_atomically(outdir / SHEET_FILE, sheet.save)
    page = render_report(
        directions, pixels, seeds=config.seeds, strengths=strengths, settings=as_mapping(config)
    )
    write_atomically(outdir / REPORT_FILE, page)
    click.echo(text_table(directions))
    for sentence in (*summary(directions), *_gain(directions)):
        click.echo(f"\n{sentence}")
    click.echo(f"\n{outdir / SHEET_FILE}\n{outdir / REPORT_FILE}\n{outdir / DIRECTIONS_FILE}")


def _gain(directions: Directions) -> list[str]:
    """The comparison with random directions and a baseline, when the search is complete."""
    gain = directions.meta.get("gain", {})
    parts = [
        f"{abs(value):.2f} {'lower' if value >= 0 else 'higher'} than that of {name} directions"
        for name, value in gain.items()
    ]
    return [f"Their mean log {directions.score_name} is {' and '.join(parts)}."] if parts else []


def _require_same_run(earlier: RunRecord, config: DiscoverConfig, generator: Generator) -> None:
    """Raises: ValueError: directions of the two runs would differ."""
    advice = "use the same settings, or another --outdir"
    before, now = earlier.network.get("fingerprint"), generator.fingerprint
    if before != now:
        raise ValueError(
            f"the run to continue is of another network ({earlier.network.get('name')}, fingerprint "
            f"{str(before)[:12]}) than this one ({generator.name}, {now[:12]}); {advice}"
        )
    free = {*SHOWN_ONLY, "network", "device", "max-batch", "trust-pickle", "stylegan-repo"}
    for key, value in as_mapping(config).items():
        if key not in free and earlier.config.get(key) != value:
            raise ValueError(
                f"the run to continue has --{key} {earlier.config.get(key)}, this one {value}; {advice}"
            )


def _found_earlier(outdir: Path) -> Directions | None:
    from gan_topdis.directions import Directions

    path = outdir / DIRECTIONS_FILE
    return Directions.load(path) if path.exists() else None


def _save(directions: Directions, outdir: Path) -> None:
    """Write the directions; where that fails, to a temporary folder, before the error is reported."""
    try:
        directions.save(outdir / DIRECTIONS_FILE)
    except OSError as error:
        spare = Path(tempfile.mkdtemp(prefix="gan-topdis-")) / DIRECTIONS_FILE
        directions.save(spare)
        raise click.ClickException(f"{one_line(error)}; the directions are in {spare} instead") from error


def _append_results(directions: Directions | None, outdir: Path) -> None:
    from gan_topdis.report import known_factor
    from gan_topdis.run.record import append_result

    assert directions is not None, "only an interrupted search returns none"
    for index, name in enumerate(directions.names):
        numbers = {
            column: None if math.isnan(values[index]) else float(values[index])
            for column, values in ((directions.score_name, directions.scores), *directions.table.items())
        }
        factor = known_factor(directions, index)
        truth = {} if factor is None else {"factor": factor[0], "cosine": factor[1]}
        append_result(outdir, {"verb": "discover", "direction": index, "name": name, **numbers, **truth})


def _mark_failed(record: RunRecord, outdir: Path) -> None:
    with suppress(OSError):  # the error on its way out is the one to report
        record.ended("failed").save(outdir)


def _kept(outdir: Path) -> str:
    path = outdir / DIRECTIONS_FILE
    return f"directions found are in {path}" if path.exists() else "no direction was found yet"


def _count_kept(directions: Directions | None, count: int) -> str:
    return f"{0 if directions is None else len(directions)} of {count} directions are"
