"""Where Triton kernels are tested: in the interpreter without a GPU, on the GPU with the marker `cuda`."""

from __future__ import annotations

import os

import pytest

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"

DEVICES = (
    pytest.param(
        "cpu",
        marks=pytest.mark.skipif(not INTERPRETED, reason="compiled Triton kernels do not take CPU tensors"),
        id="interpreter",
    ),
    pytest.param("cuda", marks=pytest.mark.cuda, id="cuda"),
)
"""For `pytest.mark.parametrize("device", DEVICES)`."""
