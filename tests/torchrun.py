"""Runs in two processes of torchrun, by gloo."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def in_two_processes(*arguments: str, timeout: float) -> str:
    """What a script, or `-m` and a module, and its arguments print; a failure fails the test."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node=2",
        *arguments,
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, env=environment, cwd=TESTS.parent
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
