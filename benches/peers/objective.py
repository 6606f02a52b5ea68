"""homfac's objectives in float64: 1/2 ||Y - X||^2 over the observed entries + lambda times the regularizer."""
import numpy as np


def predict(u, v, i, j, chunk=200_000):
    """(U V')_ij at the positions given."""
    out = np.empty(len(i))
    for s in range(0, len(i), chunk):
        at = slice(s, s + chunk)
        out[at] = np.einsum("ij,ij->i", u[i[at]], v[j[at]])
    return out


def nuclear(u, v):
    """||U V'||_*: the regularizer of the best balanced factors of this product."""
    return float(np.linalg.svd(np.linalg.qr(u)[1] @ np.linalg.qr(v)[1].T, compute_uv=False).sum())


def completion(u, v, i, j, y, lam):
    """1/2 ||P(Y - U V')||^2 + lambda ||U V'||_*."""
    r = y - predict(u, v, i, j)
    return 0.5 * float(r @ r) + lam * nuclear(u, v)


def balanced(u, v, y, lam):
    """1/2 ||Y - U V'||^2 + lambda sum_k ||u_k|| ||v_k||, slices rescaled to their best."""
    r = y - u @ v.T
    return 0.5 * float((r * r).sum()) + lam * float((np.linalg.norm(u, axis=0) * np.linalg.norm(v, axis=0)).sum())
