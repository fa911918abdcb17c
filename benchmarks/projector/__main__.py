"""Our camera beside PyTomography's and scikit-image's: one volume, one run, one thread.

    pip install 'pytomography>=3.4' 'scikit-image>=0.24'
    python -m benchmarks.projector [--device cuda]
    python -m benchmarks.projector --write-golden tests/golden/projector

Each package runs in a process of its own, so peak memory is its own too (most of it the imports).
Times are CPU seconds, or seconds on a GPU with the way there and back, the best of three; where a
GPU is asked for, PyTomography computes on it too, and ours is timed on the CPU beside it. On a
shared machine only ratios mean something. ``r`` compares results with ours, volumes inside the
cylinder that every view sees.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import resource
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch

from datkit.simulate.camera.projector import Projector
from datkit.simulate.camera.protocols import Collimator
from datkit.simulate.camera.reconstruction import filtered_back_projection, osem

if TYPE_CHECKING:
    from pytomography.projectors.SPECT import SPECTSystemMatrix

N, NZ, VIEWS, SPACING_MM, RADIUS_MM = 72, 55, 60, 3.9, 140.0
UPDATES = 4, 6  # iterations, subsets
COLLIMATOR = Collimator("LEHR", hole_mm=1.11, length_mm=24.05)
BLURS = {"with blur": True, "without blur": False}
T = TypeVar("T")
Results = dict[str, tuple[float, np.ndarray]]


def phantom(n: int, nz: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uptake and attenuation (1/mm) of an oval head with a shell of bone and two striata."""
    grids = np.meshgrid(*(np.linspace(-1, 1, size) for size in (n, n, nz)), indexing="ij")

    def oval(middle: tuple[float, ...], axes: tuple[float, ...]) -> np.ndarray:
        return sum(((g - m) / a) ** 2 for g, m, a in zip(grids, middle, axes, strict=True)) < 1

    head, brain = oval((0, 0, 0), (0.62, 0.76, 0.9)), oval((0, 0, 0), (0.55, 0.69, 0.82))
    left, right = oval((-0.2, 0.1, 0), (0.1, 0.2, 0.15)), oval((0.2, 0.1, 0), (0.07, 0.12, 0.12))
    activity = np.select([left, right, brain, head], [7.0, 4.0, 1.0, 0.3])
    return activity.astype(np.float32), np.select([brain, head], [0.015, 0.025]).astype(np.float32)


def timed(task: Callable[..., T], *args: object, wall: bool = False) -> tuple[float, T]:
    """Run a task three times; return its shortest time and its result."""
    clock = time.perf_counter if wall else time.process_time
    runs = []
    for _ in range(3):
        start = clock()
        out = task(*args)
        runs.append(clock() - start)
    return min(runs), out


def run_datkit(counts: np.ndarray, device: str) -> Results:
    """Time our projector and reconstructions, copies to and from a GPU included."""
    torch.set_num_threads(1)
    wall, results = device != "cpu", {}
    activity, attenuation = phantom(N, NZ)
    setting = N, NZ, SPACING_MM, VIEWS, RADIUS_MM, COLLIMATOR, attenuation, device
    results["prepare"] = timed(Projector, *setting, wall=wall)
    full = results["prepare"][1]
    for how, blur in BLURS.items():
        camera = full if blur else full.without_blur()
        results[f"project {how}"] = timed(camera.project, activity, wall=wall)
        results[f"backproject {how}"] = timed(camera.backproject, counts, wall=wall)
        results[f"OSEM {how}"] = timed(osem, counts, camera, *UPDATES, wall=wall)
    bare = full.without_blur().with_attenuation(None)
    results["radon"] = timed(bare.project, activity, wall=wall)
    sinograms = results["radon"][1]
    results["FBP"] = timed(filtered_back_projection, sinograms, bare, wall=wall)
    return results | {"prepare": (results["prepare"][0], None)}


def flipped(volume: np.ndarray | torch.Tensor) -> torch.Tensor:
    """Return a volume with y to the back, as PyTomography has it, or the way back."""
    return torch.as_tensor(volume).flip(1)


def pytomography_camera(
    n: int, nz: int, views: int, spacing_mm: float, blur: bool = True
) -> SPECTSystemMatrix:
    """Return PyTomography's camera for `phantom`: lengths in cm, turning the other way."""
    from pytomography.metadata.SPECT import SPECTObjectMeta, SPECTProjMeta, SPECTPSFMeta
    from pytomography.projectors.SPECT import SPECTSystemMatrix
    from pytomography.transforms.SPECT import SPECTAttenuationTransform, SPECTPSFTransform

    steps = [SPECTAttenuationTransform(flipped(phantom(n, nz)[1] * 10))]
    if blur:
        meta = SPECTPSFMeta((), lambda distance: COLLIMATOR.fwhm(10 * distance) / 23.548)
        steps.append(SPECTPSFTransform(meta))
    cm, angles = spacing_mm / 10, -np.arange(views) * 360 / views
    planes = SPECTProjMeta([n, nz], [cm] * 2, angles, np.full(views, RADIUS_MM / 10))
    return SPECTSystemMatrix(steps, [], SPECTObjectMeta([cm] * 3, [n, n, nz]), planes)


def run_pytomography(counts: np.ndarray, device: str) -> Results:
    """Time PyTomography's projector and OSEM, copies to and from a GPU included."""
    import pytomography
    from pytomography.algorithms import OSEM
    from pytomography.likelihoods import PoissonLogLikelihood

    torch.set_num_threads(1)
    pytomography.set_device(device)

    def there_and_back(task: Callable[..., torch.Tensor], *volumes: np.ndarray) -> np.ndarray:
        return task(*(torch.as_tensor(volume).to(device) for volume in volumes)).cpu().numpy()

    results, wall, activity = {}, device != "cpu", flipped(phantom(N, NZ)[0])
    for how, blur in BLURS.items():
        camera = pytomography_camera(N, NZ, VIEWS, SPACING_MM, blur)
        solve = OSEM(PoissonLogLikelihood(camera, torch.as_tensor(counts).to(device)))
        seconds, out = timed(there_and_back, camera.forward, activity, wall=wall)
        results[f"project {how}"] = seconds, out
        for name, task in (
            ("backproject", (camera.backward, counts)),
            ("OSEM", (partial(solve, *UPDATES),)),
        ):
            seconds, out = timed(there_and_back, *task, wall=wall)
            results[f"{name} {how}"] = seconds, flipped(out).numpy()
    return results


def run_skimage(_counts: np.ndarray, _device: str) -> Results:
    """Time scikit-image's radon and iradon slice by slice; its axis is half a voxel from ours."""
    from skimage.transform import iradon, radon

    angles = np.arange(VIEWS) * 360 / VIEWS
    slices = phantom(N, NZ)[0].transpose(2, 1, 0)  # z, y, x
    first, sinograms = timed(lambda: [radon(part, angles) for part in slices])
    second, images = timed(lambda: [iradon(part, angles) for part in sinograms])
    return {"radon": (first, np.transpose(sinograms)), "FBP": (second, np.transpose(images))}


def in_own_process(task: Callable[..., Results], *args: object) -> tuple[Results, float]:
    """Run a task in a fresh process; return its results and that process's peak memory, MB."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        results = pool.apply(task, args)
        return results, pool.apply(resource.getrusage, (resource.RUSAGE_SELF,)).ru_maxrss / 1024


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return Pearson's r, of volumes inside the cylinder."""
    if ours.shape[0] == N:
        inside = np.hypot(*(np.indices((N, N)) - (N - 1) / 2)) < N / 2 - 3
        ours, theirs = ours[inside], theirs[inside]
    return np.corrcoef(ours.ravel(), theirs.ravel())[0, 1]


def compare(device: str) -> None:
    """Print each task's seconds, ratio and agreement, and each package's peak memory."""
    activity, attenuation = phantom(N, NZ)
    camera = Projector(N, NZ, SPACING_MM, VIEWS, RADIUS_MM, COLLIMATOR, attenuation)
    clean = camera.project(activity)
    counts = np.random.default_rng(1).poisson(clean * (1.5e6 / clean.sum())).astype(np.float32)
    ours, peak = in_own_process(run_datkit, counts, device)
    print(f"datkit on {device}, peak {peak:.0f} MB")
    for name, (seconds, _) in ours.items():
        print(f"  {name:24}{seconds:9.3f} s")
    others = [("pytomography", run_pytomography, device), ("skimage", run_skimage, "cpu")]
    if device != "cpu":
        others.insert(0, ("datkit", run_datkit, "cpu"))
    for package, task, place in others:
        if importlib.util.find_spec(package) is None:
            print(f"{package} is not installed; the head of this file says how")
            continue
        theirs, peak = in_own_process(task, counts, place)
        print(f"{package} on {place}, peak {peak:.0f} MB")
        for name, (seconds, out) in theirs.items():
            ratio = f"{seconds / ours[name][0]:7.1f} x ours"
            r = "" if out is None else f"   r {agreement(ours[name][1], out):.5f}"
            print(f"  {name:24}{seconds:9.3f} s{ratio}{r}")


def write_golden(folder: Path) -> None:
    """Store PyTomography's projections of a small phantom for tests/test_projector.py."""
    activity, attenuation = phantom(32, 16)
    projections = pytomography_camera(32, 16, views=12, spacing_mm=4.0).forward(flipped(activity))
    arrays = {"activity": activity, "attenuation": attenuation, "projections": projections.numpy()}
    half = {name: array.astype(np.float16) for name, array in arrays.items()}
    np.savez_compressed(folder / "pytomography.npz", **half)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu", help="where ours computes: cpu or cuda")
    parser.add_argument("--write-golden", type=Path, metavar="FOLDER")
    options = parser.parse_args()
    if options.write_golden:
        write_golden(options.write_golden)
    else:
        compare(options.device)
