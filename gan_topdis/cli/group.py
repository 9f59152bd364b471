"""The command group: one module per verb, imported when it is named or listed."""

from __future__ import annotations

from importlib import import_module

import click

import gan_topdis

VERBS = {
    "inspect": "gan_topdis.cli.inspect:inspect",
    "discover": "gan_topdis.cli.discover:discover",
    "traverse": "gan_topdis.cli.traverse:traverse",
    "export": "gan_topdis.cli.export:export",
    "import": "gan_topdis.cli.import_:import_",
    "apply": "gan_topdis.cli.apply:apply",
    "evaluate": "gan_topdis.cli.evaluate:evaluate",
    "train-vae": "gan_topdis.cli.train_vae:train_vae",
    "match-shapes": "gan_topdis.cli.match_shapes:match_shapes",
    "train-gan": "gan_topdis.cli.train_gan:train_gan",
    "train-connectivity": "gan_topdis.cli.train_connectivity:train_connectivity",
    "one-class": "gan_topdis.cli.one_class:one_class",
    "metrics": "gan_topdis.cli.metrics:metrics",
    "benchmark": "gan_topdis.cli.benchmark:benchmark",
}
"""Verb to `module:command`, in the order of the help."""


class VerbGroup(click.Group):
    """Verbs from `VERBS`; keeps the arguments as typed in `context.obj`, for records and advice."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module, _, attribute = VERBS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.obj = tuple(args)
        return super().parse_args(ctx, args)


@click.group(
    cls=VerbGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: gan-topdis discover --network scenes --outdir out",
)
@click.version_option(gan_topdis.__version__, prog_name="gan-topdis")
def main() -> None:
    """Find out what the latent space of a pretrained GAN can do."""
