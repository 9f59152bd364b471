"""GANs and images small enough for a test."""

from __future__ import annotations

import numpy as np
import torch

from gan_topdis.gan.cramer_gan import CramerGAN
from gan_topdis.gan.cramer_task import CramerSettings, CramerTask
from gan_topdis.gan.logistic_task import LogisticSettings, LogisticTask
from gan_topdis.gan.published_regularizer import published_regularizer
from gan_topdis.gan.real_images import real_images
from gan_topdis.training import start_compute

BATCH = 8
CPU = start_compute("cpu")


def some_images(count: int, channels: int, resolution: int) -> np.ndarray:
    return np.random.default_rng(0).integers(
        256, size=(count, channels, resolution, resolution), dtype=np.uint8
    )


def cramer_task(gan: CramerGAN, images: np.ndarray, **settings) -> CramerTask:
    return CramerTask(
        gan,
        real_images(images, BATCH, 0, CPU),
        CPU,
        batch_size=BATCH,
        settings=CramerSettings(**settings),
        ppm=published_regularizer(gan.resolution, subsamples=64),
        seed=0,
    )


def logistic_task(gan: CramerGAN, images: np.ndarray, **settings) -> LogisticTask:
    return LogisticTask(
        gan,
        real_images(images, BATCH, 0, CPU),
        CPU,
        batch_size=BATCH,
        settings=LogisticSettings(**settings),
        seed=0,
    )


def tiny_stylegan2(objective: str) -> CramerGAN:
    torch.manual_seed(0)
    return CramerGAN(3, 8, objective=objective, network="stylegan2", latent=4, width=4)


def copies(parameters) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters]
