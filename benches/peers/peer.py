"""One peer, one job, one JSON line. usage: peer.py JOB KEY=VALUE ..   (run.py calls this; OMP_NUM_THREADS says on how many threads)

Times are of the peer's fit alone, without imports, reading, or evaluation. Whatever a peer returns is evaluated by objective.py.
"""
import json
import math
import os
import resource
import sys
import time
import warnings
from importlib.metadata import version

import numpy as np

import data
import networks
import objective

warnings.filterwarnings("ignore")  # scikit-learn on iteration limits, which are set on purpose
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


class Clock:
    """Wall and CPU seconds of what runs inside `with clock:`, summed over uses."""

    def __init__(self):
        self.wall_s = self.cpu_s = 0.0

    def __enter__(self):
        self.wall_s -= time.perf_counter()
        self.cpu_s -= time.process_time()

    def __exit__(self, *_):
        self.wall_s += time.perf_counter()
        self.cpu_s += time.process_time()

    def seconds(self):
        return dict(wall_s=self.wall_s, cpu_s=self.cpu_s)


def peak_mb():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def least(reaches):
    """The least n >= 1 with reaches(n), for a condition that stays true once it is: doubling, then halving."""
    high = 1
    while not reaches(high):
        high *= 2
        if high > 1 << 14:
            return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reaches(middle) else (middle, high)
    return high


# ---- completion: cmfrec's alternating least squares by conjugate gradients, softImpute-ALS ----

def cmfrec_fit(job, iterations):
    """lambda_ is homfac's lambda where biases, centring and scaled lambda are off."""
    import cmfrec
    import scipy.sparse as sp

    i, j, y, shape = data.triplets(job["data"])
    x = sp.coo_matrix((y, (i.astype(np.int32), j.astype(np.int32))), shape=shape)
    model = cmfrec.CMF(
        k=job["rank"], lambda_=job["lam"], method="als", use_cg=True, finalize_chol=False, niter=iterations, nthreads=THREADS,
        user_bias=False, item_bias=False, center=False, add_implicit_features=False, scale_lam=False, random_state=1,
        precompute_for_predictions=False, produce_dicts=False, use_float=False, verbose=False)
    base, clock = peak_mb(), Clock()
    with clock:
        model.fit(x)
    peak = peak_mb()
    u, v = np.asarray(model.A_, float), np.asarray(model.B_, float)
    return dict(clock.seconds(), objective=objective.completion(u, v, i, j, y, job["lam"]), base_mb=base, peak_mb=peak, iterations=iterations)


def cmfrec_run(job):
    return cmfrec_fit(job, job["iterations"])


def cmfrec_ladder(job):
    return dict(iterations=least(lambda n: cmfrec_fit(job, n)["objective"] <= job["goal"]))


def softimpute_als(job):
    """softImpute-ALS (Hastie, Mazumder, Lee & Zadeh 2015) in numpy, its final soft-threshold step credited wherever it is evaluated."""
    import scipy.sparse as sp

    i, j, y, shape = data.triplets(job["data"])
    order = np.lexsort((j, i))
    i, j, y = i[order], j[order], y[order]
    residual = sp.csr_matrix((y, (i, j)), shape=shape)
    residual.sort_indices()
    lam, rank = job["lam"], job["rank"]
    g = np.random.default_rng(0)
    u, v, d = np.linalg.qr(g.standard_normal((shape[0], rank)))[0], np.zeros((shape[1], rank)), np.ones(rank)

    def resid():
        residual.data[:] = y - objective.predict(u * d, v, i, j)
        return residual

    base, clock, value, iterations, evaluate = peak_mb(), Clock(), np.inf, 0, 1
    while value > job["goal"] and clock.cpu_s < job["limit"]:
        with clock:
            v, d, w = np.linalg.svd((resid().T @ u + v * d) * (d / (d + lam)), full_matrices=False)
            u = u @ w.T
            u, d, w = np.linalg.svd((resid() @ v + u * d) * (d / (d + lam)), full_matrices=False)
            v = v @ w.T
        iterations += 1
        if iterations < evaluate:
            continue
        evaluate = math.ceil(1.1 * iterations)
        left, s, w = np.linalg.svd(resid() @ v + u * d, full_matrices=False)
        s = np.sqrt(np.maximum(s - lam, 0))
        value = objective.completion(left * s, v @ w.T * s, i, j, y, lam)
    return dict(clock.seconds(), objective=value, reached=value <= job["goal"], base_mb=base, peak_mb=peak_mb(), iterations=iterations)


def cvxpy_run(job):
    import cvxpy as cp

    i, j, y, shape = data.triplets(job["data"])
    x = cp.Variable(shape)
    problem = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x[i, j] - y) + job["lam"] * cp.normNuc(x)))
    base, clock = peak_mb(), Clock()
    with clock:
        problem.solve(solver="SCS", eps_abs=job["eps"], eps_rel=job["eps"], max_iters=100_000)
    u, s, vt = np.linalg.svd(x.value, full_matrices=False)
    return dict(clock.seconds(), objective=objective.completion(u * s, vt.T, i, j, y, job["lam"]), base_mb=base, peak_mb=peak_mb())


# ---- nonnegative matrix factorization: scikit-learn's coordinate descent ----

def nmf_start(job):
    import sklearn.decomposition  # noqa: F401  so that its memory is not counted as the fit's

    y, rank = np.load(job["data"]).astype(float), job["rank"]
    g = np.random.default_rng(job["seed"])
    scale = np.sqrt(y.mean() / rank)
    return y, scale * abs(g.standard_normal((y.shape[0], rank))), scale * abs(g.standard_normal((rank, y.shape[1])))


def nmf_fit(job, y, w, h, iterations):
    """scikit-learn multiplies alpha_W by n_features and alpha_H by n_samples: divided by them, lambda is homfac's."""
    from sklearn.decomposition import NMF

    lam = job["lam"]
    model = NMF(job["rank"], init="custom", solver="cd", tol=0, max_iter=iterations, alpha_W=lam / y.shape[1],
                alpha_H=lam / y.shape[0], l1_ratio=0)
    clock = Clock()
    with clock:
        w = model.fit_transform(y, W=w, H=h)
    return w, model.components_, clock


def nmf_run(job):
    y, w, h = nmf_start(job)
    base = peak_mb()
    w, h, clock = nmf_fit(job, y, w, h, job["iterations"])
    peak = peak_mb()
    return dict(clock.seconds(), objective=objective.balanced(w, h.T, y, job["lam"]), base_mb=base, peak_mb=peak)


def nmf_trace(job):
    """Iterations until a run is within `accuracy` of its own end, on a ladder of steps of 5 %. Coordinate descent keeps no
    state but the factors: short runs, each from where the last ended, are one long run."""
    y, w, h = nmf_start(job)
    done, trace = 0, []
    while done < job["iterations"]:
        step = min(math.ceil(0.05 * (done + 1)), job["iterations"] - done)
        w, h, _ = nmf_fit(job, y, w, h, step)
        done += step
        trace.append((done, objective.balanced(w, h.T, y, job["lam"])))
    end = trace[-1][1]
    return dict(objective=end, needed=next(n for n, value in trace if value <= end * (1 + job["accuracy"])))


# ---- full data, nuclear norm: the singular values soft-thresholded ----

def svd_run(job):
    from sklearn.utils.extmath import randomized_svd

    y = np.load(job["data"]).astype(float)
    base, clock = peak_mb(), Clock()
    with clock:
        u, s, vt = randomized_svd(y, job["rank"], random_state=0)
        s = np.sqrt(np.maximum(s - job["lam"], 0))
        value = objective.balanced(u * s, vt.T * s, y, job["lam"])
    return dict(clock.seconds(), objective=value, base_mb=base, peak_mb=peak_mb())


def make(job):
    data.make(job["folder"])
    return dict(versions={p: version(p) for p in ("cmfrec", "cvxpy", "numpy", "scikit-learn", "scipy", "scs", "torch")})


JOBS = dict(make=make, cmfrec=cmfrec_run, cmfrec_ladder=cmfrec_ladder, softimpute=softimpute_als, cvxpy=cvxpy_run, nmf=nmf_run,
            nmf_trace=nmf_trace, svd=svd_run, network=networks.make, network_seeds=networks.seeds,
            network_fold=networks.fold, network_held_out=networks.held_out)


def parse(assignment):
    key, value = assignment.split("=", 1)
    try:
        return key, json.loads(value)
    except json.JSONDecodeError:
        return key, value


if __name__ == "__main__":
    print(json.dumps(JOBS[sys.argv[1]](dict(parse(a) for a in sys.argv[2:]))))
