"""Ten procedural sprites as text; `python tests/data/golden_sprites.py` writes the file anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gan_topdis.data.procedural_dsprites import draw_sprites

FILE = Path(__file__).with_name("golden_sprites.txt")
# shape, scale, orientation, x, y
FACTORS = np.array(
    [
        (0, 0, 0, 0, 0),
        (0, 5, 5, 31, 31),
        (0, 3, 17, 12, 20),
        (1, 0, 10, 31, 0),
        (1, 5, 0, 16, 16),
        (1, 4, 27, 5, 25),
        (2, 0, 0, 16, 16),
        (2, 5, 0, 16, 16),
        (2, 5, 13, 0, 31),
        (2, 3, 38, 20, 9),
    ]
)


def as_text() -> str:
    images = draw_sprites(FACTORS, 32)[:, 0]  # (10, 32, 32)
    pictures = ["\n".join("".join(".#"[pixel] for pixel in line) for line in image) for image in images]
    return "\n\n".join(pictures) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text())
