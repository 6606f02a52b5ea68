"""Networks of two layers by gradient descent, as one would train them: the balanced form in float64, from ten random starts.

    l(relu(V U) W') + lambda / 2 (||U||^2 + ||W||^2)

whose minimum is homfac's. An end is evaluated as sum ||u_k|| ||w_k||, its neurons rescaled to their best.
"""
import csv
import time
from pathlib import Path

import numpy as np

DATA = Path(__file__).parents[2] / "data"
# name: file, inputs, target, loss
TABLES = {
    "diabetes, 1 input": ("diabetes", ("bmi",), "target", "squared"),
    "diabetes, 2 inputs": ("diabetes", ("bmi", "s5"), "target", "squared"),
    "diabetes, 4 inputs": ("diabetes", ("sex", "bmi", "bp", "s5"), "target", "squared"),
    "diabetes, 3 inputs": ("diabetes", ("bmi", "bp", "s5"), "target", "squared"),
    "diabetes, 10 inputs": ("diabetes", ("age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"), "target", "squared"),
    "auto-mpg, 4 inputs": ("auto-mpg", ("horsepower", "weight", "acceleration", "year"), "mpg", "squared"),
    "wine, 3 inputs, one-hot": ("wine", ("alcohol", "flavanoids", "color_intensity"), "target", "squared"),
    "wine, 3 inputs, classes": ("wine", ("alcohol", "flavanoids", "color_intensity"), "target", "multinomial"),
}
DIGITS = "digits 3 and 8, 16 inputs"


def load(name):
    """(V, Y, loss): inputs standardised, with a column of ones; Y centred, one-hot, or -1 and 1."""
    v, y, loss = read(name)
    return standard(v, v), y - y.mean(0) if loss == "squared" else y, loss


def read(name):
    """The same as it is in the files."""
    if name == DIGITS:
        labels = np.load(DATA / "digits/labels.npy")
        chosen = (labels == 3) | (labels == 8)
        # means of the 16 blocks of 2 x 2 pixels
        images = np.load(DATA / "digits/X.npy")[chosen].astype(float).reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)
        return images, np.where(labels[chosen] == 8, 1.0, -1.0)[:, None], "logistic"
    file, inputs, target, loss = TABLES[name]
    with open(DATA / file / "data.csv") as f:
        rows = list(csv.DictReader(f))
    v = np.array([[float(r[c]) for c in inputs] for r in rows])
    if file == "wine":
        labels = [r[target] for r in rows]
        return v, np.array([[float(l == c) for c in sorted(set(labels))] for l in labels]), loss
    return v, np.array([[float(r[target])] for r in rows]), loss


def standard(v, fitted):
    """Columns of mean 0 and deviation 1 over the fitted rows, and one of ones."""
    return np.hstack([(v - fitted.mean(0)) / fitted.std(0), np.ones((len(v), 1))])


def slope(loss, x, y):
    """l and its gradient at predictions x."""
    if loss == "squared":
        return 0.5 * float(((x - y) ** 2).sum()), x - y
    if loss == "logistic":
        return float(np.logaddexp(0, -y * x).sum()), -y / (1 + np.exp(y * x))
    top = x.max(1, keepdims=True)
    e = np.exp(x - top)
    total = e.sum(1, keepdims=True)
    return float((top + np.log(total)).sum() - (x * y).sum()), e / total - y


def objective(loss, v, y, lam, u, w):
    sizes = np.linalg.norm(u, axis=0) * np.linalg.norm(w, axis=0)
    return slope(loss, np.maximum(v @ u, 0) @ w.T, y)[0] + lam * float(sizes.sum())


def start(d, q, width, seed):
    g = np.random.default_rng(seed)
    return g.standard_normal((d, width)) / np.sqrt(d), g.standard_normal((q, width)) / np.sqrt(width)


def lbfgs(v, y, loss, lam, width, seed):
    """scipy's L-BFGS until a step lowers the objective by less than 1e-10 of it."""
    from scipy.optimize import minimize

    (d, q), cut = (v.shape[1], y.shape[1]), v.shape[1] * width
    unpack = lambda x: (x[:cut].reshape(d, width), x[cut:].reshape(q, width))

    def value(x):
        u, w = unpack(x)
        z = v @ u
        h = np.maximum(z, 0)
        f, r = slope(loss, h @ w.T, y)
        return f + 0.5 * lam * (x @ x), np.concatenate([(v.T @ ((r @ w) * (z > 0)) + lam * u).ravel(), (r.T @ h + lam * w).ravel()])

    x = np.concatenate([a.ravel() for a in start(d, q, width, seed)])
    options = dict(maxiter=10_000, maxfun=100_000, ftol=1e-10, gtol=0, maxcor=20)
    return unpack(minimize(value, x, jac=True, method="L-BFGS-B", options=options).x)


def adam(v, y, loss, lam, width, seed, steps=1000, rate=0.03):
    """PyTorch's Adam on the whole data, the rate falling along a cosine."""
    import torch

    torch.set_default_dtype(torch.float64)
    v, y = torch.tensor(v), torch.tensor(y)
    u, w = (torch.tensor(a, requires_grad=True) for a in start(v.shape[1], y.shape[1], width, seed))
    optimizer = torch.optim.Adam([u, w], lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.relu(v @ u) @ w.T
        if loss == "squared":
            f = 0.5 * ((x - y) ** 2).sum()
        elif loss == "logistic":
            f = torch.nn.functional.softplus(-y * x).sum()
        else:
            f = (torch.logsumexp(x, 1) - (x * y).sum(1)).sum()
        (f + 0.5 * lam * ((u * u).sum() + (w * w).sum())).backward()
        optimizer.step()
        schedule.step()
    return u.detach().numpy(), w.detach().numpy()


def seeds(job):
    """The ends of some seeds and the time of all of them together."""
    train = dict(lbfgs=lbfgs, adam=adam)[job["by"]]
    v, y, loss = load(job["data"])
    if job["by"] == "adam":
        import torch

        torch.set_num_threads(1)
        adam(v[:10], y[:10], loss, job["lam"], 1, 0, steps=2)
    scale = float(abs(y).max()) if loss == "squared" else 1.0
    wall, cpu, ends = time.perf_counter(), time.process_time(), []
    for seed in range(job["seeds"]):
        # targets of size 1 for all: a step size that fits one data set fits the others
        u, w = train(v, y / scale, loss, job["lam"] / scale, job["width"], seed)
        ends.append((u, w * scale))
    took = dict(wall_s=time.perf_counter() - wall, cpu_s=time.process_time() - cpu)
    return dict(took, ends=[objective(loss, v, y, job["lam"], u, w) for u, w in ends])


def held_out(job):
    """Errors of the ends of some seeds on rows kept out: R2 of the targets, or the share of classes that are right."""
    v, y, loss = read(job["data"])
    held = np.load(job["mask"]).ravel() > 0
    v = standard(v, v[~held])
    mean = y[~held].mean(0) if loss == "squared" else 0.0
    errors, ends = [], []
    for seed in range(job["seeds"]):
        scale = float(abs(y[~held] - mean).max()) if loss == "squared" else 1.0
        u, w = lbfgs(v[~held], (y[~held] - mean) / scale, loss, job["lam"] / scale, job["width"], seed)
        x = np.maximum(v[held] @ u, 0) @ w.T * scale + mean
        off = ((x - y[held]) ** 2).sum() / ((y[held] - y[held].mean(0)) ** 2).sum()
        errors.append(float((x.argmax(1) == y[held].argmax(1)).mean() if loss == "multinomial" else 1 - off))
        ends.append(objective(loss, v[~held], y[~held] - mean if loss == "squared" else y[~held], job["lam"], u, w * scale))
    return dict(errors=errors, ends=ends)


def fold(job):
    """Writes a mask with a fifth of the rows, drawn."""
    n = len(read(job["data"])[1])
    held = np.zeros((n, 1))
    held[np.random.default_rng(0).permutation(n)[: n // 5]] = 1
    np.save(job["mask"], held)
    return dict(held=n // 5, fitted=n - n // 5)


def make(job):
    """Writes V and Y of a data set for homfac."""
    v, y, loss = load(job["data"])
    stem = "net-" + job["data"].replace(",", "").replace(" ", "-")
    np.save(Path(job["folder"]) / f"{stem}-V.npy", v)
    np.save(Path(job["folder"]) / f"{stem}-Y.npy", y)
    return dict(stem=stem, loss=loss, samples=len(v))
