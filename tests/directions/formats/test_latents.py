"""Latents of projected pictures: the shape rule, and going back in the same form."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from test_foreign_files import TORCH_FORMS, torch_bytes

from gan_topdis.directions.formats import LatentCodes, read_latents, write_latents

L, D = 4, 6
CODES = np.random.default_rng(1).normal(size=(3, L, D)).astype(np.float32)
NETWORK = {"num_ws": L, "w_dim": D}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (CODES[:1], CODES[:1]),  # projected_w.npz of NVIDIA's projector
        (CODES, CODES),  # combined.npz
        (CODES[None], CODES),  # stylegan3-fun: a fourth axis of 1
        (CODES[0], CODES[:1]),  # one W+ code, never L pictures
        (CODES[0, 0], CODES[:1, :1].repeat(L, axis=1)),  # one W code
        (CODES[0, :1], CODES[:1, :1].repeat(L, axis=1)),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".npy", ".pt"])
def test_shapes(tmp_path, array, expected, suffix):
    path = tmp_path / f"latents{suffix}"
    if suffix == ".npz":
        np.savez(path, w=array)
    elif suffix == ".npy":
        np.save(path, array.astype(np.float64))
    else:
        torch.save(torch.from_numpy(array), path)
    found = read_latents(path, **NETWORK)
    np.testing.assert_array_equal(found.ws, expected)
    assert found.ws.dtype == np.float32
    # back in the same form; a W code has become W+
    write_latents(tmp_path / f"again{suffix}", torch.from_numpy(found.ws), like=found)
    again = read_latents(tmp_path / f"again{suffix}", **NETWORK)
    np.testing.assert_array_equal(again.ws, found.ws)
    if expected.shape[1:] == array.shape[-2:]:
        assert again.ndim == array.ndim


@pytest.mark.parametrize("form", TORCH_FORMS)
def test_pti_code_saved_on_a_gpu(tmp_path, form):
    (tmp_path / "0.pt").write_bytes(torch_bytes(torch.from_numpy(CODES[:1]), form))
    found = read_latents(tmp_path / "0.pt", **NETWORK)
    np.testing.assert_array_equal(found.ws, CODES[:1])
    write_latents(tmp_path / "1.pt", found.ws + 1, like=found)
    saved = torch.load(tmp_path / "1.pt", weights_only=True)
    assert saved.device.type == "cpu" and saved.shape == (1, L, D)
    np.testing.assert_array_equal(saved.numpy(), CODES[:1] + 1)


def test_edited_latents_are_what_generate_py_asserts(tmp_path):
    """`generate.py --projected-w`: key w, shape[1:] == (num_ws, w_dim)."""
    write_latents(tmp_path / "projected_w.npz", CODES[:1])
    with np.load(tmp_path / "projected_w.npz", allow_pickle=False) as archive:
        assert archive.files == ["w"]
        assert archive["w"].shape == (1, L, D) and archive["w"].dtype == np.float32


def test_another_key(tmp_path):
    np.savez(tmp_path / "d.npz", centre=CODES)
    found = read_latents(tmp_path / "d.npz", **NETWORK, key="centre")
    write_latents(tmp_path / "e.npz", found.ws, like=found)
    assert np.load(tmp_path / "e.npz").files == ["centre"]
    with pytest.raises(ValueError, match=r"should hold w, got centre; choose with key="):
        read_latents(tmp_path / "d.npz", **NETWORK)


def test_many_w_codes_only_on_request(tmp_path):
    rows = CODES[:, 0]
    np.save(tmp_path / "w.npy", rows)
    with pytest.raises(ValueError, match=r"if it is 3 codes in W, say so with interpret='w'"):
        read_latents(tmp_path / "w.npy", **NETWORK)
    found = read_latents(tmp_path / "w.npy", **NETWORK, interpret="w")
    np.testing.assert_array_equal(found.ws, rows[:, None].repeat(L, axis=1))
    assert write_latents(tmp_path / "e.npy", found.ws, like=found)
    assert np.load(tmp_path / "e.npy").shape == (3, L, D)
    # L codes in W look like one in W+; the request decides
    np.save(tmp_path / "w.npy", CODES[0])
    assert read_latents(tmp_path / "w.npy", **NETWORK).ws.shape == (1, L, D)
    assert read_latents(tmp_path / "w.npy", **NETWORK, interpret="w").ws.shape == (L, L, D)


def test_rosinality_projection(tmp_path):
    """`{file: {img, latent (d,) or (L, d), noise}}`."""
    saved = {
        "a.png": {
            "img": torch.zeros(1, 3, 4, 4),
            "latent": torch.from_numpy(CODES[0, 0]),
            "noise": [torch.zeros(1, 1, 4, 4)],
        },
        "b.png": {"img": torch.zeros(1, 3, 4, 4), "latent": torch.from_numpy(CODES[1]), "noise": []},
    }
    torch.save(saved, tmp_path / "a.pt")
    found = read_latents(tmp_path / "a.pt", **NETWORK)
    np.testing.assert_array_equal(found.ws, [CODES[0, :1].repeat(L, axis=0), CODES[1]])
    assert found.names == ("a.png", "b.png")
    write_latents(tmp_path / "b.pt", found.ws, like=found)
    again = torch.load(tmp_path / "b.pt", weights_only=True)
    assert list(again) == ["a.png", "b.png"]
    np.testing.assert_array_equal(again["b.png"]["latent"], CODES[1])
    with pytest.raises(ValueError, match="2 codes, one per picture, got 1"):
        write_latents(tmp_path / "b.pt", found.ws[:1], like=found)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((1, L + 1, D)), "has 5 layers, the network 4: it is of another network"),
        (np.zeros((1, L, D + 1)), r"should have shape \(4, 6\) or \(n, 4, 6\) for this network"),
        (np.zeros((2, 1, L, D)), "1 in front of four axes"),
        (np.zeros((1, 1, 1, L, D)), "should have shape"),
        (np.full((1, L, D), np.nan), "finite numbers, got NaN"),
        (np.zeros((0, L, D)), r"should hold numbers, got shape \(0, 4, 6\)"),
        (np.zeros((1, L, D), complex), "real numbers, got complex128"),
        (np.float32(3), r"should have shape"),
    ],
)
def test_wrong_latents(tmp_path, array, message):
    np.save(tmp_path / "w.npy", array)
    with pytest.raises(ValueError, match=message):
        read_latents(tmp_path / "w.npy", **NETWORK)


def test_wrong_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file of latents at"):
        read_latents(tmp_path / "w.npz", **NETWORK)
    (tmp_path / "w.png").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"in a file \.npz, \.npy, \.pt, \.pth, got w\.png"):
        read_latents(tmp_path / "w.png", **NETWORK)
    stream = io.BytesIO()
    torch.save([1, 2], stream)
    (tmp_path / "w.pt").write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="should be a tensor, got a list"):
        read_latents(tmp_path / "w.pt", **NETWORK)
    torch.save({"a": {"img": torch.zeros(1)}}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match="a dict of pictures with latent"):
        read_latents(tmp_path / "w.pt", **NETWORK)
    with pytest.raises(ValueError, match="interpret should be w or w\\+, got 'z'"):
        read_latents(tmp_path / "w.pt", **NETWORK, interpret="z")
    with pytest.raises(ValueError, match=r"ws should have shape \(n, num_ws, w_dim\), got \(4, 6\)"):
        write_latents(tmp_path / "w.npz", CODES[0])
    with pytest.raises(ValueError, match="like should be npz, npy, torch or what read_latents returned"):
        write_latents(tmp_path / "w.npz", CODES, like="csv")


def test_a_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    write_latents(tmp_path / "w.npy", CODES, like="npy")
    old = (tmp_path / "w.npy").read_bytes()

    def disk_full(file, array):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", disk_full)
    with pytest.raises(OSError, match="No space left"):
        write_latents(tmp_path / "w.npy", CODES + 1, like=LatentCodes(CODES, "npy"))
    assert (tmp_path / "w.npy").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["w.npy"]
