"""`gan-topdis inspect`: what a network is."""

from __future__ import annotations

import json
from typing import Any

import click

from gan_topdis.cli.errors import expected_errors
from gan_topdis.cli.options import loading_options
from gan_topdis.config import DiscoverConfig


@click.command(epilog="Example: gan-topdis inspect network-snapshot-005000.pkl")
@click.argument("network")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@loading_options(DiscoverConfig)[2]
@loading_options(DiscoverConfig)[1]
@loading_options(DiscoverConfig)[0]
def inspect(network: str, as_json: bool, device: str, trust_pickle: bool, stylegan_repo: str | None) -> None:
    """Print family, sizes, layers and fingerprint of NETWORK, a file or a built-in name.

    The fingerprint is that of the tensors: the same network saved twice has the same.
    """
    with expected_errors():
        from gan_topdis.cli.network import describe_network, open_network

        generator = open_network(
            network, device=device, trust_pickle=trust_pickle, stylegan_repo=stylegan_repo
        )
        facts: dict[str, Any] = {
            **describe_network(generator, network),
            "latent_space": generator.latent_space,
            "reads_noise": generator.reads_noise,
            "known_factors": list(generator.known_factors.names) if generator.known_factors else None,
            "layers": [
                {
                    "index": row.index,
                    "resolution": row.resolution,
                    "kind": row.kind,
                    "modules": list(row.modules),
                }
                for row in generator.layer_table()
            ],
        }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    click.echo(_text(facts))


_LOADED = {
    "safe": "safe: nothing in the file was executed",
    "repo": "repo: code from the file was executed",
    "object": "object",
    "builtin": "builtin: a formula, no file",
}


def _text(facts: dict[str, Any]) -> str:
    from gan_topdis.report import printable

    height, width = facts["resolution"]
    c_dim, mapping = facts["c_dim"], facts["latent_space"] == "w"
    lines = [
        ("name", facts["name"]),
        ("family", facts["family"]),
        ("loaded", _LOADED.get(facts["load_mode"], facts["load_mode"])),
        ("pictures", f"{width} x {height} pixels, {facts['channels']} channels"),
        ("class", f"needed, --class 0 .. {c_dim - 1}" if c_dim else "none (unconditional)"),
        ("z_dim", str(facts["z_dim"])),
        ("w_dim", f"{facts['w_dim']}" + ("" if mapping else " (no mapping network: w is z)")),
        ("num_ws", str(facts["num_ws"])),
        ("noise", "read, see --noise-mode" if facts["reads_noise"] else "not read"),
        ("fingerprint", facts["fingerprint"]),
    ]
    if facts["file"]:
        lines.append(("file sha256", facts["file"]["sha256"]))
    if facts["known_factors"]:
        lines.append(("true factors", ", ".join(facts["known_factors"])))
    width = max(len(name) for name, _ in lines) + 2
    table = [f"{'layer':>5}  {'pixels':>6}  {'kind':<6}  feeds"] + [
        f"{row['index']:>5}  {row['resolution']:>6}  {row['kind']:<6}  {printable(', '.join(row['modules']))}"
        for row in facts["layers"]
    ]
    return "\n".join([*(f"{name:<{width}}{printable(text)}" for name, text in lines), "", *table])
