"""A StyleGAN2 of our own in one file: tensors in safetensors, configuration as JSON in its metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from gan_topdis.generators.checkpoint_error import CheckpointError
from gan_topdis.generators.safetensors_file import NamedTensors
from gan_topdis.generators.stylegan2_ada import (
    MAX_ELEMENTS,
    MAX_FEATURES,
    MAX_IMAGE_CHANNELS,
    MAX_RESOLUTION,
    StyleGAN2ADAGenerator,
    generator_from_tensors,
)
from gan_topdis.generators.torch_storage import StoredTensor
from third_party import stylegan2_ada_pytorch as stylegan2

SETTINGS_KEY = "gan_topdis.stylegan2"
"""Key of the metadata whose value is the configuration."""


def save_stylegan2(
    network: stylegan2.Generator, path: str | os.PathLike[str], *, notes: Mapping[str, Any] | None = None
) -> None:
    """Write a generator that `load_generator` opens; an existing file is replaced only when complete.

    Args:
        notes: plain JSON about the training, kept in the file under `notes`.
    """
    from safetensors.torch import save_file

    target = Path(path)
    unfinished = target.with_name(target.name + ".part")
    settings = json.dumps(asdict(network.configuration))
    metadata = {SETTINGS_KEY: settings, "notes": json.dumps(dict(notes or {}))}
    try:
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
        save_file(tensors, unfinished, metadata=metadata)
        os.replace(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def stylegan2_from_file(tensors: NamedTensors, *, name: str, device: torch.device) -> StyleGAN2ADAGenerator:
    """The generator in a file of `save_stylegan2`.

    Raises:
        CheckpointError: the configuration is no configuration, or the tensors are not those of it.
    """
    configuration = configuration_from_json(tensors.metadata[SETTINGS_KEY])
    stored = {str(key): value for key, value in tensors.items() if isinstance(value, StoredTensor)}
    total = sum(tensor.size for tensor in stored.values())
    if total > MAX_ELEMENTS:
        raise CheckpointError(f"the generator has {total} numbers, more than the limit of {MAX_ELEMENTS}")
    return generator_from_tensors(configuration, stored, name=name, device=device)


def configuration_from_json(text: str) -> stylegan2.GeneratorConfiguration:
    """The configuration that `save_stylegan2` wrote; every value is checked.

    Raises:
        CheckpointError: it is not JSON, a setting is missing, unknown, or of another type or size.
    """
    try:
        values = json.loads(text)
        synthesis, mapping = dict(values.pop("synthesis")), dict(values.pop("mapping"))
        synthesis["channels"] = tuple(synthesis["channels"])
        taps = synthesis["resample_filter"]
        synthesis["resample_filter"] = tuple(tuple(t) if isinstance(t, list) else float(t) for t in taps)
        sizes = [*(values[key] for key in ("z_dim", "w_dim", "img_resolution", "img_channels"))]
        sizes += [*synthesis["channels"], mapping["num_layers"]]
        sizes += [size for key in ("embed_features", "layer_features") if (size := mapping[key]) is not None]
        if any(type(size) is not int for size in (*sizes, values["c_dim"])):
            raise ValueError("sizes should be whole numbers")
        if max(sizes) > MAX_FEATURES or values["c_dim"] > MAX_FEATURES or mapping["num_layers"] > 64:
            raise ValueError("a size is larger than any network's")
        if values["img_resolution"] > MAX_RESOLUTION or values["img_channels"] > MAX_IMAGE_CHANNELS:
            raise ValueError("the picture is larger than any network's")
        return stylegan2.GeneratorConfiguration(
            **values,
            synthesis=stylegan2.SynthesisConfiguration(**synthesis),
            mapping=stylegan2.MappingConfiguration(**mapping),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(
            f"its settings under {SETTINGS_KEY} are damaged ({type(error).__name__}: {str(error)[:80]}); "
            "save the network again"
        ) from None
