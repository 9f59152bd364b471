"""Generative adversarial networks: the Cramer GAN with PPM-Reg, and StyleGAN2's logistic objective."""

from gan_topdis.gan.cramer_gan import NETWORKS, OBJECTIVES, CramerGAN
from gan_topdis.gan.feature_classifier import (
    FeatureClassifier,
    classifier_accuracy,
    fit_feature_classifier,
    load_feature_classifier,
)
from gan_topdis.gan.fit import fit
from gan_topdis.gan.fresh_images import FreshImages, fresh_scenes
from gan_topdis.gan.logistic_task import LogisticSettings
from gan_topdis.gan.model_file import load

__all__ = [
    "NETWORKS",
    "OBJECTIVES",
    "CramerGAN",
    "FeatureClassifier",
    "FreshImages",
    "LogisticSettings",
    "classifier_accuracy",
    "fit",
    "fit_feature_classifier",
    "fresh_scenes",
    "load",
    "load_feature_classifier",
]
