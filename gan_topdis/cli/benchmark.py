"""`gan-topdis benchmark`: every method on networks whose factors are known, and one page of tables."""

from __future__ import annotations

import platform
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gan_topdis.cli.continuation import continuation
from gan_topdis.cli.errors import Interrupted, expected_errors, one_line, raised_on_purpose
from gan_topdis.cli.names import Names
from gan_topdis.cli.options import Seeds, resolved, run_options, setting
from gan_topdis.config import as_mapping, to_yaml
from gan_topdis.config.benchmark import CEILING, COLUMNS, NETWORKS, VARIANTS, BenchmarkConfig
from gan_topdis.config.ranges import DEVICES

if TYPE_CHECKING:  # importing them would import torch
    from gan_topdis.directions import Directions
    from gan_topdis.generators import Generator

PAGE_FILE = "benchmark.md"
OUTPUTS = (PAGE_FILE, "directions_*.npz")
EXTENDABLE = ("networks", "methods", "seeds", "device")
"""Settings that may differ when a run is continued: they add cells and change none."""


@click.command(epilog="Example: gan-topdis benchmark --networks scenes,demo --seeds 0-1 --outdir bench")
@setting(
    BenchmarkConfig, "networks", type=Names(NETWORKS), metavar="NAMES", help="Networks, comma-separated."
)
@setting(BenchmarkConfig, "methods", type=Names(COLUMNS), metavar="NAMES", help="Methods, comma-separated.")
@setting(BenchmarkConfig, "seeds", type=Seeds(), metavar="SEEDS", help="Searches per network and method.")
@setting(BenchmarkConfig, "quick", is_flag=True, help="Short searches, to try the command.")
@setting(BenchmarkConfig, "device", metavar="|".join(DEVICES), help="Where to compute.")
@run_options()
@click.option("--resume", is_flag=True, help="Continue the run in --outdir; finished searches are kept.")
@click.option(
    "--write-docs", type=click.Path(dir_okay=False), metavar="FILE", help="Also write the page to FILE."
)
@click.pass_context
def benchmark(
    context: click.Context,
    outdir: str,
    overwrite: bool,
    resume: bool,
    dry_run: bool,
    write_docs: str | None,
    **_: Any,
) -> None:
    """Compare methods of discovery where the truth is known.

    For each network, method and seed: search as many directions as the network has factors; measure how well
    they recover the factors' axes, which factors they move, and what the search cost. Writes results.jsonl
    line by line, the directions, and the tables to benchmark.md. Ctrl-C keeps finished searches.
    """
    with expected_errors():
        config = resolved(BenchmarkConfig, context)
        if dry_run:
            click.echo(f"# outdir: {outdir}\n{to_yaml(config)}", nl=False)
            return
        _run(config, Path(outdir), context.obj or (), resume, overwrite, write_docs)


def _run(
    config: BenchmarkConfig,
    outdir: Path,
    arguments: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    write_docs: str | None,
) -> None:
    from gan_topdis.cli.network import describe_network, open_network
    from gan_topdis.directions.ground_truth_factors import factor_meter
    from gan_topdis.run import RunRecord, open_run_directory, recorded
    from gan_topdis.run.record import append_result
    from gan_topdis.run.results import drop_unfinished_line, read_results

    generators = {
        name: open_network(name, device=config.device, trust_pickle=False, stylegan_repo=None)
        for name in config.networks
    }
    for generator in generators.values():
        factor_meter(generator)  # refuses before the directory is touched
    earlier = open_run_directory(
        outdir, "benchmark", OUTPUTS, can_resume=True, resume=resume, overwrite=overwrite
    )
    networks = {name: describe_network(g, name) for name, g in generators.items()}
    if earlier is not None:
        _require_same_settings(earlier.config, config, earlier.network, networks)
        networks = {**earlier.network, **networks}
    record = RunRecord(
        verb="benchmark",
        config=as_mapping(config),
        network=networks,
        command_line=["gan-topdis", *arguments],
        sessions=() if earlier is None else earlier.sessions,
    )
    drop_unfinished_line(outdir)
    finished = {(r["network"], r["method"], r["seed"]) for r in read_results(outdir)}
    # seeds outermost: an interrupted run has something of every network
    wanted = [
        (name, method, seed) for seed in config.seeds for name in config.networks for method in config.methods
    ]
    left = [cell for cell in wanted if cell not in finished]
    click.echo(f"{len(left)} searches to do, {len(wanted) - len(left)} done before", err=True)
    try:
        with recorded(record, outdir):
            _warm_up()
            for number, (name, method, seed) in enumerate(left, start=1):
                result = _cell(generators[name], method, seed, config, outdir)
                append_result(
                    outdir, {"verb": "benchmark", "network": name, "method": method, "seed": seed, **result}
                )
                _write_page(config, outdir, arguments, write_docs)
                click.echo(f"{number}/{len(left)} {name}, {method}, seed {seed}: {_brief(result)}", err=True)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{len(read_results(outdir))} searches are in {outdir}; continue with: {continuation(arguments)}"
        ) from None
    click.echo(_write_page(config, outdir, arguments, write_docs), nl=False)


def _cell(
    generator: Generator, method: str, seed: int, config: BenchmarkConfig, outdir: Path
) -> dict[str, Any]:
    """One search and its scores, as plain JSON values; `method` is a column of the table."""
    from gan_topdis.directions import discover
    from gan_topdis.directions.ground_truth import compare_with_truth
    from gan_topdis.directions.ground_truth_ceiling import supervised_directions
    from gan_topdis.directions.ground_truth_factors import factor_meter
    from gan_topdis.generators.analytic import with_hidden_axes
    from gan_topdis.run.resources import measured

    generator = with_hidden_axes(generator, seed)
    meter = factor_meter(generator)
    try:
        with measured() as resources:
            found: Directions = (
                supervised_directions(generator, meter, seed=seed)
                if method == CEILING
                else discover(generator, len(meter.names), seed=seed, **config.search(method))
            )
    except ValueError as error:
        if not raised_on_purpose(error):
            raise
        return {"status": "refused", "reason": one_line(error)}
    found.save(outdir / f"directions_{generator.name}_{method}_{seed}.npz")
    truth = compare_with_truth(generator, found, meter=meter, seed=seed)
    return {
        "status": "done",
        "recovery": truth.mean_recovery,
        "recovery_per_factor": None if truth.recovery is None else truth.recovery.round(5).tolist(),
        "disentanglement": truth.disentanglement,
        "disentanglement_of_squares": truth.disentanglement_of_squares,
        "completeness": truth.completeness,
        "seconds": round(resources.seconds, 2),
        "megabytes": None if resources.peak_megabytes is None else round(resources.peak_megabytes, 1),
        "factors": list(truth.response.factors),
        "response": truth.response.matrix.round(5).tolist(),
        "strengths": truth.response.strengths.round(5).tolist(),
        "unexplained": truth.response.unexplained,
        "displacements": truth.response.displacements.round(5).tolist(),
    }


def _write_page(
    config: BenchmarkConfig, outdir: Path, arguments: tuple[str, ...], write_docs: str | None
) -> str:
    from gan_topdis.generators.analytic import ANALYTIC
    from gan_topdis.generators.scene_factors import scene_factor_accuracy
    from gan_topdis.report.benchmark_page import benchmark_page
    from gan_topdis.run import write_atomically
    from gan_topdis.run.provenance import versions
    from gan_topdis.run.results import read_results

    accuracy = ", ".join(f"{name} {value:.3f}" for name, value in scene_factor_accuracy().items())
    about = {
        "scenes": "a lit ball over a floor, 6 factors of 10 rotated dimensions of z",
        "demo": "a StyleGAN2 trained on pictures of scenes, directions in w; R^2 of the network that "
        f"reads its factors off pictures, on rendered ones: {accuracy}",
        **{name: entry.about for name, entry in ANALYTIC.items()},
    }
    results = read_results(outdir)
    present = {result["network"] for result in results} | set(config.networks)
    used = {result["method"] for result in results} | set(config.methods)
    shown = [argument for argument in arguments if argument not in ("--overwrite", "--resume")]
    installed = versions()
    variants = [
        f" {name}: {method} with {', '.join(f'{key}={value}' for key, value in options.items())}."
        for name, (method, options) in VARIANTS.items()
        if name in used
    ]
    page = benchmark_page(
        results,
        networks={name: about[name] for name in NETWORKS if name in present},
        methods=[method for method in COLUMNS if method in used],
        command=shlex.join(["gan-topdis", *shown]),
        conditions=", ".join(f"{name} {installed[name]}" for name in ("gan_topdis", "torch"))
        + f", {platform.machine()}, device {config.device}."
        + "".join(variants),
        quick=config.quick,
    )
    write_atomically(outdir / PAGE_FILE, page)
    if write_docs is not None:
        write_atomically(write_docs, page)
    return page


def _require_same_settings(
    before: dict[str, Any], config: BenchmarkConfig, networks_before: dict[str, Any], networks: dict[str, Any]
) -> None:
    """Raises: ValueError: cells of the two runs are not comparable."""
    advice = "use the same settings, or another --outdir"
    for key, value in as_mapping(config).items():
        if key not in EXTENDABLE and before.get(key) != value:
            raise ValueError(f"the run to continue has --{key} {before.get(key)}, this one {value}; {advice}")
    for name, network in networks.items():
        known = networks_before.get(name)
        if known is not None and known["fingerprint"] != network["fingerprint"]:
            raise ValueError(
                f"the run to continue is of another {name} (fingerprint {known['fingerprint'][:12]}) than "
                f"this one ({network['fingerprint'][:12]}); give another --outdir, or --overwrite"
            )


def _warm_up() -> None:
    """Load the compiled kernels, so that the first search is not charged for it."""
    import torch

    from gan_topdis.persistence import pairwise_distances, rtd

    points = torch.linspace(0, 1, 24).reshape(1, 8, 3).requires_grad_()
    distances = pairwise_distances(points)
    rtd(distances, distances.detach().sqrt(), power=2).sum().backward()


def _brief(result: dict[str, Any]) -> str:
    if result["status"] == "refused":
        return f"not possible: {result['reason']}"
    recovery = "" if result["recovery"] is None else f"recovery {result['recovery']:.3f}, "
    return f"{recovery}disentanglement {result['disentanglement']:.3f}, {result['seconds']:.0f} s"
