"""The one training loop: batches, processes, precision, logs, checkpoints, exact resume. Knows no models."""

from gan_topdis.training.batches import Batches
from gan_topdis.training.checkpoint import load_checkpoint, save_checkpoint
from gan_topdis.training.compute import PRECISIONS, Compute, start_compute
from gan_topdis.training.csv_log import CSVLog
from gan_topdis.training.gradients import apply_gradients, gradients_of
from gan_topdis.training.image_source import FINGERPRINT, ImageSource, image_source
from gan_topdis.training.loop import Task, TrainingProgress, train
from gan_topdis.training.model_file import load_model, save_model

__all__ = [
    "FINGERPRINT",
    "PRECISIONS",
    "Batches",
    "CSVLog",
    "Compute",
    "ImageSource",
    "Task",
    "TrainingProgress",
    "apply_gradients",
    "gradients_of",
    "image_source",
    "load_checkpoint",
    "load_model",
    "save_checkpoint",
    "save_model",
    "start_compute",
    "train",
]
