"""What other tools call things, held to homfac: the objective of each tool, from its own numbers, is the one that homfac
certifies. Fails where a line of docs/peers.md is wrong.
usage: HOMFAC=target/release/homfac python peers.py [sklearn softimpute tensorly pyttb cvxpy ..]
needs numpy and the tools named: pip install scikit-learn tensorly pyttb cvxpy"""
import json, os, pathlib, subprocess, sys, tempfile
import numpy as np

HOMFAC = str(pathlib.Path(os.environ.get("HOMFAC", "homfac")).expanduser())
if os.sep in HOMFAC:
    HOMFAC = os.path.abspath(HOMFAC)
rng = np.random.default_rng(0)


class Place:
    """A folder with a spec, its data and factors; the commands of homfac run in it."""

    def __init__(self, target, spec, **files):
        self.folder = tempfile.TemporaryDirectory()
        self.path = pathlib.Path(self.folder.name)
        np.save(self.path / "Y.npy", np.ascontiguousarray(target, dtype=float))
        for name, array in files.items():
            np.save(self.path / f"{name}.npy", np.ascontiguousarray(array, dtype=float))
        (self.path / "spec.toml").write_text(spec)

    def run(self, *args, codes=(0, 1)):
        done = subprocess.run([HOMFAC, *args], cwd=self.path, capture_output=True, text=True)
        assert done.returncode in codes, f"{args}: {done.returncode}\n{done.stderr}"
        return done

    def check(self, factors):
        names = []
        for k, x in enumerate(factors):
            names.append(f"X{k + 1}.npy")
            np.save(self.path / names[-1], np.ascontiguousarray(x, dtype=float))
        return json.loads(self.run("check", "--spec", "spec.toml", "--factors", *names, "--json", "-q").stdout)

    def solve(self):
        return json.loads(self.run("solve", "spec.toml", "--json", "-q", "-o", "run").stdout)


def spec(lam, factors, mapping="matrix", form="product", data='target = "Y.npy"', loss='kind = "squared"', more=""):
    return (f"lambda = {lam!r}\n[data]\n{data}\n[mapping]\nkind = \"{mapping}\"\n[regularizer]\nform = \"{form}\"\n"
            f"factors = [{factors}]\n[loss]\n{loss}\n[certificate]\ntarget_gap = 1e-6\n{more}")


L2, NONNEGATIVE, L1 = '{ norm = "l2" }', '{ norm = "l2", cone = "nonnegative" }', '{ norm = "l1" }'


def same(what, homfac, peer, relative):
    off = abs(homfac - peer) / max(abs(homfac), abs(peer))
    print(f"  {what:<52} homfac {homfac:.10g}, peer {peer:.10g}, apart {off:.0e}")
    assert off <= relative, what


def says(c):
    gap = "-" if c["gap"]["relative"] is None else f"{c['gap']['relative']:.1e}"
    print(f"    verdict {c['verdict']}, proven gap {gap}")


def low_rank(m, n, r, noise=0.1):
    return rng.normal(size=(m, r)) @ rng.normal(size=(r, n)) + noise * rng.normal(size=(m, n))


def sklearn():
    from sklearn.decomposition import NMF, DictionaryLearning
    y = np.abs(low_rank(30, 12, 3))
    aw, ah = 0.02, 0.05
    model = NMF(5, init="random", random_state=0, tol=1e-9, max_iter=20000, alpha_W=aw, alpha_H=ah, l1_ratio=0.0)
    w = model.fit_transform(y)
    h = model.components_
    (m, n) = y.shape
    peer = 0.5 * np.sum((y - w @ h) ** 2) + 0.5 * aw * n * np.sum(w**2) + 0.5 * ah * m * np.sum(h**2)
    # both penalties by one number: scale the slices until they agree
    c = Place(y, spec(float(np.sqrt(aw * n * ah * m)), NONNEGATIVE)).check([w, h.T])
    product = 0.5 * np.sum((y - w @ h) ** 2) + np.sqrt(aw * n * ah * m) * np.sum(
        np.linalg.norm(w, axis=0) * np.linalg.norm(h, axis=1))
    same("NMF, l1_ratio = 0, product form", c["objective"]["total"], product, 1e-9)
    # at a minimum both penalties are balanced, and the two forms agree
    same("NMF, l1_ratio = 0, its own objective", c["objective"]["total"], peer, 1e-6)
    says(c)

    x = low_rank(20, 8, 3)
    positive = '{ norm = "l1", cone = "nonnegative" }'
    for what, more, factors in [
        ("atoms of norm 1", {}, f"{L1}, {L2}"),
        ("positive_code", {"positive_code": True}, f"{positive}, {L2}"),
        ("positive_dict", {"positive_dict": True}, f"{L1}, {NONNEGATIVE}"),
    ]:
        fit = "cd" if more else "lars"
        model = DictionaryLearning(6, alpha=1.0, tol=1e-10, max_iter=500, fit_algorithm=fit, random_state=0,
                                   transform_algorithm="lasso_cd", transform_alpha=1.0, transform_max_iter=20000, **more)
        code = model.fit_transform(x)
        atoms = model.components_
        peer = 0.5 * np.sum((x - code @ atoms) ** 2) + np.sum(np.abs(code))
        c = Place(x, spec(1.0, factors)).check([code, atoms.T])
        same(f"DictionaryLearning, {what}", c["objective"]["total"], peer, 1e-6)
        says(c)


def softimpute():
    y = low_rank(40, 25, 2)
    seen = rng.random(y.shape) < 0.6
    lam, x = 2.0, np.zeros_like(y)
    for _ in range(3000):
        u, d, vt = np.linalg.svd(np.where(seen, y, x), full_matrices=False)
        d = np.maximum(d - lam, 0.0)
        x = (u * d) @ vt
    keep = d > 0
    peer = 0.5 * np.sum((y - x)[seen] ** 2) + lam * np.sum(d)
    place = Place(np.where(seen, y, np.nan), spec(lam, L2))
    c = place.check([u[:, keep] * np.sqrt(d[keep]), vt[keep].T * np.sqrt(d[keep])])
    same("softImpute(lambda), u d v' of the answer", c["objective"]["total"], peer, 1e-9)
    says(c)
    same("  and what homfac finds itself", place.solve()["objective"]["total"], peer, 1e-5)
    scales = np.linalg.svd(np.where(seen, y, 0.0), compute_uv=False)
    same("lambda0(x)", c["lambda_max"]["found"], scales[0], 1e-9)


def tensorly():
    import tensorly as tl
    from tensorly.decomposition import parafac, non_negative_parafac_hals
    t = np.einsum("ir,jr,kr->ijk", *(np.abs(rng.normal(size=(d, 3))) for d in (6, 5, 4)))
    t += 0.05 * np.abs(rng.normal(size=t.shape))
    for name, fit, factor in [("parafac", parafac, L2), ("non_negative_parafac_hals", non_negative_parafac_hals, NONNEGATIVE)]:
        weights, factors = fit(tl.tensor(t), rank=3, n_iter_max=500, tol=1e-12)
        x = [factors[0] * weights] + list(factors[1:])
        peer = 0.5 * np.sum((t - tl.cp_to_tensor((weights, factors))) ** 2)
        c = Place(t, spec(0.1, factor, mapping="cp")).check(x)
        same(f"{name}: half its squared error is the loss", c["objective"]["loss"], peer, 1e-8)
        norms = np.prod([np.linalg.norm(f, axis=0) for f in x], axis=0)
        same("  lambda times the sum of its normalised weights", c["objective"]["regularizer"], 0.1 * np.sum(norms), 1e-9)
        says(c)
    seen = rng.random(t.shape) < 0.8
    weights, factors = parafac(tl.tensor(np.where(seen, t, 0.0)), rank=2, mask=seen, n_iter_max=50, random_state=0)
    data = 'target = "Y.npy"\nmask = "M.npy"'
    c = Place(t, spec(0.1, L2, mapping="cp", data=data), M=seen).check([factors[0] * weights] + list(factors[1:]))
    peer = 0.5 * np.sum(((t - tl.cp_to_tensor((weights, factors))) ** 2)[seen])
    same("parafac with mask: half its squared error there", c["objective"]["loss"], peer, 1e-8)
    # l2_reg of parafac: squares of three norms
    ridge = spec(0.1, L2, mapping="cp", form="sum").replace('form = "sum"', 'form = "sum"\npower = 2')
    done = Place(t, ridge).run("solve", "spec.toml", codes=(2, 3))
    assert "unbalanced" in done.stderr, done.stderr
    print("  l2_reg (squares of three norms) is refused as unbalanced")


def pyttb():
    import pyttb as ttb
    from pyttb.gcp import handles
    sizes = (5, 4, 3)
    x = [0.7 * rng.normal(size=(d, 2)) for d in sizes]
    model = np.einsum("ir,jr,kr->ijk", *x)
    counts, signs, reals = rng.poisson(2.0, sizes), rng.integers(0, 2, sizes), model + rng.normal(size=sizes)
    huber = 'kind = "huber"\ndelta = 0.4'
    cases = [
        ("gaussian is twice `squared`", reals, 'kind = "squared"', 2.0, handles.gaussian(reals, model)),
        ("huber is twice `huber`", reals, huber, 2.0, handles.huber(reals, model, 0.4)),
        ("poisson_log is `poisson`", counts, 'kind = "poisson"', 1.0, handles.poisson_log(counts, model)),
        ("bernoulli_logit is `logistic`", signs, 'kind = "logistic"', 1.0, handles.bernoulli_logit(signs, model)),
    ]
    for what, data, loss, factor, peer in cases:
        c = Place(data, spec(0.1, L2, mapping="cp", loss=loss)).check(x)
        same(f"gcp_opt, {what}", factor * c["objective"]["loss"], float(np.sum(peer)), 1e-6)
    t = np.einsum("ir,jr,kr->ijk", *(rng.normal(size=(d, 2)) for d in sizes))
    k, _, info = ttb.cp_als(ttb.tensor(t), 2, stoptol=1e-12, maxiters=1000, printitn=0)
    factors = [np.asarray(k.factor_matrices[0]) * np.asarray(k.weights)] + [np.asarray(f) for f in k.factor_matrices[1:]]
    c = Place(t, spec(0.1, L2, mapping="cp")).check(factors)
    # the weights of a ktensor with columns of norm 1 are what homfac penalises
    k.normalize()
    same("cp_als: lambda times the sum of weights", c["objective"]["regularizer"], 0.1 * float(np.sum(k.weights)), 1e-8)
    says(c)


def cvxpy():
    import cvxpy as cp
    m, n, lam = 12, 9, 0.8
    y = low_rank(m, n, 2, 0.3)
    seen = rng.random((m, n)) < 0.7
    signs = np.where(low_rank(m, n, 2) > 0, 1.0, -1.0)
    s = y[:n] + y[:n].T
    holes = np.where(seen, y, np.nan)
    x = cp.Variable((m, n))
    fit = 0.5 * cp.sum_squares(x - y)
    huber = 'kind = "huber"\ndelta = 0.5'
    outliers = '[[extra]]\nkind = "outliers"\npenalty = { norm = "l1", weight = 0.5 }\n'
    intercept = '[[extra]]\nkind = "intercept"\naxis = 1\n'
    a, e, g = cp.Variable((m, 1)), cp.Variable((m, n)), cp.Variable((n, n), PSD=True)
    nuc = lam * cp.normNuc(x)
    cases = [
        ("normNuc(X), fully observed", fit + nuc, y, spec(lam, L2)),
        ("normNuc(X), multiply(mask, ..)", 0.5 * cp.sum_squares(cp.multiply(seen, x - y)) + nuc, holes, spec(lam, L2)),
        ("sum(huber(X - Y, M)) / 2", 0.5 * cp.sum(cp.huber(x - y, 0.5)) + nuc, y, spec(lam, L2, loss=huber)),
        ("sum(logistic(-multiply(Y, X)))", cp.sum(cp.logistic(-cp.multiply(signs, x))) + nuc, signs,
         spec(lam, L2, loss='kind = "logistic"')),
        ("sum(norm(X, 2, axis=1)): l1 x l2", fit + lam * cp.sum(cp.norm(x, 2, axis=1)), y, spec(lam, f"{L1}, {L2}")),
        ("sum(abs(X)): l1 x l1", fit + lam * cp.sum(cp.abs(x)), y, spec(lam, L1)),
        ("trace(X), X PSD", 0.5 * cp.sum_squares(g - s) + lam * cp.trace(g), s, spec(lam, L2, mapping="psd")),
        ("X + a 1', a free", 0.5 * cp.sum_squares(x + a @ np.ones((1, n)) - y) + nuc, y, spec(lam, L2, more=intercept)),
        ("X + S, w sum(abs(S))", 0.5 * cp.sum_squares(x + e - y) + nuc + 0.5 * cp.sum(cp.abs(e)), y,
         spec(lam, L2, more=outliers)),
    ]
    for what, objective, data, text in cases:
        peer = cp.Problem(cp.Minimize(objective)).solve(solver=cp.CLARABEL if "logistic" not in what else cp.SCS, **(
            {} if "logistic" not in what else {"eps": 1e-7, "max_iters": 100000}))
        c = Place(data, text).solve()
        same(what, c["objective"]["total"], float(peer), 2e-5)
        assert c["verdict"] == "global", c["verdict"]
        assert c["lower_bound"] <= peer + 1e-6 * abs(peer), "a bound above what cvxpy found"


ALL = {f.__name__: f for f in (sklearn, softimpute, tensorly, pyttb, cvxpy)}
if __name__ == "__main__":
    for name in sys.argv[1:] or ALL:
        print(name)
        ALL[name]()
    print("every line holds")
