"""What all six objectives keep: they train, seeds decide, gradients stay where they belong, state resumes."""

from __future__ import annotations

import math

import pytest
import torch
from small_vaes import LATENT, adams, rng, small_objective, small_vae, squares, step

from gan_topdis.vae import OBJECTIVES, build_objective
from gan_topdis.vae.objectives.objective import frozen, kl_divergence, reconstruction_loss, sampled

NAMES = ["vae", "beta", "factor", "beta_tc", "control", "dava"]
ADVERSARIAL = ["factor", "dava"]


def test_registry():
    assert list(OBJECTIVES) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_training_lowers_the_loss(name):
    """64 squares, 30 steps: an untrained decoder says 1/2 everywhere, 256 log 2 nats an image."""
    vae, images, generator = small_vae(), squares(), rng()
    objective = small_objective(name, vae)
    optimisers = adams(objective, vae, 3e-3)
    done = [step(objective, vae, optimisers, images, generator)[0] for _ in range(30)]
    losses = [float(t.reconstruction.detach() + t.rest.detach()) for t in done]
    reconstructions = [t.logs["reconstruction"] for t in done]
    assert reconstructions[0] == pytest.approx(256 * math.log(2), rel=0.1)
    # a decoder without codes reaches about 62 of 177
    assert max(reconstructions[-3:]) < 0.5 * reconstructions[0]
    assert max(losses[-3:]) < 0.75 * losses[0]


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_the_adversary_learns(name):
    """Codes and pictures that a discriminator can tell apart: its loss falls below chance, VAE held fixed."""
    vae, images, generator = small_vae(), squares(), rng()
    objective = small_objective(name, vae)
    with torch.no_grad():  # coordinates 0 and 1 of a code are the same, sharp and read by the decoder
        last = vae.encoder[-2]
        last.weight.mul_(100)
        last.weight[1], last.bias[1] = last.weight[0], last.bias[0]
        last.bias[LATENT:] = -8
        vae.decoder[1].weight.mul_(20)
    optimiser = torch.optim.Adam(objective.parameters(), 3e-3)
    losses = []
    for _ in range(30):
        terms = objective.terms(vae, images, images, generator)
        loss = objective.adversary_loss(vae, images, images.roll(5, 0), generator, terms)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    # an answer of 1/2 for everything: a mean over the batch, or a sum over 64 real and 64 fake. With labels
    # smoothed to .7 and .3 on average, DAVA's loss cannot fall below .88 of it.
    chance = math.log(2) * (128 if name == "dava" else 1)
    assert sum(losses[-8:]) / 8 < 0.97 * chance


@pytest.mark.parametrize("name", NAMES)
def test_the_generator_decides(name):
    vae, images = small_vae(), squares()
    objective = small_objective(name, vae)
    if name == "dava":
        objective.accuracy.fill_(0.6)  # adversarial terms on

    def values(seed):
        generator = rng(seed)
        terms = objective.terms(vae, images, images, generator)
        loss = objective.adversary_loss(vae, images, images, generator, terms)
        if name == "dava":
            objective.accuracy.fill_(0.6)
        return [terms.codes, terms.reconstruction, terms.rest, *([] if loss is None else [loss])]

    torch.manual_seed(5)
    first = values(0)
    torch.manual_seed(6)  # the global generator has no say
    assert all(torch.equal(a, b) for a, b in zip(first, values(0), strict=True))
    assert not torch.equal(first[0], values(1)[0])


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_the_vae_from_terms_and_the_adversary_from_its_loss(name):
    vae, images, generator = small_vae(), squares(), rng()
    objective = small_objective(name, vae)
    if name == "dava":
        objective.accuracy.fill_(0.6)
    terms = objective.terms(vae, images, images, generator)
    (terms.reconstruction + terms.rest).backward()
    assert all(p.grad is not None and p.grad.any() for p in vae.parameters())
    assert all(p.grad is None for p in objective.parameters())
    vae.zero_grad()
    loss = objective.adversary_loss(vae, images, images, generator, terms)
    assert (loss is None) == (name not in ADVERSARIAL) == (not list(objective.parameters()))
    if loss is not None:
        loss.backward()
        assert all(p.grad is None for p in vae.parameters())
        assert all(p.grad is not None for p in objective.parameters())
        # convolutions before a norm lose their bias, but nothing loses its weight
        assert all(p.grad.any() for p in objective.parameters() if p.ndim > 1)
    assert all(p.requires_grad for module in (vae, objective) for p in module.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_terms_change_no_state_and_keep_the_graph_of_the_codes(name):
    vae, images = small_vae(), squares()
    objective = small_objective(name, vae)
    before = {key: value.clone() for key, value in objective.state_dict().items()}
    terms = objective.terms(vae, images, None, rng())
    assert all(torch.equal(before[key], value) for key, value in objective.state_dict().items())
    assert terms.codes.shape == terms.means.shape == (64, LATENT)
    assert torch.equal(terms.means, vae.encode(images))
    assert terms.codes.requires_grad and terms.means.requires_grad
    assert {"reconstruction", "kl", "rest"} <= set(terms.logs)
    assert all(type(value) is float for value in terms.logs.values())
    assert terms.logs["rest"] == float(terms.rest.detach())


@pytest.mark.parametrize("name", NAMES)
def test_a_resumed_run_is_the_uninterrupted_one(name):
    """Five steps, then five more here and in fresh objects that only read state dicts."""
    images = squares()

    def start():
        vae = small_vae()
        objective = small_objective(name, vae, **({"every": 3} if name == "control" else {}))
        return vae, objective, adams(objective, vae)

    vae, objective, optimisers = start()
    generator = rng()
    for _ in range(5):
        step(objective, vae, optimisers, images, generator)
    saved = [part.state_dict() for part in (vae, objective, *optimisers)]
    assert all(isinstance(value, torch.Tensor) for value in saved[1].values())
    again, objective_again, optimisers_again = start()
    for part, state in zip((again, objective_again, *optimisers_again), saved, strict=True):
        part.load_state_dict(_copied(state))
    generator_again = torch.Generator()
    generator_again.set_state(generator.get_state())
    for _ in range(5):
        terms, _ = step(objective, vae, optimisers, images, generator)
        terms_again, _ = step(objective_again, again, optimisers_again, images, generator_again)
        assert terms.logs == terms_again.logs
    for key, value in objective.state_dict().items():
        assert torch.equal(value, objective_again.state_dict()[key])


def _copied(state):
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, list):
        return [_copied(value) for value in state]
    return state.clone() if isinstance(state, torch.Tensor) else state


@pytest.mark.parametrize("name", NAMES)
def test_losses_are_single_precision_under_autocast(name):
    vae, images = small_vae(), squares()
    objective = small_objective(name, vae)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        terms = objective.terms(vae, images, images, rng())
        objective.adversary_loss(vae, images, images, rng(), terms)
    exact = objective.terms(vae, images, images, rng())
    for value in (terms.reconstruction, terms.rest, terms.codes, terms.means):
        assert value.dtype == torch.float32
    # bfloat16 keeps 8 bits; 256 pixels average some of it away
    assert terms.logs["reconstruction"] == pytest.approx(exact.logs["reconstruction"], rel=1e-2)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("vae", (1e-4, 64, 1_000_000, None, None, None)),
        ("beta", (1e-4, 64, 1_000_000, None, None, None)),
        ("factor", (1e-4, 64, 1_000_000, None, 1e-4, (0.5, 0.9))),
        ("beta_tc", (1e-3, 64, 1_152_000, None, None, None)),
        ("control", (1e-4, 64, 1_000_000, None, None, None)),
        ("dava", (1e-4, 128, 150_000, 1.0, 1e-4, (0.9, 0.999))),
    ],
)
def test_published_settings(name, published):
    """Table of section 4 of topdis.md."""
    found = small_objective(name, small_vae()).optimizers()
    assert found.betas == (0.9, 0.999)
    assert published == (
        found.learning_rate,
        found.batch,
        found.steps,
        found.clip_norm,
        found.adversary_learning_rate,
        found.adversary_betas,
    )


# Shared pieces


def test_kl_is_that_of_torch_distributions():
    mu, logvar = torch.randn(7, 4, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
    posterior = torch.distributions.Normal(mu, (logvar / 2).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    expected = torch.distributions.kl_divergence(posterior, prior).sum() / 7
    # float64 sums of 28 numbers near 1
    assert float(kl_divergence(mu, logvar)) == pytest.approx(float(expected), abs=1e-12)
    assert float(kl_divergence(torch.ones(1, 2), torch.zeros(1, 2))) == 1.0  # mu^2 / 2 twice
    assert not kl_divergence(torch.zeros(3, 2), torch.zeros(3, 2)).any()


def test_samples_have_the_posterior_s_moments():
    """A log variance, not a log standard deviation: logvar = log 4 spreads by 2."""
    mu, logvar = torch.full((20_000, 1), 3.0), torch.full((20_000, 1), math.log(4.0))
    codes = sampled(mu, logvar, rng())
    # 5 standard errors: 2 / sqrt(n) of the mean, 2 / sqrt(2 n) of the standard deviation
    assert float(codes.mean()) == pytest.approx(3, abs=5 * 2 / 20_000**0.5)
    assert float(codes.std()) == pytest.approx(2, abs=5 * 2 / 40_000**0.5)


def test_reconstruction_by_hand():
    """Logit log 3 says 3/4. Targets 1 and 0: -log(3/4) - log(1/4) an image; squares 1/16 + 9/16."""
    logits = torch.full((2, 1, 1, 2), math.log(3.0), dtype=torch.float64)
    images = torch.tensor([1.0, 0.0], dtype=torch.float64).expand(2, 1, 1, 2)
    bernoulli = reconstruction_loss(logits, images, "bernoulli")
    assert float(bernoulli) == pytest.approx(-math.log(3 / 16), abs=1e-12)
    assert float(reconstruction_loss(logits, images, "gaussian")) == pytest.approx(10 / 16, abs=1e-12)


@pytest.mark.parametrize("pixels", ["bernoulli", "gaussian"])
def test_the_decoder_s_kind_of_pixels_is_what_counts(pixels):
    vae, images = small_vae(decoder=pixels), squares()
    terms = small_objective("vae", vae).terms(vae, images, None, rng())
    expected = reconstruction_loss(vae.logits(terms.codes), images, pixels)
    assert torch.equal(terms.reconstruction, expected)
    # nothing learnt yet: log 2 or 1/4 a pixel
    nothing = 256 * (math.log(2) if pixels == "bernoulli" else 0.25)
    assert terms.logs["reconstruction"] == pytest.approx(nothing, rel=0.1)


def test_a_frozen_network_passes_gradient_to_its_input_only():
    network, x = torch.nn.Linear(3, 2), torch.randn(4, 3, requires_grad=True)
    frozen(network, x).sum().backward()
    assert torch.allclose(x.grad, network.weight.detach().sum(dim=0).expand(4, 3))
    assert network.weight.grad is None and network.weight.requires_grad


# Refusals


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gamma_vae", {}, "objective should be one of vae, beta, factor, beta_tc, control, dava"),
        ("vae", {"beta": 2}, "options of vae are: none; got 'beta'"),
        ("beta", {"gamma": 2}, "options of beta are: beta; got 'gamma'"),
        ("factor", {"latent": 2}, "options of factor are: weight, width, depth; got 'latent'"),
        ("beta", {"beta": -1.0}, "beta should be a finite number >= 0, got -1.0"),
        ("beta", {"beta": math.nan}, "beta should be a finite number >= 0, got nan"),
        ("factor", {"weight": -1.0}, "weight should be a finite number >= 0"),
        ("factor", {"width": 0}, "latent, width and depth should be >= 1, got 3, 0, 6"),
        ("beta_tc", {"beta": math.inf}, "beta should be a finite number >= 0, got inf"),
        ("beta_tc", {"sampling": "exact"}, "sampling should be one of weighted, stratified"),
        ("control", {"start": 20.0}, "0 <= start <= cap, got 20.0 and 18.0"),
        ("control", {"every": 0}, "increment should be >= 0 and every >= 1, got 0.15 and 0"),
        ("dava", {"hidden": 0}, "channels and hidden should be >= 1, got 1 and 0"),
        ("dava", {"encoder_weight": -1.0}, "encoder_weight and decoder_weight should be >= 0"),
        ("dava", {"architecture": "M"}, "architecture should be one of S, L"),
    ],
)
def test_refusals(name, options, message):
    with pytest.raises(ValueError, match=message):
        build_objective(name, small_vae(), 64, **options)


@pytest.mark.parametrize("name", NAMES)
def test_images_of_another_shape_are_refused(name):
    vae = small_vae()
    with pytest.raises(ValueError, match="images should have shape"):
        small_objective(name, vae).terms(vae, torch.zeros(4, 3, 16, 16), None, rng())
