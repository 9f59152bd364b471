"""Functions as generators: what they are asked, and what is refused."""

import numpy as np
import pytest
import torch

from gan_topdis.generators import KnownFactors, from_callable


def squares(z):
    """Pictures whose grey is the tanh of the first coordinate."""
    return torch.tanh(z[:, :1, None, None]).expand(-1, 1, 5, 7)


def test_sizes_come_from_one_call():
    generator = from_callable(squares, 3, name="squares")
    assert (generator.family, generator.name, generator.load_mode) == ("callable", "squares", "object")
    assert (generator.z_dim, generator.w_dim, generator.c_dim, generator.num_ws) == (3, 3, 0, 1)
    assert (generator.resolution, generator.channels) == ((5, 7), 1)
    z = generator.latents([4, 2])
    assert torch.equal(generator.map(z), z[:, None])
    torch.testing.assert_close(generator.synthesize(generator.map(z)), squares(z))
    assert torch.equal(generator.map(z, truncation_psi=0.0), torch.zeros(2, 1, 3))
    torch.testing.assert_close(generator.map(z, truncation_psi=0.5), 0.5 * z[:, None])


def test_seed_n_is_the_draw_of_the_family():
    generator = from_callable(squares, 3)
    expected = np.random.RandomState(42).randn(1, 3)[0].astype(np.float32)
    np.testing.assert_array_equal(generator.latents([7, 42])[1].numpy(), expected)
    for seed in (-1, 2**32):
        with pytest.raises(ValueError, match=rf"a seed should be in 0 \.\. 4294967295, got {seed}"):
            generator.latents([seed])


def test_fingerprint_names_the_function_by_its_pictures():
    assert from_callable(squares, 3).fingerprint == from_callable(squares, 3, name="other").fingerprint
    assert from_callable(squares, 3).fingerprint != from_callable(lambda z: -squares(z), 3).fingerprint


def test_own_sampler_is_used_and_checked():
    generator = from_callable(squares, 3, sample=lambda seeds: torch.full((len(seeds), 3), 0.25))
    assert torch.equal(generator.latents([1, 2]), torch.full((2, 3), 0.25))
    with pytest.raises(ValueError, match=r"sample should return shape \(4, 3\), got \(4, 2\)"):
        from_callable(squares, 3, sample=lambda seeds: torch.zeros(len(seeds), 2))
    with pytest.raises(TypeError, match=r"sample should return a torch\.Tensor, got ndarray"):
        from_callable(squares, 3, sample=lambda seeds: np.zeros((len(seeds), 3)))


@pytest.mark.parametrize(
    ("function", "kind", "message"),
    [
        (lambda z: z.numpy(), TypeError, r"should return a torch\.Tensor of images, got ndarray"),
        (lambda z: z, ValueError, r"should map \(n, 3\) to images \(n, C, H, W\), got \(4, 3\) for n = 4"),
        (lambda z: squares(z)[:1], ValueError, r"got \(1, 1, 5, 7\) for n = 4"),
        (lambda z: squares(z) * torch.nan, ValueError, "finite images"),
        (lambda z: 127.5 * squares(z) + 128, ValueError, r"images in \[-1, 1\], got magnitudes up to"),
    ],
)
def test_functions_that_are_no_generators(function, kind, message):
    with pytest.raises(kind, match=message):
        from_callable(function, 3)


@pytest.mark.parametrize(
    ("axes", "message"),
    [(np.eye(2), r"axes \(1, 3\), one row per name, got \(2, 2\)"), (2 * np.eye(3)[:1], "unit length")],
)
def test_known_factors_that_do_not_fit(axes, message):
    with pytest.raises(ValueError, match=message):
        from_callable(squares, 3, known_factors=KnownFactors(("grey",), axes))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda g: g.map(torch.zeros(2, 4)), r"z should have shape \(n, 3\), got \(2, 4\)"),
        (lambda g: g.map(torch.zeros(2, 3), torch.zeros(2, 1)), r"c should have shape \(2, 0\)"),
        (lambda g: g.map(torch.zeros(2, 3), truncation_cutoff=2), r"in 0 \.\. 1, got 2"),
        (lambda g: g.synthesize(torch.zeros(2, 3)), r"ws should have shape \(n, 1, 3\), got \(2, 3\)"),
        (lambda g: g.synthesize(torch.zeros(2, 1, 3), noise_mode="off"), "one of const, none, random"),
        (lambda g: from_callable(squares, 0), "latent_dim should be at least 1"),
    ],
)
def test_wrong_arguments_get_a_line(call, message):
    with pytest.raises(ValueError, match=message):
        call(from_callable(squares, 3))
