"""Generators whose pictures are formulas of known factors, for measuring methods of discovery."""

from gan_topdis.generators.analytic.catalogue import ANALYTIC, analytic_generator
from gan_topdis.generators.analytic.generator import AnalyticGenerator
from gan_topdis.generators.analytic.hidden_axes import with_hidden_axes

__all__ = ["ANALYTIC", "AnalyticGenerator", "analytic_generator", "with_hidden_axes"]
