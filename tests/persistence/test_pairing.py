"""How the kernels are run: many living classes, threads, forks, repeatability, devices."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from pairs_of_matrices import (
    FAMILIES,
    all_equal,
    assert_same_bars,
    bipartite,
    critical_edges,
    distances,
    euclidean,
    sorted_bars,
    symmetric,
)

from gan_topdis.persistence import cross_barcode, pairing, rtd
from gan_topdis.persistence.gudhi_reference import cross_barcode_bars
from gan_topdis.persistence.pairing import MAXIMUM, MINIMUM, A, B, pair_cross_barcodes
from gan_topdis.persistence.threads import for_each


def pairs_found(lower: torch.Tensor, upper: torch.Tensor) -> set[tuple[int, int, bool]]:
    """Critical edges as `critical_edges` gives them."""
    found = pair_cross_barcodes(lower[None], upper[None], [(A, B)], names=("lower", "upper"))
    return set(
        zip(
            found.birth[0, 0].tolist(),
            found.death[0, 0].tolist(),
            found.death_in_upper[0, 0].tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize("family", FAMILIES)
def test_critical_edges_are_those_of_the_textbook_reduction(family, generator):
    """Not the bars alone: the very edges, with the rule for ties."""
    for n in (2, 5, 10):
        lower, upper = family(n, generator)
        assert pairs_found(lower, upper) == critical_edges(lower.numpy(), upper.numpy())


def test_the_textbook_reduction_can_disagree(generator):
    """A death edge moved to the end pairs differently; so do ties under other indices."""
    lower, upper = euclidean(10, generator)
    death = next(death for _, death, is_cone in sorted(pairs_found(lower, upper)) if is_cone)
    moved = upper.clone()
    moved[death // 10, death % 10] = moved[death % 10, death // 10] = moved.max() + 1
    assert pairs_found(lower, upper) != critical_edges(lower.numpy(), moved.numpy())
    lower, upper = all_equal(6, generator)
    lower[0, 1] = lower[1, 0] = 0.5
    assert pairs_found(lower, upper) != critical_edges(lower.flip(0, 1).numpy(), upper.flip(0, 1).numpy())


@pytest.mark.parametrize("n", [17, 18, 24, 40])
def test_more_than_64_classes_alive_and_more_bars_than_room(n, generator):
    """The n^2 / 4 edges across two halves close no triangle; first guess of the number of bars: 2 n."""
    lower, upper = bipartite(n, generator)
    bars = sorted_bars(cross_barcode(lower, upper))
    assert len(bars) > 64
    assert len(bars) > 2 * n
    assert_same_bars(bars, cross_barcode_bars(lower.numpy(), upper.numpy()))


def test_slots_are_used_again_over_several_planes(generator):
    """Waves of edges across two halves: more than 64 classes live at once, and many more in turn."""
    n = 48
    i, j = torch.triu_indices(n, n, offset=1)
    across = (i % 2) != (j % 2)
    for _ in range(3):
        wave = torch.randint(0, 3, (n,), generator=generator)
        start = torch.maximum(wave[i], wave[j]).double()
        noise = torch.rand(len(i), generator=generator, dtype=torch.float64)
        lower = start + torch.where(across, 0.3 * noise, 0.5 + noise)
        upper = lower + 1.5 * torch.rand(len(i), generator=generator, dtype=torch.float64)
        low, up = symmetric(lower, n), symmetric(upper, n)
        bars = sorted_bars(cross_barcode(low, up))
        alive = ((bars[:, :1] >= bars[:, 0]) & (bars[:, :1] < bars[:, 1])).sum(axis=1).max()
        assert 64 < alive < len(bars) - 64
        assert_same_bars(bars, cross_barcode_bars(low.numpy(), up.numpy()))


def test_room_is_asked_for_again_within_a_batch(generator):
    """Two of four barcodes overflow the first guess."""
    pairs = [euclidean(20, generator), bipartite(20, generator)] * 2
    bars = cross_barcode(*(torch.stack(side) for side in zip(*pairs, strict=True)))
    for item, (lower, upper) in enumerate(pairs):
        assert_same_bars(sorted_bars(bars, item), cross_barcode_bars(lower.numpy(), upper.numpy()))


def test_terms_read_minimum_and_maximum(generator):
    """One item, several barcodes of the two matrices, their minimum and maximum."""
    low, high = euclidean(9, generator)
    scale = 0.5 + torch.rand(9, 9, generator=generator, dtype=torch.float64)
    a, b = low, high * torch.minimum(scale, scale.mT)
    kinds = {A: a, B: b, MINIMUM: torch.minimum(a, b), MAXIMUM: torch.maximum(a, b)}
    terms = [(MINIMUM, A), (MINIMUM, B), (A, MAXIMUM), (B, MAXIMUM), (MINIMUM, MAXIMUM)]
    found = pair_cross_barcodes(a[None], b[None], terms, names=("a", "b"))
    for t, (lower, upper) in enumerate(terms):
        low, up = kinds[lower].flatten(), kinds[upper].flatten()
        birth, death, in_upper = found.birth[0, t], found.death[0, t], found.death_in_upper[0, t]
        bars = torch.stack([low[birth], torch.where(in_upper, up[death], low[death])], dim=1).numpy()
        bars = bars[bars[:, 1] > bars[:, 0]]
        expected = cross_barcode_bars(kinds[lower].numpy(), kinds[upper].numpy())
        assert_same_bars(bars[np.lexsort((bars[:, 1], bars[:, 0]))], expected)


def test_too_many_points_for_an_edge_code():
    with pytest.raises(ValueError, match=r"^a should hold at most 32767 points, got 32768"):
        pairing.require_room(32768, "a")


# --- threads, forks, repetition ---


def clouds(count: int, n: int, generator: torch.Generator) -> list[tuple[torch.Tensor, torch.Tensor]]:
    def cloud() -> torch.Tensor:
        return distances(torch.randn(n, 3, generator=generator, dtype=torch.float64))

    return [(cloud(), cloud()) for _ in range(count)]


def value_and_gradient(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    a = a.clone().requires_grad_()
    value = rtd(a, b)
    value.sum().backward()
    assert a.grad is not None
    return value.detach(), a.grad


@pytest.fixture
def small_shares(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the smallest work be shared, as far as torch has threads."""
    monkeypatch.setattr(pairing, "SMALLEST_SHARE", 1)


def test_callers_in_many_threads(generator, two_threads, small_shares):
    """Eight callers share one pool; every answer is the one of a single caller, bit for bit."""
    work = clouds(24, 70, generator)
    expected = [value_and_gradient(a, b) for a, b in work]
    with ThreadPoolExecutor(8) as callers:
        found = list(callers.map(lambda pair: value_and_gradient(*pair), work * 2))
    for (value, gradient), (right, right_gradient) in zip(found, expected * 2, strict=True):
        assert torch.equal(value, right)
        assert torch.equal(gradient, right_gradient)


def test_number_of_threads_does_not_change_the_answer(generator, monkeypatch, small_shares):
    a, b = (torch.stack(side) for side in zip(*clouds(6, 40, generator), strict=True))
    answers = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(torch, "get_num_threads", lambda threads=threads: threads)
        answers.append(value_and_gradient(a, b))
        answers.append(value_and_gradient(a, b))
    for value, gradient in answers[1:]:
        assert torch.equal(value, answers[0][0])
        assert torch.equal(gradient, answers[0][1])


def test_an_error_in_a_helper_thread_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        for_each(50, lambda index: 1 // (index - 49), threads=2)


def run_python(script: str, root: os.PathLike[str]) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, so that a fork that hangs does not hang the suite."""
    paths = [str(root), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        # one OpenMP thread: torch's own do not survive a fork, which is not the subject here
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_forked_children_compute(pytestconfig):
    """Data loaders fork after the pool has threads, which do not survive in the child."""
    done = run_python(
        """
        import multiprocessing, os, warnings
        import torch
        from gan_topdis.persistence import pairing, pairwise_distances, rtd, threads
        # Python 3.12 and later warn of any fork with threads; that it works is the subject here
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
        torch.get_num_threads = lambda: 2
        pairing.SMALLEST_SHARE = 1

        def value(seed):
            generator = torch.Generator().manual_seed(seed)
            a, b = (pairwise_distances(torch.randn(70, 3, generator=generator)) for _ in range(2))
            return rtd(a, b).item()

        expected = [value(seed) for seed in range(4)]
        assert threads._pool is not None
        # torch's own OpenMP threads do not survive either: a plain torch.cdist hangs in the child, unless
        # it is told to use one thread, as torch's DataLoader tells its workers
        child = os.fork()
        if child == 0:
            torch.set_num_threads(1)
            os._exit(0 if threads._pool is None and [value(s) for s in range(4)] == expected else 3)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with multiprocessing.get_context("fork").Pool(2, torch.set_num_threads, (1,)) as pool:
            assert pool.map(value, range(4)) == expected
        assert value(0) == expected[0]
        print("same")
        """,
        pytestconfig.rootpath,
    )
    assert (done.stdout, done.returncode) == ("same\n", 0), done.stderr


def test_a_fork_while_another_thread_loads_the_kernels(pytestconfig):
    """The lock is held at the fork by a thread that the child does not have."""
    done = run_python(
        """
        import os, signal, threading, time, warnings
        import torch
        from gan_topdis.persistence import compiled, rtd
        warnings.filterwarnings("ignore", message=".*multi-threaded.*fork", category=DeprecationWarning)
        rtd(torch.zeros(2, 2), torch.zeros(2, 2))

        def load_slowly():
            with compiled._lock:
                time.sleep(1)

        threading.Thread(target=load_slowly).start()
        child = os.fork()
        if child == 0:
            signal.alarm(3)
            torch.set_num_threads(1)
            rtd(torch.zeros(2, 2), torch.zeros(2, 2))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        pytestconfig.rootpath,
    )
    assert done.stdout == "0\n", done.stderr


def test_spawned_processes_start_together(pytestconfig):
    """Two processes that load the cached kernels at the same time."""
    script = """
        import torch
        from gan_topdis.persistence import rtd
        a = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
        print(rtd(a, 3 * a).item())
        """
    with ThreadPoolExecutor(2) as starters:
        runs = list(starters.map(lambda _: run_python(script, pytestconfig.rootpath), range(2)))
    for done in runs:
        assert (done.stdout, done.returncode) == ("2.0\n", 0), done.stderr


# --- devices ---


def test_nothing_is_logged_on_the_cpu(caplog, generator):
    with caplog.at_level(logging.DEBUG, logger="gan_topdis"):
        cross_barcode(*euclidean(5, generator))
    assert caplog.messages == []


@pytest.mark.cuda
def test_cuda_gives_the_answer_of_the_cpu(generator):
    a, b = (torch.stack(side) for side in zip(*clouds(3, 30, generator), strict=True))
    value, gradient = value_and_gradient(a, b)
    on_device, gradient_on_device = value_and_gradient(a.cuda(), b.cuda())
    assert on_device.device.type == "cuda"
    # sums of some fifty lengths in another order
    torch.testing.assert_close(on_device.cpu(), value, rtol=1e-12, atol=0)
    assert torch.equal(gradient_on_device.cpu(), gradient)


# --- messages ---


def test_a_batch_names_its_first_wrong_matrix():
    good, wrong = torch.zeros(3, 3), torch.ones(3, 3)
    both = torch.stack([good, wrong])
    with pytest.raises(ValueError, match=r"^first should have a diagonal of zeros"):
        pair_cross_barcodes(both, both, [(A, B)], names=("first", "second"))
    with pytest.raises(ValueError, match=r"^second should have a diagonal of zeros"):
        pair_cross_barcodes(torch.zeros(2, 3, 3), both, [(A, B)], names=("first", "second"))


@pytest.mark.parametrize("reason", ["NOT_FINITE", "NEGATIVE", "DIAGONAL", "ASYMMETRIC", "NOT_BELOW"])
def test_every_reason_has_words(reason):
    from gan_topdis.persistence import edge_order_kernel

    with pytest.raises(ValueError, match=r"^(a|lower) should "):
        pairing.refuse(np.array([0, getattr(edge_order_kernel, reason)]), ["b", "a"])
