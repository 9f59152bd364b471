"""What a direction costs: the topological change of the picture cloud per visible change.

A cloud of N latents is moved along a direction by the TopDis quantile shift: a fixed amount of
probability of a Gaussian with the mean and standard deviation of the latent's coordinate along that
direction, in both signs. Where the coordinate is Gaussian, as in z, the moved cloud is again a cloud of
typical latents; in w, whose coordinates are skewed, this is an approximation. With A and B the distance
matrices of the N pictures before and after, each divided by its 0.9 quantile,

    distortion = sqrt( (1/N) L_RTD(A, B; power 2) ) / displacement
    displacement = rms |F(moved) - F(original)| / median |F(i) - F(j)|

L_RTD is the four-term sum of `persistence.rtd`. Unlike in TopDis' training loss the quantiles are
differentiated, because here the quotient itself is what descends. Numerator and denominator are both of
first order in the shift, so that the quotient compares directions at equal visible displacement without
having to find, for each, the shift that attains it; a direction that changes nothing is 0/0 and not 0,
and is kept out by `informative_subspace`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from gan_topdis.directions.latent_samples import LatentSampler, LatentStatistics
from gan_topdis.losses.ppm_regularizer import PPMRegularizer
from gan_topdis.losses.quantile_shift import AMOUNT, MARGIN, quantile_shift
from gan_topdis.losses.rtd_loss import distance_quantile
from gan_topdis.persistence import pairwise_distances, rtd
from gan_topdis.tensors import widest_float

_FLOOR = 1e-12
"""Added to RTD before its logarithm: exactly isometric shifts stay finite."""
_EVALUATED_AT_ONCE = 4
"""Vectors whose features are held together in an evaluation, to bound memory."""
_SPARE = 1.25
"""Latents drawn per latent needed, beyond those that the shift sends out of range."""


@dataclass(frozen=True)
class Cloud:
    """Latents (n, num_ws, w_dim), their features (n, p) and distances (n, n), without gradient; and the
    seed of the subsamples that the PPM regulariser draws from it."""

    ws: Tensor
    features: Tensor
    distances: Tensor
    subsample_seed: int = 0


@dataclass(frozen=True)
class ShiftCost:
    """Attributes, each (r,): logarithm of the distortion; visible displacement of the shift as a share
    of the median distance between pictures; consistency, the mean cosine between the changes of two
    pictures (1: every picture changes alike); penalty, the weighted PPM regulariser, 0 without one."""

    log_distortion: Tensor
    displacement: Tensor
    consistency: Tensor
    penalty: Tensor

    @property
    def total(self) -> Tensor:
        """What a search minimises, (r,)."""
        return self.log_distortion + self.penalty

    def cpu(self) -> ShiftCost:
        return ShiftCost(
            self.log_distortion.cpu(), self.displacement.cpu(), self.consistency.cpu(), self.penalty.cpu()
        )

    @staticmethod
    def joined(parts: Sequence[ShiftCost]) -> ShiftCost:
        """Costs of all directions of the parts, in order."""
        return ShiftCost(
            log_distortion=torch.cat([part.log_distortion for part in parts]),
            displacement=torch.cat([part.displacement for part in parts]),
            consistency=torch.cat([part.consistency for part in parts]),
            penalty=torch.cat([part.penalty for part in parts]),
        )


class ShiftObjective:
    """Costs of candidate directions on clouds of one generator.

    Args:
        sampler: draws latents and makes features.
        statistics: mean and covariance of the latent, for the coordinate along a direction.
        amount: probability by which latents are shifted, in (0, 1/2].
        ppm_weight: of the PPM regulariser between the moved and the unmoved cloud, each over its 0.9
            quantile of distances; 0 leaves it out.
    """

    def __init__(
        self,
        sampler: LatentSampler,
        statistics: LatentStatistics,
        *,
        amount: float = AMOUNT,
        ppm_weight: float = 0.0,
    ) -> None:
        if not 0 < amount <= 0.5:
            raise ValueError(f"amount should be in (0, 0.5], got {amount}")
        self.sampler = sampler
        self.amount = amount
        self.ppm_weight = ppm_weight
        self._ppm = PPMRegularizer() if ppm_weight else None
        device = sampler.generator.device
        # float64 is needed from the coordinates on, and Apple's GPUs have none
        self._device = device if widest_float(device) == torch.float64 else torch.device("cpu")
        self._statistics = statistics.to(self._device)

    def cloud(self, points: int, rng: torch.Generator) -> Cloud:
        """A fresh cloud, large enough that `points` of it survive a shift of either sign."""
        ws = self.sampler.draw(round(points / (1 - self.amount) * _SPARE), rng)
        with torch.no_grad():
            features = self.sampler.features(ws).to(self._device)
        # drawn only where it is used, so that searches without the regulariser draw what they always drew
        seed = int(torch.randint(2**62, (), generator=rng)) if self._ppm is not None else 0
        return Cloud(ws, features, pairwise_distances(features.double()).float(), seed)

    def costs(
        self,
        cloud: Cloud,
        vectors: Float[Tensor, "r w_dim"],
        points: int,
        *,
        signs: tuple[float, ...] = (1.0, -1.0),
    ) -> ShiftCost:
        """Costs of unit vectors on the first `points` latents that each shift keeps in range.

        Averages over the given signs of the shift; both make the cost even in the vector, one halves
        the work. Differentiable in `vectors`.
        """
        r, n = vectors.shape[0], cloud.ws.shape[0]
        v = vectors.to(self._device).double()
        spread = self._statistics.standard_deviation(v)
        latent = self.sampler.latent(cloud.ws).to(self._device).double()
        standard = (latent - self._statistics.mean) @ v.T / spread  # (n, r)
        sign = torch.tensor(signs, device=v.device, dtype=v.dtype)[:, None, None]  # (s, 1, 1)
        moved, valid = quantile_shift(standard.expand(len(signs), n, r), sign * self.amount, margin=MARGIN)
        # Fixed-size clouds: the first `points` valid rows. Should fewer be valid, which the spare
        # makes improbable, clamped ones follow: they move less.
        rows = valid.byte().sort(dim=1, descending=True, stable=True).indices[:, :points]  # (s, N, r)
        step = ((moved - standard) * spread).gather(1, rows)  # latent units
        rows = rows.transpose(1, 2)  # (s, r, N)
        step = step.transpose(1, 2)
        shift = (step[..., None] * v[:, None, :]).to(torch.float32).to(cloud.ws.device)  # (s, r, N, w_dim)
        moved_ws = cloud.ws[rows.flatten().to(cloud.ws.device)]
        after = self.sampler.features(moved_ws, shift.flatten(0, 2)).to(self._device)
        after = after.unflatten(0, rows.shape)
        change = after - cloud.features[rows]  # (s, r, N, p)

        before = cloud.distances[rows[..., :, None], rows[..., None, :]]  # (s, r, N, N)
        distances = pairwise_distances(after)
        divergence = rtd(_normalised(before), _normalised(distances), power=2).mean(dim=0) / points  # (r,)
        median = cloud.distances[torch.ones_like(cloud.distances).triu(1) > 0].median()
        displacement = change.square().sum(dim=-1).mean(dim=(0, 2)).sqrt() / median
        log_distortion = 0.5 * torch.log(divergence + _FLOOR) - torch.log(displacement + _FLOOR)
        penalty = self._penalty(cloud, rows, before, after, distances)
        return ShiftCost(log_distortion, displacement, _consistency(change.detach()), penalty)

    def _penalty(
        self,
        cloud: Cloud,
        rows: Int[Tensor, "s r n"],
        before: Float[Tensor, "s r n n"],
        after: Float[Tensor, "s r n p"],
        distances: Float[Tensor, "s r n n"],
    ) -> Float[Tensor, " r"]:
        """Weighted PPM regulariser of each candidate, mean over signs; its subsamples are the same for
        all, so that candidates are compared and company changes nothing."""
        if self._ppm is None:
            return torch.zeros(rows.shape[1], device=after.device)
        moved = after / _scale(distances)[..., None, None]  # (s, r, n, p)
        unmoved = cloud.features[rows] / _scale(before)[..., None, None]
        values = [
            self._ppm(x, y, generator=torch.Generator().manual_seed(cloud.subsample_seed))
            for x, y in zip(moved.flatten(0, 1), unmoved.flatten(0, 1), strict=True)
        ]
        return self.ppm_weight * torch.stack(values).unflatten(0, rows.shape[:2]).mean(dim=0)

    def evaluate(self, cloud: Cloud, vectors: Float[Tensor, "r w_dim"], points: int) -> ShiftCost:
        """`costs` of any number of vectors, without gradient, a few at a time."""
        with torch.no_grad():
            parts = [
                self.costs(cloud, part, points)
                for part in vectors.to(self.sampler.generator.device).split(_EVALUATED_AT_ONCE)
            ]
        return ShiftCost.joined(parts)


def _normalised(distances: Float[Tensor, "*b n n"]) -> Float[Tensor, "*b n n"]:
    return distances / _scale(distances)[..., None, None]


def _scale(distances: Float[Tensor, "*b n n"]) -> Float[Tensor, "*b"]:
    """The 0.9 quantile; 1 for a collapsed cloud."""
    quantile = distance_quantile(distances)
    return torch.where(quantile > 0, quantile, 1.0)


def _consistency(change: Float[Tensor, "s r n p"]) -> Float[Tensor, " r"]:
    """Mean over pairs of different samples of the cosine between their changes, averaged over signs."""
    unit = torch.nn.functional.normalize(change, dim=-1)
    n = unit.shape[2]
    total = unit.sum(dim=2).square().sum(dim=-1)  # sum over all pairs, the n equal ones included
    return ((total - n) / (n * (n - 1))).mean(dim=0)
