"""Connectivity-optimised representations: the branched autoencoder, one-class scores and their evaluation."""

from gan_topdis.connectivity.area_under_roc import auc
from gan_topdis.connectivity.ball_counting import one_class_scores
from gan_topdis.connectivity.best_radius import BestRadius, best_radii, best_radius
from gan_topdis.connectivity.branched_linear import BranchedLinear
from gan_topdis.connectivity.connectivity_autoencoder import ConnectivityAutoencoder
from gan_topdis.connectivity.densification import (
    MeasuredDensification,
    Room,
    cross_polytope,
    guaranteed_neighbours,
    measured_densification,
    room_for_batches,
    samples_needed,
    smallest_support_radius,
)
from gan_topdis.connectivity.density_toy import DensityToy, density_toy
from gan_topdis.connectivity.fit import fit
from gan_topdis.connectivity.kernel_density import (
    gaussian_log_density,
    scott_bandwidth,
    truncated_exponential_density,
)
from gan_topdis.connectivity.matched_radius import matched_radius
from gan_topdis.connectivity.model_file import load
from gan_topdis.connectivity.one_class import OneClassReport, one_class_report, one_class_reports
from gan_topdis.connectivity.radius_rules import RuleAreas, one_class_by_rule

__all__ = [
    "BestRadius",
    "BranchedLinear",
    "ConnectivityAutoencoder",
    "DensityToy",
    "MeasuredDensification",
    "OneClassReport",
    "Room",
    "RuleAreas",
    "auc",
    "best_radii",
    "best_radius",
    "cross_polytope",
    "density_toy",
    "fit",
    "gaussian_log_density",
    "guaranteed_neighbours",
    "load",
    "matched_radius",
    "measured_densification",
    "one_class_by_rule",
    "one_class_report",
    "one_class_reports",
    "one_class_scores",
    "room_for_batches",
    "samples_needed",
    "scott_bandwidth",
    "smallest_support_radius",
    "truncated_exponential_density",
]
