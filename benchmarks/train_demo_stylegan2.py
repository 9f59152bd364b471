"""Train the demo StyleGAN2: 32x32 pictures of `scenes`, whose six factors are known.

Non-saturating logistic loss, lazy R1 and path-length regularisation, style mixing, moving average of weights
(Karras et al., arXiv:1912.04958; Mescheder et al., arXiv:1801.04406). Data are drawn afresh: every picture is
rendered from six factors uniform in [0, 1]. Runs in the background, about an hour on one core:

    python benchmarks/train_demo_stylegan2.py --outdir runs/demo            # the bundled network
    python benchmarks/train_demo_stylegan2.py --outdir runs/demo --resume   # after an interruption

Writes `state.pt` (everything, for --resume), `log.csv`, `samples_*.png` and, in the end, `network.pt`.
"""

from __future__ import annotations

import argparse
import copy
import csv
import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from gan_topdis.generators.scenes import render
from third_party import stylegan2_ada_pytorch as stylegan2
from third_party.stylegan2_ada_pytorch.discriminator import Discriminator


@dataclass(frozen=True)
class Settings:
    """Everything that decides the result."""

    resolution: int = 32
    channels: int = 48
    latent: int = 64
    mapping_layers: int = 2
    batch: int = 32
    images: int = 180_000
    rate: float = 0.0025
    r1_weight: float = 0.05  # gamma; 0.0002 r^2 / batch would be 0.006, which let colours drift in trials
    r1_interval: int = 16
    path_weight: float = 2.0
    path_interval: int = 8
    mixing: float = 0.9
    average_images: float = 5_000.0  # half-life of the moving average of weights
    seed: int = 0


def configuration(settings: Settings) -> stylegan2.GeneratorConfiguration:
    blocks = int(math.log2(settings.resolution)) - 1
    return stylegan2.GeneratorConfiguration(
        z_dim=settings.latent,
        c_dim=0,
        w_dim=settings.latent,
        img_resolution=settings.resolution,
        img_channels=3,
        synthesis=stylegan2.SynthesisConfiguration(channels=(settings.channels,) * blocks),
        mapping=stylegan2.MappingConfiguration(num_layers=settings.mapping_layers),
    )


class Training:
    """State of a run; a step is one update of each network."""

    def __init__(self, settings: Settings) -> None:
        torch.manual_seed(settings.seed)
        self.settings = settings
        made = configuration(settings)
        self.generator = stylegan2.Generator(made)
        self.average = copy.deepcopy(self.generator).eval().requires_grad_(False)
        self.discriminator = Discriminator(made.synthesis.channels)
        self.step = 0
        self.path_mean = torch.zeros(())
        # regularisers come every so many steps and count that much more; betas follow (appendix B)
        self.optimisers = [
            torch.optim.Adam(
                network.parameters(),
                lr=settings.rate * interval / (interval + 1),
                betas=(0.0, 0.99 ** (interval / (interval + 1))),
            )
            for network, interval in (
                (self.generator, settings.path_interval),
                (self.discriminator, settings.r1_interval),
            )
        ]

    def latents(self, count: int) -> Tensor:
        """ws of random z, for some samples of two z each, exchanged at a random position."""
        g = self.generator
        ws = g.mapping(torch.randn(count, g.z_dim))
        other = g.mapping(torch.randn(count, g.z_dim), skip_w_avg_update=True)
        cut = torch.randint(1, g.num_ws, (count, 1))
        cut = torch.where(torch.rand(count, 1) < self.settings.mixing, cut, g.num_ws)
        return torch.where((torch.arange(g.num_ws) < cut)[:, :, None], ws, other)

    def real(self, count: int) -> Tensor:
        return render(torch.rand(count, 6), self.settings.resolution)

    def advance(self) -> dict[str, float]:
        """One update of the generator, one of the discriminator."""
        s = self.settings
        optimise_g, optimise_d = self.optimisers
        log = {}
        self.discriminator.requires_grad_(False)
        logits = self.discriminator(self.generator.synthesis(self.latents(s.batch)))
        loss = F.softplus(-logits).mean()
        log["generator_loss"] = loss.item()
        if self.step % s.path_interval == 0:
            loss = loss + s.path_interval * s.path_weight * self.path_penalty(s.batch // 2)
        self.update(optimise_g, loss)
        self.discriminator.requires_grad_(True)

        with torch.no_grad():
            fake = self.generator.synthesis(self.latents(s.batch))
        real = self.real(s.batch)
        regularise = self.step % s.r1_interval == 0
        real.requires_grad_(regularise)
        on_real, on_fake = self.discriminator(real), self.discriminator(fake)
        loss = F.softplus(-on_real).mean() + F.softplus(on_fake).mean()
        log["discriminator_loss"] = loss.item()
        log["real_sign"] = on_real.sign().mean().item()
        if regularise:
            (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
            penalty = slope.square().sum(dim=(1, 2, 3)).mean()
            log["r1"] = penalty.item()
            loss = loss + s.r1_interval * s.r1_weight / 2 * penalty
        self.update(optimise_d, loss)

        decay = 0.5 ** (s.batch / max(min(s.average_images, 0.05 * self.images), 1e-8))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
            for mean, now in zip(self.average.buffers(), self.generator.buffers(), strict=True):
                mean.copy_(now)
        self.step += 1
        return log

    def path_penalty(self, count: int) -> Tensor:
        """Deviation of |J_w^T y| from its running mean, y random images (arXiv:1912.04958, eq. 4)."""
        ws = self.latents(count)
        images = self.generator.synthesis(ws)
        noise = torch.randn_like(images) / self.settings.resolution
        (slope,) = torch.autograd.grad((images * noise).sum(), ws, create_graph=True)
        lengths = slope.square().sum(dim=2).mean(dim=1).sqrt()
        self.path_mean = self.path_mean.lerp(lengths.mean().detach(), 0.01)
        return (lengths - self.path_mean).square().mean()

    @staticmethod
    def update(optimiser: torch.optim.Optimizer, loss: Tensor) -> None:
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    @property
    def images(self) -> int:
        """Real images shown so far."""
        return self.step * self.settings.batch

    def state(self) -> dict[str, object]:
        return {
            "settings": asdict(self.settings),
            "networks": [n.state_dict() for n in (self.generator, self.average, self.discriminator)],
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "step": self.step,
            "path_mean": self.path_mean,
            "random": torch.get_rng_state(),
        }

    def restore(self, state: dict) -> None:
        if state["settings"] != asdict(self.settings):
            raise SystemExit("state.pt is of other settings; use another --outdir")
        networks = (self.generator, self.average, self.discriminator)
        for network, tensors in zip(networks, state["networks"], strict=True):
            network.load_state_dict(tensors)
        for optimiser, values in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(values)
        self.step = state["step"]
        self.path_mean = state["path_mean"]
        torch.set_rng_state(state["random"])


def sheet(images: Tensor, columns: int) -> Image.Image:
    n, c, h, w = images.shape
    rows = images.reshape(n // columns, columns, c, h, w).permute(0, 3, 1, 4, 2).reshape(-1, columns * w, c)
    return Image.fromarray((rows * 127.5 + 128).clamp(0, 255).byte().numpy()).resize(
        (columns * w * 2, n // columns * h * 2), Image.Resampling.NEAREST
    )


def save(path: Path, value: object) -> None:
    """Replace a file only when its successor is complete."""
    unfinished = path.with_suffix(".part")
    torch.save(value, unfinished)
    unfinished.replace(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--outdir", type=Path, required=True)
    parser.add_argument("--images", type=int, default=Settings.images, metavar="N", help="real images shown")
    parser.add_argument("--resume", action="store_true", help="continue from state.pt")
    arguments = parser.parse_args()
    settings = Settings(images=arguments.images)
    outdir: Path = arguments.outdir
    outdir.mkdir(parents=True, exist_ok=True)
    training = Training(settings)
    if arguments.resume and (outdir / "state.pt").exists():
        training.restore(torch.load(outdir / "state.pt", weights_only=True))
    fixed = torch.randn(64, settings.latent, generator=torch.Generator().manual_seed(1))
    (outdir / "settings.json").write_text(json.dumps(asdict(settings), indent=1) + "\n")
    start, first = time.perf_counter(), training.images
    with open(outdir / "log.csv", "a", newline="") as file:
        writer = csv.writer(file)
        names = ["images", "seconds", "generator_loss", "discriminator_loss", "real_sign", "r1"]
        if training.step == 0:
            writer.writerow(names)
        r1 = math.nan
        while training.images < settings.images:
            log = training.advance()
            r1 = log.get("r1", r1)
            if training.step % 50 == 0:
                log |= {"images": training.images, "seconds": round(time.perf_counter() - start), "r1": r1}
                writer.writerow([f"{log[name]:.6g}" for name in names])
                file.flush()
            if training.step % 500 == 0 or training.images >= settings.images:
                with torch.no_grad():
                    images = training.average(fixed, noise_mode="const")
                sheet(images, 8).save(outdir / "samples.png")
                save(outdir / "state.pt", training.state())
                rate = (training.images - first) / (time.perf_counter() - start)
                print(f"{training.images} images, {rate:.0f} a second", flush=True)
    save(outdir / "network.pt", training.average.state_dict())


if __name__ == "__main__":
    main()
