"""The `gan-topdis` command. Verbs import torch when they run, so that help is quick."""

from gan_topdis.cli.group import main

__all__ = ["main"]
