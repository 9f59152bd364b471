"""Shape matching: a cloud is moved until its points and its topology are those of a reference."""

from gan_topdis.shapes.diagram_curve import DiagramCurve
from gan_topdis.shapes.diagram_distance import diagram_distance
from gan_topdis.shapes.match import LOSSES, match
from gan_topdis.shapes.measure_distance import measure_distance
from gan_topdis.shapes.point_file import UnitScale, read_points, unit_scale
from gan_topdis.shapes.point_mmd import point_mmd_squared
from gan_topdis.shapes.reference_shapes import SHAPES, reference_shape
from gan_topdis.shapes.regularizers import REGULARIZERS, DiagramRegularizer, WassersteinPPMRegularizer
from gan_topdis.shapes.shape_match import ShapeMatch

__all__ = [
    "LOSSES",
    "REGULARIZERS",
    "SHAPES",
    "DiagramCurve",
    "DiagramRegularizer",
    "ShapeMatch",
    "UnitScale",
    "WassersteinPPMRegularizer",
    "diagram_distance",
    "match",
    "measure_distance",
    "point_mmd_squared",
    "read_points",
    "reference_shape",
    "unit_scale",
]
