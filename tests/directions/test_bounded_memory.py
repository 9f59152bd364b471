"""Memory of searches in large networks, measured in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LIMIT = 1000
"""MiB, the interpreter with torch (about 300) included."""
HERE = Path(__file__).parent


def measured(*arguments: str) -> dict[str, float]:
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "measure_memory.py"), *arguments]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    print(run.stdout)
    return json.loads(run.stdout)


@pytest.mark.slow
def test_an_18_layer_network_with_512_dimensions_is_searched_in_bounded_memory():
    """1024 pixels; few channels, so that it takes minutes: what is bounded is how many pictures and
    gradients are held, and that does not depend on the channels. The same search with 512 pictures at a time
    shows that the limit can be exceeded."""
    default = measured("1024", "2048", "b64")
    assert default["num_ws"] == 18
    assert default["shape"] == [2, 512]
    assert default["peak"] < LIMIT
    assert measured("1024", "2048", "b64", "512")["peak"] > LIMIT
