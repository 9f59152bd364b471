"""Topological discovery of latent directions in pretrained GANs, and the persistence code behind it.

The parts are imported when used: `gan_topdis.persistence`, `gan_topdis.losses`,
`gan_topdis.generators`, `gan_topdis.directions`. Importing this package alone imports nothing heavy.
"""

__version__ = "0.1.0"
__all__ = ["__version__"]
