"""The TopDis loss: topology of a batch of reconstructions before and after a shift of one latent coordinate.

Source: Balabin et al., Disentanglement Learning via Topology, arXiv:2308.12696: shift by quantiles (Prop. 1),
    comparison by the four-term RTD. Margin of the mask, rule for dead coordinates and the bound on detached
    quantiles are ours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_topdis.losses.quantile_shift import AMOUNT, MARGIN, quantile_shift
from gan_topdis.losses.rtd_loss import RTDLoss
from gan_topdis.tensors import as_float64

DEAD = 1e-6
"""Standard deviation over the batch below which a coordinate is dead: it has no quantiles to shift by."""


@dataclass(frozen=True)
class TopDisStep:
    """Attributes: the loss, a scalar tensor; the shifted coordinate, -1 where all are dead; the sign of the
    shift; how many codes had an image under it."""

    loss: Float[Tensor, ""]
    coordinate: int
    sign: int
    valid: int


class TopDisLoss(nn.Module):
    """RTD between decoded codes and the same codes with one coordinate shifted by an amount of probability.

    Each call draws one coordinate and one sign for the whole batch.

    Args:
        amount: probability of the shift, in (0, 1/2].
        margin: probability kept free at both ends, where the shift is too steep; 0 masks as the authors'
            code does.
        sides, symmetric, power: of `RTDLoss`; distances of both clouds are divided by their own 0.9 quantile.
        weights: (d,) numbers >= 0 that coordinates are drawn in proportion to, e.g. the norms of the columns
            of the decoder's first layer (`weightnorm_sampler` of the authors' scripts); alike when None.
        feature_map: images (n, ...) to the features (n, ...) that are compared; pixels when None.
        detach_batch_statistics: no gradient through mean and standard deviation of the coordinate.
    """

    def __init__(
        self,
        amount: float = AMOUNT,
        margin: float = MARGIN,
        sides: str = "minmax",
        symmetric: bool = True,
        power: float = 1,
        *,
        weights: Sequence[float] | Tensor | None = None,
        feature_map: Callable[[Tensor], Tensor] | None = None,
        detach_batch_statistics: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < amount <= 0.5:
            raise ValueError(f"amount should be in (0, 1/2], got {amount}")
        if not 0 <= margin < 0.5:
            raise ValueError(f"margin should be in [0, 1/2), got {margin}")
        self.amount = amount
        self.margin = margin
        self.divergence = RTDLoss(sides=sides, symmetric=symmetric, power=power)
        self.weights = None if weights is None else _checked_weights(weights)
        self.feature_map = feature_map
        self.detach_batch_statistics = detach_batch_statistics

    def forward(
        self,
        codes: Float[Tensor, "n d"],
        decode: Callable[[Tensor], Tensor],
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """The loss of one step; see `step`."""
        return self.step(codes, decode, generator=generator).loss

    def step(
        self,
        codes: Float[Tensor, "n d"],
        decode: Callable[[Tensor], Tensor],
        *,
        images: Float[Tensor, "n ..."] | None = None,
        weights: Sequence[float] | Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> TopDisStep:
        """One step and what was drawn for it.

        Args:
            codes: sampled codes or posterior means of a batch, graph kept.
            decode: codes (m, d) to images (m, ...); called once. TopDis compares images in [0, 1]: apply
                the sigmoid of a Bernoulli decoder here.
            images: what `decode` makes of the codes, graph kept, where it is at hand: then only shifted
                codes are decoded. Value and gradient are the same, unless the decoder looks at its batch.
            weights: (d,) of this step, in place of those of the loss: a decoder changes under training.
            generator: of the CPU, draws coordinate and sign; torch's global one by default.

        Returns:
            A loss >= 0, dimensionless. It is 0, with a gradient of 0, when all coordinates are dead, when
            fewer than two codes have an image, or when images have collapsed to a point.

        Raises:
            ValueError: codes are not (n, d) or not finite, or fit neither the weights nor the decoder.
        """
        if codes.ndim != 2 or 0 in codes.shape or not codes.is_floating_point():
            raise ValueError(f"codes should be floating point (n, d), got {tuple(codes.shape)} {codes.dtype}")
        if not torch.isfinite(codes).all():
            raise ValueError("codes should be finite, got NaN or infinity")
        chosen = self.weights if weights is None else _checked_weights(weights)
        coordinate, sign = self._drawn(codes.detach(), chosen, generator)
        if coordinate < 0:
            return TopDisStep(0.0 * codes.sum(), -1, sign, 0)
        column = as_float64(codes[:, coordinate])
        mean, spread = column.mean(), column.std()
        if self.detach_batch_statistics:
            mean, spread = mean.detach(), spread.detach()
        standard = (column - mean) / spread
        moved, mask = quantile_shift(standard, sign * self.amount, margin=self.margin)
        moved = torch.where(mask, moved, 0)  # infinite at margin 0, and 0 * infinity is no gradient
        mask = mask.to(codes.device)
        kept = codes[mask]  # (m, d)
        if len(kept) < 2:
            return TopDisStep(0.0 * codes.sum(), coordinate, sign, len(kept))
        place = torch.arange(codes.shape[1], device=codes.device) == coordinate  # (d,)
        shifted = torch.where(
            place, (mean + spread * moved).to(codes.dtype).to(codes.device)[mask, None], kept
        )
        asked = torch.cat([kept, shifted]) if images is None else shifted
        decoded = decode(asked)
        if decoded.ndim < 2 or len(decoded) != len(asked):
            raise ValueError(
                f"decode should return one image per code, (m, ...), got {tuple(decoded.shape)} for "
                f"{len(asked)} codes"
            )
        if images is not None:
            if images.shape != (len(codes), *decoded.shape[1:]):
                raise ValueError(
                    f"images should be what decode makes of the codes, {(len(codes), *decoded.shape[1:])}, "
                    f"got {tuple(images.shape)}"
                )
            decoded = torch.cat([images[mask], decoded])
        features = decoded if self.feature_map is None else self.feature_map(decoded)
        if features.ndim < 2 or len(features) != 2 * len(kept):
            raise ValueError(
                f"feature_map should return one row per image, (m, ...), got {tuple(features.shape)} for "
                f"{2 * len(kept)} images"
            )
        before, after = features.split(len(kept))
        return TopDisStep(self.divergence(before, after), coordinate, sign, len(kept))

    def _drawn(
        self, codes: Tensor, weights: Tensor | None, generator: torch.Generator | None
    ) -> tuple[int, int]:
        """Coordinate, -1 where all are dead, and sign. As many random numbers whatever the codes."""
        uniform = torch.rand(2, generator=generator, dtype=torch.float64)
        sign = 1 if uniform[1] < 0.5 else -1
        n, d = codes.shape
        if weights is not None and len(weights) != d:
            raise ValueError(f"codes should have {len(weights)} coordinates, one per weight, got {d}")
        if n < 2:
            return -1, sign
        alive = (as_float64(codes).std(dim=0) >= DEAD).cpu()
        chances = alive.double() if weights is None else alive * weights
        if not chances.sum() > 0:
            return -1, sign
        below = chances.cumsum(dim=0) <= uniform[0] * chances.sum()
        return int(below.sum().clamp(max=int(chances.nonzero().max()))), sign

    def extra_repr(self) -> str:
        return (
            f"amount={self.amount}, margin={self.margin}, weights={None if self.weights is None else '...'}, "
            f"detach_batch_statistics={self.detach_batch_statistics}"
        )


def _checked_weights(weights: Sequence[float] | Tensor) -> Float[Tensor, " d"]:
    chances = torch.as_tensor(weights).detach().cpu().double()
    if chances.ndim != 1 or not len(chances) or not torch.isfinite(chances).all() or (chances < 0).any():
        raise ValueError(f"weights should be d finite numbers >= 0, got shape {tuple(chances.shape)}")
    if not chances.sum() > 0:
        raise ValueError("weights should not all be 0")
    return chances
