"""Results as pictures and pages: arrays in, PNG, GIF and HTML out; needs no network and no torch."""

from gan_topdis.report.animation import save_animation
from gan_topdis.report.autoencoder_sheets import reconstruction_sheet, vae_sheets
from gan_topdis.report.direction_sheet import direction_label, direction_sheet
from gan_topdis.report.evaluation import evaluation_summary, evaluation_table, render_evaluation
from gan_topdis.report.grid import RowLabel, contact_sheet
from gan_topdis.report.html import render_report
from gan_topdis.report.metrics import metric_line, metrics_json, metrics_text, render_metrics
from gan_topdis.report.one_class import one_class_csv, one_class_text, render_one_class
from gan_topdis.report.picture import require_picture_channels, thumbnails, to_picture, to_pixels
from gan_topdis.report.printable import printable
from gan_topdis.report.strengths import strength_label
from gan_topdis.report.strip import strip
from gan_topdis.report.summary import known_factor, summary
from gan_topdis.report.text_table import text_table

__all__ = [
    "RowLabel",
    "contact_sheet",
    "direction_label",
    "direction_sheet",
    "evaluation_summary",
    "evaluation_table",
    "known_factor",
    "metric_line",
    "metrics_json",
    "metrics_text",
    "one_class_csv",
    "one_class_text",
    "printable",
    "reconstruction_sheet",
    "render_evaluation",
    "render_metrics",
    "render_one_class",
    "render_report",
    "require_picture_channels",
    "save_animation",
    "strength_label",
    "strip",
    "summary",
    "text_table",
    "thumbnails",
    "to_picture",
    "to_pixels",
    "vae_sheets",
]
