"""docs/benchmarks.md from the results of run.py. usage: document.py RESULTS.json > FILE"""
import json
import math
import sys

TITLES = {"ml-latest-small": "MovieLens latest-small"}


def digits(x, n=3):
    """n significant digits without exponents."""
    if x is None:
        return "-"
    return f"{x:.{max(0, n - 1 - math.floor(math.log10(abs(x))))}f}" if x else "0"


def excess(x):
    return f"{max(x, 0):.1e}"


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(c) for c in line) + " |" for line in lines)


def exponent(points):
    """The slope of log cost over log size, by least squares."""
    x, y = [math.log(a) for a, _ in points], [math.log(b) for _, b in points]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mx) * (b - my) for a, b in zip(x, y)) / sum((a - mx) ** 2 for a in x)


def net(record, run):
    """homfac's process less reading."""
    return {k: run[k] - record["read"][k] for k in ("wall_s", "cpu_s")}


def seconds(run):
    return f"{digits(run['wall_s'])} ({digits(run['cpu_s'])})"


class Verdicts:
    """Every comparison made, for the summary: what, and the ratios of wall and CPU time, above 1 where homfac is faster."""

    def __init__(self):
        self.all = []
        self.never = []
        self.notes = []

    def ratios(self, what, peer, homfac):
        wall, cpu = (peer[k] / homfac[k] for k in ("wall_s", "cpu_s"))
        self.all.append((what, wall, cpu))
        return f"{digits(wall)} ({digits(cpu)})"

    def summary(self):
        wins = [(what, f"{digits(wall)}x ({digits(cpu)}x)") for what, wall, cpu in self.all if wall > 1 and cpu > 1]
        losses = [(what, f"{digits(1 / wall)}x ({digits(1 / cpu)}x)") for what, wall, cpu in self.all if wall <= 1 and cpu <= 1]
        mixed = [(what, f"{digits(wall)}x ({digits(cpu)}x)") for what, wall, cpu in self.all if (wall > 1) != (cpu > 1)]
        losses += [(what, "not reached") for what in self.never]
        say = lambda pairs: "".join(f"\n  - {what}: {ratio}" for what, ratio in pairs) or " none"
        return (f"- homfac is **faster**, by wall (CPU) time:{say(wins)}\n- homfac is **slower**, by wall (CPU) time:{say(losses)}"
                + (f"\n- Wall and CPU time disagree; the peer's over homfac's:{say(mixed)}" if mixed else "")
                + "".join(f"\n- {note}." for note in self.notes))


def completion(records, verdicts):
    rows, als, stages, memory = [], [], [], []
    for r in records:
        name = TITLES.get(r["name"], r["name"])
        for threads, t in r["threads"].items():
            h, c = t["homfac"], t["cmfrec"]
            rest = net(r, h)
            rows.append([
                name, r["lam"], threads, seconds(h), seconds(rest), excess(h["gap"]), seconds(c), c["iterations"],
                excess(c["objective"] / r["optimum"]["objective"] - 1),
                verdicts.ratios(f"completion of {name}, {threads} thread{'s' if threads != '1' else ''}, against cmfrec", c, rest)])
            if threads == "1":
                memory.append([name, digits(h["peak_mb"]), f"{digits(c['peak_mb'])} ({digits(c['peak_mb'] - c['base_mb'])})"])
                s = r["softimpute"]
                factor = digits(s["cpu_s"] / rest["cpu_s"])
                als.append([name, digits(rest["cpu_s"]), digits(s["cpu_s"]), s["iterations"],
                            excess(s["objective"] / r["optimum"]["objective"] - 1), factor if s["reached"] else f"> {factor}, stopped"])
        stages.append(stage_row(name, r["stages"]))
    head = ["data", "lambda", "threads", "homfac, whole process", "without reading", "its proven gap", "cmfrec, fit alone", "its iterations",
            "its excess", "ratio"]
    text = f"""## Matrix completion to 1e-4 of the optimum

homfac stops at a **proven** gap of 1e-4; its time is that of the whole process, from start to the written run folder: lambda_max,
solving, proving, and reading, which is then left out, as it is of cmfrec's; the ratio is of what remains. cmfrec (CG, `rank cap` {', '.join(str(r['cap']) for r in records)} in the order below) proves nothing and has
to be told how many iterations to make: it is given the least number that brings it within 1e-4, found beforehand, and only its
fit is timed. The optimum is known from homfac's proven interval at a gap of 1e-6.

{table(head, rows)}

softImpute-ALS, one thread, CPU seconds. The R package is neither in PyPI nor in Debian, so this is its algorithm in numpy (`peer.py`),
its closing step of soft-thresholding credited wherever it is evaluated; it is stopped at 15 times homfac's time, or at 45 s.

{table(["data", "homfac, without reading", "softImpute-ALS", "its iterations", "its excess", "ratio"], als)}
"""
    return text, stages, memory


def stage_row(name, s):
    parts = s["stages"]
    named = [parts.get(what, (0, 0))[1] for what in ("descending", "searching the polar", "climbing the ladder of relaxations")]
    rest = s["solve"][1] - sum(p[1] for p in parts.values())
    parts = (s["read"][1], s["lambda_max"][1], *named, rest, s["certify"][1])
    return [name, *(digits(x) if x >= 1e-3 else "0" for x in parts)]


def nmf(records, verdicts, seeds):
    rows, memory = [], []
    for r in records:
        for c in r["cases"]:
            ends, best = sorted(c["ends"]), min(c["ends"])
            h = c["homfac"]
            what = f"NMF of {r['name']} at lambda {r['lam']}, against scikit-learn at rank {c['rank']}"
            if h is None:
                verdicts.never.append(what)
            ratio = verdicts.ratios(what, c["scikit_learn"], h) if h else "not reached"
            rows.append([
                r["name"], r["lam"], c["rank"], c["iterations"], f"{best:.7g}", f"{ends[len(ends) // 2]:.7g}", f"{ends[-1]:.7g}",
                f"{seconds(c['scikit_learn'])}, {c['needed']} iterations", seconds(h) if h else "not reached", ratio])
        memory.append([f"{r['name']}, lambda {r['lam']}", digits(r["peak_mb"]),
                       ", ".join(f"{digits(c['scikit_learn']['peak_mb'])} ({digits(c['scikit_learn']['peak_mb'] - c['scikit_learn']['base_mb'])})" for c in r["cases"])])
    head = ["data", "lambda", "its rank", "its iterations", "best end", "median end", "worst end", "one seed within 1e-4 of its own end",
            f"homfac at the best end of {seeds}", "ratio"]
    ranks = ", ".join(f"{r['rank']} ({r['name']}, lambda {r['lam']})" for r in records)
    return f"""## Nonnegative matrix factorization

scikit-learn (coordinate descent, `tol=0`) from {seeds} random starts at a rank that it has to be told; homfac from its one start,
with whatever rank it finds. The two times answer different questions, the harder one put to homfac: one scikit-learn seed coming
within 1e-4 of **its own** end, against homfac reaching the **best end of all {seeds}** (to a millionth of it). homfac's time is from the start of the
process, its proofs so far included. One thread.

{table(head, rows)}

Rank of homfac's point when it was stopped: {ranks}.
""", memory


def full(r, verdicts):
    rest, peer = net(r, r["homfac"]), r["scikit_learn"]
    best = min(r["homfac"]["objective"], peer["objective"])
    against = f"nuclear norm of {r['name']} against randomized_svd"
    rows = [
        ["scikit-learn: `randomized_svd` (k = 30), soft threshold, objective", seconds(peer), excess(peer["objective"] / best - 1), ""],
        ["homfac to the end of its last descent", seconds(r["last_descent"]), "",
         verdicts.ratios(f"{against}, without the proof", peer, r["last_descent"])],
        ["homfac, whole process without reading", seconds(rest), excess(r["homfac"]["objective"] / best - 1),
         verdicts.ratios(f"{against}, proven gap {excess(r['homfac']['gap'])} included", peer, rest)],
    ]
    return f"""## Full data, nuclear norm: 1000 x 2000, lambda {r['lam']}

Here the solution is a soft-thresholded SVD, and a randomized one is the best that can be done. One thread.

{table(["route", "time", "excess", "ratio"], rows)}
"""


def convex(r, verdicts):
    h, c = r["homfac"], r["cvxpy"]
    best = min(h["objective"], c["objective"])
    return f"""## A general convex solver: 60 x 50, 900 entries, lambda {r['lam']}

cvxpy with SCS at 1e-5: {seconds(c)} s for an excess of {excess(c['objective'] / best - 1)}. homfac, whole process: {seconds(h)} s for a proven gap
of {excess(h['gap'])}. Ratio {verdicts.ratios('completion of 60 x 50 against cvxpy with SCS', c, h)}.
"""


# user and system time of a running process are told in hundredths, each rounded down
ROUNDED_S = 0.02
BY = dict(lbfgs="L-BFGS", adam="Adam")


def networks(records, verdicts, seeds):
    rows, proofs, ratios, reached = [], [], [], 0
    for r in records:
        over = lambda x: f"{x / r['end'] - 1:.1e}"
        for c in r["cases"]:
            ends, h = sorted(c["ends"]), c["homfac"]
            reached += h is not None
            ratio = "not reached"
            if h:
                ratios.append(c["cpu_s"] / (h["cpu_s"] + ROUNDED_S))
                ratio = digits(ratios[-1])
            rows.append([r["name"], r["ratio"], f"{BY[c['by']]}, {c['width']}", over(ends[0]), over(ends[len(ends) // 2]), over(ends[-1]),
                         digits(c["cpu_s"]), digits(h["cpu_s"] + ROUNDED_S) if h else "-", ratio])
        p = r["proven"]
        proofs.append([r["name"], r["samples"], r["ratio"], f"{r['end']:.8g}", over(r["best"]), p["rank"], f"{p['gap']:.1e}", digits(p["cpu_s"])])
    faster = sum(x > 1 for x in ratios)
    verdicts.notes.append(
        f"Networks against {seeds} seeds of gradient descent: the best end reached in {reached} of {len(rows)} comparisons, in less CPU time than "
        f"the seeds together in {faster} of them (the peer's over homfac's: {digits(min(ratios))} to {digits(max(ratios))})")
    head = ["data", "lambda / lambda_max", "trained by, width", "best", "median", "worst", f"{seeds} seeds together", "homfac at their best", "ratio"]
    second = ["data", "samples", "lambda / lambda_max", "homfac's objective", "best of all seeds above it", "neurons", "proven gap", "whole process"]
    return f"""## Networks of two layers

The same objective trained by gradient descent from {seeds} random starts: scipy's L-BFGS until a step brings less than 1e-10, PyTorch's
Adam for 1000 steps on all samples (`networks.py`). Ends are relative to homfac's objective, below: above 0 they are worse. homfac's
time is that of its whole process until its objective is at most their best end (to a millionth of it), toward a gap that it does not
reach; theirs is of the training alone, of all seeds, since nothing says beforehand which is the best. CPU seconds, one thread;
0.02 is added to homfac's, whose clock rounds down by that much at most.

{table(head, rows)}

What is proven, by a solve of its own toward a gap of 1e-3 with 30 s at most:

{table(second, proofs)}
"""


def held_out(records, seeds):
    rows = []
    for r in records:
        errors, h = sorted(r["errors"]), r["homfac"]
        what, ours = ("accuracy", h["holdout"]["accuracy"]) if h["holdout"].get("accuracy") is not None else ("R2", h["holdout"]["r2"])
        over = lambda x: f"{x / h['objective'] - 1:.1e}"
        rows.append([f"{r['name']} (`specs/{r['spec']}.toml`)", r["fitted"], r["held"], f"{h['gap']:.1e}", f"{what} {ours:.4f}",
                     *(f"{e:.4f}" for e in (errors[-1], errors[len(errors) // 2], errors[0])), f"{over(min(r['ends']))} .. {over(max(r['ends']))}"])
    head = ["data", "fitted", "held out", "proven gap", "homfac, held out", "best seed", "median", "worst", "their objectives above homfac's"]
    return f"""### Held out

The networks of the specs with a fifth of the samples kept out, beside {seeds} seeds of L-BFGS at width 20, at the same lambda on the same split.
A proof is about the fit: it says that no network of this cost fits better, and rules out luck as the reason for what is held out.

{table(head, rows)}
"""


def scaling(series):
    rows = []
    for name, points in sorted(series.items(), key=lambda s: ("fixed" in s[0], s[0])):
        (a, first), (b, last) = points[0], points[-1]
        rows.append([name, f"{a:,} .. {b:,}", f"{digits(1e3 * first)} .. {digits(1e3 * last)}", f"{exponent(points):.2f}"])
    return f"""## Scaling

CPU time of one sweep of the descent that homfac chooses, one thread, each over a decade, with the exponent fitted by least squares to
five points: row-wise coordinate descent for full nonnegative data; a step of variable projection for completion, where a solve
begins with a few sweeps of alternating least squares, which are not in these numbers. 1 is linear; below 1 the cost grows more slowly than the size.
Completion: 2000 x 2000, 300,000 entries and rank 10 unless said; 5000 x 5000 of rank 16 where entries grow, and of 1,000,000 entries where
the rank does, where sums fit the registers up to 64. Full data: 500 on the other side, rank 20; 3000 x 3000 where the rank grows.

{table(["what grows", "from .. to", "ms per sweep", "exponent"], rows)}
"""


DATA = """## Data

| name | what |
| --- | --- |
| mc2k_1, mc2k_5 | 2000 x 2000, 1 % and 5 % observed: rank 10 of unit variance, noise 0.1 |
| mc20k_1 | 20000 x 5000, 1 % observed: the same |
| MovieLens latest-small | 671 x 9066, 90,004 ratings to train on |
| digits | 64 x 1797, the images that the repository ships, over 16 |
| nmf1k2k | 1000 x 2000, nonnegative of rank 20, noise |
| dense1k2k | 1000 x 2000, 20 directions far above unit noise |
"""


def document(results):
    verdicts = Verdicts()
    parts, stages, memory = [], [], []
    text, stages, memory = completion(results["completion"], verdicts)
    parts.append(text)
    text, more = nmf(results["nmf"], verdicts, results["seeds"])
    parts.append(text)
    memory += more
    parts.append(full(results["full"], verdicts))
    stages.append(stage_row(results["full"]["name"], results["full"]["stages"]))
    f = results["full"]
    memory.append([f["name"], digits(f["homfac"]["peak_mb"]), f"{digits(f['scikit_learn']['peak_mb'])} ({digits(f['scikit_learn']['peak_mb'] - f['scikit_learn']['base_mb'])})"])
    parts.append(convex(results["convex"], verdicts))
    parts.append(networks(results["networks"], verdicts, results["seeds"]))
    parts.append(held_out(results["held_out"], results["seeds"]))
    parts.append(f"""## Where homfac's time goes

CPU seconds, one thread. The polar includes the proof of its upper end.

{table(["data", "reading", "lambda_max", "descent", "polar", "relaxations", "rest of solving", "certifying the answer"], stages)}
""")
    parts.append(scaling(results["scaling"]))
    parts.append(f"""## Peak memory

Megabytes, one thread. homfac: the whole process. Peers: the whole process (above what it had with Python, its libraries and the data
loaded).

{table(["data", "homfac", "peer"], memory)}
""")
    versions = ", ".join(f"{k} {v}" for k, v in results["versions"].items())
    head = f"""# Benchmarks

homfac against the tools that one would use otherwise, on the same data, to the same objective, on the same machine, in one run, by
turns (A B A B ..), the best of {results['repeats']}. Every point that a peer returns is evaluated anew in float64. homfac's times include
its proof unless said; no peer proves anything. Where homfac's reading of files is left out, it is said. Times are wall seconds, CPU seconds in brackets; ratios are the peer's time over
homfac's (CPU likewise), above 1 where homfac is faster. *Excess* is the objective's relative distance from the best one known.

Machine: {results['machine']}. {'It was shared with other work during the run (load average ' + digits(results['load'], 2) + ' at the start), so factors below about 1.5 are noise.' if results['load'] > 0.7 else 'It was otherwise idle.'} Peers: {versions}.

{verdicts.summary()}

To run it again: [benches/peers](../benches/peers/README.md). The kernels have benches of their own (`cargo bench --bench kernels`).
"""
    return "\n".join([head, DATA, *parts])


if __name__ == "__main__":
    print(document(json.load(open(sys.argv[1]))), end="")
