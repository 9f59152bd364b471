"""Point files: round trips, scale, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gan_topdis.shapes import read_points, unit_scale

POINTS = np.array([[0.0, 1], [2, 3.5], [-4, 5], [6, 7]])


def test_npy_and_csv(tmp_path):
    np.save(tmp_path / "a.npy", POINTS)
    np.save(tmp_path / "b.npy", POINTS.astype(int))
    (tmp_path / "a.csv").write_text("x, y\n0,1\n2,3.5\n\n-4,5\n6,7\n")
    (tmp_path / "b.csv").write_bytes(b"\xef\xbb\xbf0,1\r\n2,3.5\r\n-4,5\r\n6,7")
    expected = torch.from_numpy(POINTS).float()
    for name in ("a.npy", "a.csv", "b.csv"):
        assert torch.equal(read_points(tmp_path / name), expected), name
    assert torch.equal(read_points(tmp_path / "b.npy"), expected.trunc())


class Dangerous:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code of the file ran')",))


def test_refusals(tmp_path):
    def refused(name: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            read_points(tmp_path / name)

    np.save(tmp_path / "evil.npy", np.array([Dangerous()]), allow_pickle=True)
    refused("evil.npy", "should be a .npy array of numbers: Object arrays")
    with open(tmp_path / "archive.npy", "wb") as file:
        np.savez(file, a=POINTS)
    refused("archive.npy", "one .npy array, it is an archive")
    (tmp_path / "empty.npy").write_bytes(b"")
    refused("empty.npy", "should be a .npy array of numbers")
    for name, values, message in (
        ("flat", POINTS[:, 0], r"n >= 4 points, \(n, d\), got shape \(4,\)"),
        ("few", POINTS[:3], r"n >= 4 points, \(n, d\), got shape \(3, 2\)"),
        ("nan", POINTS * np.nan, "finite numbers within float32"),
        ("huge", POINTS * 1e300, "finite numbers within float32"),
        ("complex", POINTS * 1j, "real numbers, got complex128"),
        ("many", np.zeros((20_001, 1)), "at most 20000 points, got 20001; take a sample"),
    ):
        np.save(tmp_path / f"{name}.npy", values)
        refused(f"{name}.npy", message)
    for name, text, message in (
        ("words", "a,b\n1,2\nc,d\n", "comma-separated numbers, line 3 is 'c,d'"),
        ("ragged", "1,2\n3\n", "as many numbers in every line, line 2 has 1, the first 2"),
        ("heading", "x,y\n", "it holds none"),
    ):
        (tmp_path / f"{name}.csv").write_text(text)
        refused(f"{name}.csv", message)
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    refused("binary.csv", "text file of comma-separated numbers")
    refused("points.txt", "ending in .npy or .csv")
    with pytest.raises(FileNotFoundError):
        read_points(tmp_path / "absent.npy")


def test_unit_scale():
    circle = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    scaled = unit_scale(300 * circle + torch.tensor([1000.0, -50.0]))
    torch.testing.assert_close(scaled.points, circle, atol=1e-6, rtol=0)  # float32 near 1000
    assert scaled.centre == pytest.approx((1000, -50)) and scaled.size == pytest.approx(300)
    with pytest.raises(ValueError, match="should not all be in one place"):
        unit_scale(torch.full((5, 2), 3.0))
