"""Generators whose pictures are formulas of known factors, for measuring methods of discovery."""

from gan_topdis.generators.analytic.catalogue import ANALYTIC, analytic_generator
from gan_topdis.generators.analytic.generator import AnalyticGenerator

__all__ = ["ANALYTIC", "AnalyticGenerator", "analytic_generator"]
