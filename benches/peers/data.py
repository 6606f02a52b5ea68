"""The data sets: seeded synthetic ones, and the digits that the repository ships. Each stream of random numbers is used once."""
from pathlib import Path

import numpy as np

DIGITS = Path(__file__).parents[2] / "data/digits/X.npy"


def completion(m, n, fraction, rank=10, noise=0.1, seed=0):
    """Entries of U V' / sqrt(rank) + noise at random positions, U and V standard normal."""
    g = np.random.default_rng(seed)
    u, v = g.standard_normal((m, rank)), g.standard_normal((n, rank))
    count = int(m * n * fraction)
    at = np.unique(g.integers(0, m * n, size=int(count * 1.2)))
    at = np.sort(g.permutation(at)[:count])
    i, j = at // n, at % n
    y = np.einsum("ij,ij->i", u[i], v[j]) / np.sqrt(rank) + noise * g.standard_normal(count)
    return dict(i=i.astype(np.int32), j=j.astype(np.int32), v=y, shape=np.array([m, n]))


def nonnegative():
    """1000 x 2000 of rank 20 with a fifth of the factors' entries near zero, plus noise."""
    g = np.random.default_rng(1)
    return g.random((1000, 20)) ** 3 @ g.random((20, 2000)) ** 3 + 0.05 * g.random((1000, 2000))


def full():
    """1000 x 2000: 20 directions far above unit noise."""
    streams = [np.random.default_rng(seed) for seed in (2, 3, 4)]
    return streams[0].standard_normal((1000, 20)) @ streams[1].standard_normal((20, 2000)) + streams[2].standard_normal((1000, 2000))


SPARSE = dict(mc_small=(60, 50, 0.3, 3), mc2k_1=(2000, 2000, 0.01), mc2k_5=(2000, 2000, 0.05), mc20k_1=(20000, 5000, 0.01))
DENSE = dict(digits=lambda: np.load(DIGITS).T / 16.0, nmf1k2k=nonnegative, dense1k2k=full)


def make(folder):
    """Writes what is not there yet: sparse sets as .npz for Python and .csv for homfac, full ones as .npy."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, recipe in SPARSE.items():
        if (folder / f"{name}.npz").exists() and (folder / f"{name}.csv").exists():
            continue
        d = completion(*recipe)
        np.savez(folder / f"{name}.npz", **d)
        np.savetxt(folder / f"{name}.csv", np.column_stack([d["i"], d["j"], d["v"]]), "%d,%d,%.17g", header="i,j,value", comments="")
    for name, recipe in DENSE.items():
        if not (folder / f"{name}.npy").exists():
            np.save(folder / f"{name}.npy", np.asarray(recipe(), dtype=float))


def triplets(path):
    """(i, j, v, shape) of an .npz as above, or of a CSV with a header and rows i, j, value counted from 0."""
    if str(path).endswith(".npz"):
        z = np.load(path)
        return z["i"].astype(np.int64), z["j"].astype(np.int64), z["v"], tuple(int(s) for s in z["shape"])
    t = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2)
    i, j = t[:, 0].astype(np.int64), t[:, 1].astype(np.int64)
    return i, j, t[:, 2], (int(i.max()) + 1, int(j.max()) + 1)
