"""Strengths as text."""

from __future__ import annotations


def strength_label(strength: float) -> str:
    """`+1.5 sd`, `-3 sd`, `0`: standard deviations of the latent along the direction."""
    rounded = round(strength, 2)
    return "0" if rounded == 0 else f"{rounded:+.3g} sd"
