"""Fit the digits with scikit-learn's NMF at the penalty of specs/digits-sum.toml and save the factors for `homfac check`.
usage: python sklearn_nmf.py FOLDER [RANK] [SEED]"""
import pathlib, sys
import numpy as np
from sklearn.decomposition import NMF

folder = pathlib.Path(sys.argv[1])
rank, seed = int(sys.argv[2]) if len(sys.argv) > 2 else 40, int(sys.argv[3]) if len(sys.argv) > 3 else 0
x = np.load(pathlib.Path(__file__).parents[2] / "data/digits/X.npy")
lam = 160.0
# scikit-learn minimises ||X - WH||^2 / 2 + alpha_W n_features ||W||^2 / 2 + alpha_H n_samples ||H||^2 / 2
model = NMF(rank, init="random", random_state=seed, solver="cd", tol=1e-7, max_iter=5000,
            alpha_W=lam / x.shape[1], alpha_H=lam / x.shape[0], l1_ratio=0.0)
w = model.fit_transform(x)
folder.mkdir(parents=True, exist_ok=True)
np.save(folder / "W.npy", w)
np.save(folder / "H.npy", model.components_)
h = model.components_
print("objective", 0.5 * np.sum((x - w @ h) ** 2) + lam / 2 * (np.sum(w**2) + np.sum(h**2)))
