"""FactorVAE's and DAVA's discriminators: shapes, shuffles, values by hand, who feels which term."""

from __future__ import annotations

import math

import pytest
import torch
from small_vaes import rng, small_objective, small_vae, squares
from torch import nn
from torch.nn import functional

from gan_topdis.vae import VAE, build_objective
from gan_topdis.vae.objectives.dava import DAVA, resample_coordinates
from gan_topdis.vae.objectives.factor import FactorVAE, permute_coordinates

# FactorVAE


def test_factor_discriminator_as_published():
    """d-1000 x 6-2: 7 linear layers, LeakyReLU 0.2 between."""
    discriminator = FactorVAE(10).discriminator
    linear = [layer for layer in discriminator if isinstance(layer, nn.Linear)]
    assert [(layer.in_features, layer.out_features) for layer in linear] == [
        (10, 1000),
        *[(1000, 1000)] * 5,
        (1000, 2),
    ]
    leaky = [layer for layer in discriminator if isinstance(layer, nn.LeakyReLU)]
    assert len(leaky) == 6 and all(layer.negative_slope == 0.2 for layer in leaky)


def test_permutation_keeps_marginals_and_breaks_rows():
    codes = torch.arange(200.0).reshape(100, 2)
    permuted = permute_coordinates(codes, rng())
    assert torch.equal(permuted.sort(dim=0).values, codes)
    together = (permuted[:, 1] - permuted[:, 0] == 1).sum()
    assert int(together) < 8  # of 100; 1 expected, Poisson
    assert torch.equal(permuted, permute_coordinates(codes, rng()))
    assert not torch.equal(permuted, permute_coordinates(codes, rng(1)))


class Reads(nn.Module):
    """Discriminator with logits (slope * first coordinate, 0)."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, codes):
        return torch.stack([self.slope * codes[:, 0], torch.zeros_like(codes[:, 0])], dim=1)


def test_factor_terms_and_loss_by_hand():
    """TC is the mean of 2 z_0; the loss is the mean softplus of the logits towards their class."""
    vae, images = small_vae(), squares()
    objective = FactorVAE(3, weight=5.0, width=4)
    objective.discriminator = Reads(2.0)
    other = images.roll(7, 0)
    terms = objective.terms(vae, images, other, rng())
    correlation = 2 * terms.codes[:, 0].mean()
    assert terms.logs["total_correlation"] == pytest.approx(float(correlation.detach()), rel=1e-5)
    assert terms.logs["rest"] == pytest.approx(terms.logs["kl"] + 5 * float(correlation.detach()), rel=1e-5)
    loss = objective.adversary_loss(vae, images, other, rng(3), terms)
    generator = rng(3)
    mu, logvar = vae.posterior(other)
    apart = mu + (logvar / 2).exp() * torch.randn(mu.shape, generator=generator)
    apart = permute_coordinates(apart, generator)
    expected = (
        functional.softplus(-2 * terms.codes[:, 0]).mean() + functional.softplus(2 * apart[:, 0]).mean()
    ) / 2
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_the_density_ratio_of_a_perfect_discriminator_is_the_total_correlation():
    """Trained on a correlated Gaussian, mean(D0 - D1) comes near its total correlation -log(1 - r^2) / 2."""
    r = 0.9
    generator = rng()
    objective = FactorVAE(2, width=64, depth=2)
    optimiser = torch.optim.Adam(objective.parameters(), 3e-3)
    for _ in range(250):
        z = torch.randn(256, 2, generator=generator)
        z = torch.stack([z[:, 0], r * z[:, 0] + math.sqrt(1 - r * r) * z[:, 1]], dim=1)
        scores = objective.discriminator(torch.cat([z, permute_coordinates(z, generator)]))
        optimiser.zero_grad()
        functional.cross_entropy(scores, torch.arange(2).repeat_interleave(256)).backward()
        optimiser.step()
    with torch.no_grad():
        scores = objective.discriminator(z)
    # the estimate scatters by about .1 with the last batches
    assert float((scores[:, 0] - scores[:, 1]).mean()) == pytest.approx(-math.log(1 - r * r) / 2, abs=0.3)


def test_factor_needs_a_second_batch():
    vae, images = small_vae(), squares()
    objective = small_objective("factor", vae)
    assert objective.needs_other_images
    terms = objective.terms(vae, images, None, rng())
    with pytest.raises(ValueError, match="FactorVAE needs other_images, a second batch, got None"):
        objective.adversary_loss(vae, images, None, rng(), terms)


# DAVA


def test_dava_discriminator_as_published():
    """The L encoder for L (S with 256 otherwise), one output; norms after each ReLU, batch norm last."""
    for architecture, hidden in (("L", 512), ("S", 256)):
        vae = VAE(1, 64, architecture=architecture)
        discriminator = build_objective("dava", vae, 100).discriminator
        kinds = [type(layer) for layer in discriminator]
        stage = [nn.Conv2d, nn.ReLU, nn.InstanceNorm2d]
        assert kinds == [*stage * 4, nn.Conv2d, nn.ReLU, nn.BatchNorm2d, nn.Conv2d, nn.Flatten]
        assert discriminator[12].out_channels == discriminator[14].num_features == hidden
        assert discriminator(torch.rand(3, 1, 64, 64)).shape == (3, 1)


def test_resampling_keeps_columns_and_repeats():
    codes = torch.arange(400.0).reshape(200, 2)
    drawn = resample_coordinates(codes, rng())
    for j in range(2):
        assert set(drawn[:, j].tolist()) <= set(codes[:, j].tolist())
        # with replacement, 200 (1 - 1/e) = 126 different values, standard deviation about 5
        assert len(set(drawn[:, j].tolist())) == pytest.approx(126, abs=25)
    assert torch.equal(drawn, resample_coordinates(codes, rng()))


def mean_pixel(x):
    return x.mean(dim=(1, 2, 3))[:, None]


class Brightness(nn.Module):
    """Logit: slope times the mean pixel."""

    def __init__(self, slope):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(slope))

    def forward(self, x):
        return self.slope * mean_pixel(x)


def adversarial_gradients(encoder_weight, decoder_weight, accuracy=0.75):
    """Gradients of encoder and decoder by the adversarial terms alone."""
    vae, images = small_vae(), squares()
    objective = small_objective("dava", vae, encoder_weight=encoder_weight, decoder_weight=decoder_weight)
    objective.accuracy.fill_(accuracy)
    terms = objective.terms(vae, images, None, rng())
    objective.accuracy.fill_(0.5)
    without = objective.terms(vae, images, None, rng())
    parameters = [*vae.encoder.parameters(), *vae.decoder.parameters()]
    gradients = torch.autograd.grad(
        terms.rest - without.rest, parameters, allow_unused=True, materialize_grads=True
    )
    split = len(list(vae.encoder.parameters()))
    return [float(sum(g.abs().sum() for g in part)) for part in (gradients[:split], gradients[split:])]


def test_each_adversarial_term_acts_on_its_own_half():
    # the difference of equal KL gradients is 0 to rounding; 1e-3 of the smaller wanted gradient is far off
    encoder, decoder = adversarial_gradients(0.3, 0.0)
    assert encoder > 1e-3 and decoder == 0
    encoder, decoder = adversarial_gradients(0.0, 0.5)
    assert encoder < 1e-6 * decoder and decoder > 1e-3
    assert adversarial_gradients(0.3, 0.5, accuracy=0.5) == [0, 0]


@pytest.mark.parametrize("n", [64, 7, 2])
def test_dava_terms_and_loss_by_hand(n):
    """A discriminator that looks at each picture alone: halves are put back in order, labels are right."""
    vae, images = small_vae(), squares()[:n]
    objective = small_objective("dava", vae)
    objective.discriminator = Brightness(3.0)
    objective.accuracy.fill_(0.75)  # weights 7.5 and .001
    generator = rng(2)
    terms = objective.terms(vae, images, None, generator)

    generator = rng(2)
    torch.randn(terms.codes.shape, generator=generator)  # the codes' noise
    real = 3 * mean_pixel(vae.decode(terms.codes))
    fake = 3 * mean_pixel(vae.decode(resample_coordinates(terms.codes, generator)))
    # BCE towards 0 is softplus(logit), towards 1 softplus(-logit); KL is small: C = 0
    adversarial = 7.5 * functional.softplus(real).sum() + 0.001 * functional.softplus(-fake).sum()
    capacity = 500 * (terms.logs["kl"] / 3) ** 4
    assert terms.logs["rest"] == pytest.approx(capacity + float(adversarial.detach()), rel=1e-5)

    loss = objective.adversary_loss(vae, images, None, rng(4), terms)
    generator = rng(4)
    fake = 3 * mean_pixel(vae.decode(resample_coordinates(terms.codes, generator)))[:, 0]
    smooth = torch.rand(2, n, generator=generator)
    one, zero = 1 - 0.6 * smooth[0], 0.6 * smooth[1]
    expected = functional.softplus(real[:, 0]) - one * real[:, 0] + functional.softplus(fake) - zero * fake
    assert float(loss.detach()) == pytest.approx(float(expected.detach().sum()), rel=1e-5)
    # mean pixels near 1/2: probability sigmoid(1.5) = .82 > .6 of everything, so half the answers are right
    assert float(objective.accuracy) == 0.5


@pytest.mark.parametrize(("slope", "accuracy"), [(0.0, 0.5), (1.0, 0.5), (-3.0, 0.5)])
def test_one_sided_answers_are_half_right(slope, accuracy):
    """Probability 1/2 counts as "decoding": the threshold is .6."""
    vae, images = small_vae(), squares()
    objective = small_objective("dava", vae)
    objective.discriminator = Brightness(slope)
    objective.adversary_loss(vae, images, None, rng(), objective.terms(vae, images, None, rng()))
    assert float(objective.accuracy) == accuracy


def test_norms_see_mixed_batches():
    """Each of the two batches holds half reconstructions and half decodings, so one call sees both kinds."""
    seen = []

    class Watches(nn.Module):
        def forward(self, x):
            seen.append(x[:, 0, 0, 0].tolist())
            return x[:, :1, 0, 0]

    objective = DAVA(1, 16, hidden=4)
    objective.discriminator = Watches()
    real, fake = (torch.arange(5.0)[:, None, None, None] + start for start in (0, 10))
    on_real, on_fake = objective._judge(real, fake, fixed=False)
    assert seen == [[0, 1, 12, 13, 14], [2, 3, 4, 10, 11]]
    assert on_real.tolist() == [0, 1, 2, 3, 4] and on_fake.tolist() == [10, 11, 12, 13, 14]


def test_dava_needs_two_images():
    vae = small_vae()
    with pytest.raises(ValueError, match="DAVA needs batches of at least 2 images, got 1"):
        small_objective("dava", vae).terms(vae, squares()[:1], None, rng())
