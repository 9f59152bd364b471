"""Settings of the commands: frozen dataclasses, read from YAML; imports nothing heavy."""

from gan_topdis.config.discover import DiscoverConfig
from gan_topdis.config.seeds import format_seeds, parse_seeds
from gan_topdis.config.traverse import TraverseConfig
from gan_topdis.config.yaml_file import as_mapping, read_config, to_yaml

__all__ = [
    "DiscoverConfig",
    "TraverseConfig",
    "as_mapping",
    "format_seeds",
    "parse_seeds",
    "read_config",
    "to_yaml",
]
