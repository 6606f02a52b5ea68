"""homfac and its peers on the same data, to the same objective, in one run, in turn; writes docs/benchmarks.md.

usage: run.py --homfac BINARY --python PYTHON --data FOLDER [--movielens CSV] [-o FILE]     (README.md beside this file)
"""
import argparse
import json
import os
import platform
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import document
from measure import Homfac, Peers, benches, least

ROOT = Path(__file__).parents[2]
ACCURACY = 1e-4
TAKES = ("wall_s", "cpu_s")
# name, lambda, rank cap of the peers: above the rank of every solution
COMPLETION = [("mc2k_1", 6, 40), ("mc2k_5", 4, 40), ("mc20k_1", 8, 30), ("ml-latest-small", 20, 40)]
# name, lambda, (rank, iterations of a seed) for scikit-learn: a guess, and what homfac finds
NMF = [("digits", 10, [(40, 2000)]), ("digits", 2, [(20, 2000), (350, 200)]), ("nmf1k2k", 5, [(30, 2000)])]
SEEDS = 10
# an objective counts as reached within this share of it: the log has seven digits
REACHED = 1e-6
NMF_LIMIT_S = 30
NETWORKS = ["diabetes, 3 inputs", "diabetes, 10 inputs", "auto-mpg, 4 inputs", "wine, 3 inputs, one-hot", "wine, 3 inputs, classes",
            "digits 3 and 8, 16 inputs"]
NETWORK_RATIOS = [0.3, 0.1, 0.03]
# spec, data
HELD_OUT = [("diabetes-relu-one", "diabetes, 1 input"), ("diabetes-relu-two", "diabetes, 2 inputs"), ("diabetes-relu", "diabetes, 3 inputs"),
            ("diabetes-relu-four", "diabetes, 4 inputs"), ("diabetes-relu-all", "diabetes, 10 inputs"), ("auto-mpg-relu", "auto-mpg, 4 inputs"),
            ("wine-relu", "wine, 3 inputs, classes")]
HELD_OUT_WIDTH = 20
# neurons of L-BFGS
WIDTHS = [5, 20, 50]
# lambda and neurons of Adam, which takes longer
ADAM = (0.1, 20)
NETWORK_LIMIT_S = 30
# softImpute is stopped at this many times homfac's time, or this many seconds
HOPELESS, HOPELESS_S = 15, 45


def say(text):
    print(f"[{time.perf_counter() - STARTED:5.0f} s] {text}", file=sys.stderr, flush=True)


def takes(runs):
    """The least wall and CPU time and the peak memory over some runs, and what else the last one says."""
    return {**runs[-1], "rows": None, **{k: least(runs, k) for k in TAKES}, "peak_mb": max(r["peak_mb"] for r in runs)}


def apart(stages):
    """Of solves taken apart: the least times of reading and of the last descent's end, and the stages of the quickest."""
    pair = lambda what: dict(zip(TAKES, (min(s[what][k] for s in stages) for k in (0, 1))))
    quickest = min(stages, key=lambda s: s["solve"][1] + s["certify"][1])
    return dict(read=pair("read"), last_descent=pair("last_descent"), stages=quickest)


def completion(a, homfac, peers):
    """Time to ACCURACY of the optimum, on one and two threads."""
    out = []
    for name, lam, cap in COMPLETION:
        if name == "ml-latest-small":
            if a.movielens is None:
                continue
            source = a.movielens.resolve()
            target = f'{{ path = {json.dumps(str(source))}, format = "triplets" }}'
        else:
            source = a.data / f"{name}.npz"
            sides = dict(mc2k_1=[2000, 2000], mc2k_5=[2000, 2000], mc20k_1=[20000, 5000])[name]
            target = f'{{ path = "{name}.csv", format = "triplets", shape = {sides} }}'
        spec = homfac.spec(f"completion-{name}", target, lam)
        say(f"{name}: the optimum")
        optimum = homfac.solve(spec, 2, gap=1e-6, limit=60)
        job = dict(data=source, lam=lam, rank=cap, goal=optimum["objective"] * (1 + ACCURACY))
        record = dict(name=name, lam=lam, cap=cap, optimum={k: optimum[k] for k in ("objective", "lower_bound", "rank")}, threads={})
        say(f"{name}: iterations that cmfrec needs")
        iterations = peers.run("cmfrec_ladder", 2, **job)["iterations"]
        stages = []
        for threads in (1, 2):
            ours, theirs = [], []
            while len(ours) < a.repeats:
                say(f"{name}: {threads} thread(s), {len(ours) + 1} of {a.repeats}")
                r = peers.run("cmfrec", threads, **job, iterations=iterations)
                if r["objective"] > job["goal"]:
                    # another number of threads rounds otherwise
                    iterations, theirs = iterations + 1, []
                    continue
                theirs.append(r)
                ours.append(homfac.solve(spec, threads))
                if threads == 1:
                    stages.append(homfac.stages(spec, threads))
            record["threads"][threads] = dict(homfac=takes(ours), cmfrec=takes(theirs))
        record.update(apart(stages))
        net = record["threads"][1]["homfac"]["cpu_s"] - record["read"]["cpu_s"]
        say(f"{name}: softImpute-ALS")
        record["softimpute"] = peers.run("softimpute", 1, **job, limit=min(HOPELESS * net, HOPELESS_S))
        out.append(record)
    return out


def nmf(a, homfac, peers):
    """Time to the best of SEEDS scikit-learn runs, against one of them coming within ACCURACY of its own end."""
    out = []
    for name, lam, ranks in NMF:
        spec = homfac.spec(f"nmf-{name}-{lam}", f'{{ path = "{name}.npy" }}', lam, cone="nonnegative")
        job = dict(data=a.data / f"{name}.npy", lam=lam)
        cases = []
        for rank, iterations in ranks:
            say(f"{name}, lambda {lam}: {SEEDS} seeds at rank {rank}")
            case = dict(rank=rank, iterations=iterations)
            one = lambda seed, case=case: peers.run("nmf", 1, **job, **case, seed=seed)["objective"]
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                first = pool.submit(peers.run, "nmf_trace", 1, **job, **case, seed=0, accuracy=ACCURACY)
                ends = list(pool.map(one, range(1, SEEDS)))
            first = first.result()
            cases.append(dict(case, ends=[first["objective"], *ends], needed=first["needed"], runs=[], reached=[]))
        rank_found, peak_mb = 0, 0
        for k in range(a.repeats):
            say(f"{name}, lambda {lam}: {k + 1} of {a.repeats}")
            for case in cases:
                case["runs"].append(peers.run("nmf", 1, **job, rank=case["rank"], iterations=case["needed"], seed=0))
            r = homfac.solve(spec, 1, limit=NMF_LIMIT_S, until=min(min(c["ends"]) for c in cases) * (1 + REACHED))
            rank_found, peak_mb = r["rank"], max(peak_mb, r["peak_mb"])
            for case in cases:
                there = [row for row in r["rows"] if row["objective"] <= min(case["ends"]) * (1 + REACHED)]
                case["reached"].extend(there[:1])
        for case in cases:
            case["scikit_learn"] = takes(case.pop("runs"))
            reached = case.pop("reached")
            case["homfac"] = {k: least(reached, k) for k in TAKES} if reached else None
        out.append(dict(name=name, lam=lam, cases=cases, rank=rank_found, peak_mb=peak_mb))
    return out


def full(a, homfac, peers):
    """Full data, nuclear norm."""
    lam, name = 80, "dense1k2k"
    spec = homfac.spec(f"full-{name}", f'{{ path = "{name}.npy" }}', lam)
    ours, theirs, stages = [], [], []
    for k in range(a.repeats):
        say(f"{name}: {k + 1} of {a.repeats}")
        theirs.append(peers.run("svd", 1, data=a.data / f"{name}.npy", lam=lam, rank=30))
        ours.append(homfac.solve(spec, 1))
        stages.append(homfac.stages(spec, 1))
    return dict(name=name, lam=lam, homfac=takes(ours), scikit_learn=takes(theirs), **apart(stages))


def convex(a, homfac, peers):
    """A general convex solver, where the data is small enough for one."""
    lam, name = 2, "mc_small"
    spec = homfac.spec(f"convex-{name}", f'{{ path = "{name}.csv", format = "triplets", shape = [60, 50] }}', lam)
    ours, theirs = [], []
    for k in range(a.repeats):
        say(f"{name}: {k + 1} of {a.repeats}")
        theirs.append(peers.run("cvxpy", 1, data=a.data / f"{name}.npz", lam=lam, eps=1e-5))
        ours.append(homfac.solve(spec, 1, gap=1e-6))
    return dict(name=name, lam=lam, homfac=takes(ours), cvxpy=takes(theirs))


def networks(a, homfac, peers):
    """Time to the best of SEEDS ends of gradient descent, against all of them together; then on to a proof."""
    out = []
    for name in NETWORKS:
        data = peers.run("network", 1, data=json.dumps(name), folder=json.dumps(str(a.data)))
        for ratio in NETWORK_RATIOS:
            say(f"{name}, {ratio} lambda_max")
            spec = homfac.network(f"{data['stem']}-{ratio}", data, ratio)
            proven = homfac.solve(spec, 1, gap=1e-3, limit=NETWORK_LIMIT_S)
            job = dict(data=json.dumps(name), lam=proven["lambda"], seeds=SEEDS)
            cases = [dict(by="lbfgs", width=width) for width in WIDTHS]
            cases += [dict(by="adam", width=ADAM[1])] if ratio == ADAM[0] else []
            for case in cases:
                case.update(peers.run("network_seeds", 1, **job, **case))
            best = min(min(c["ends"]) for c in cases)
            # without proofs on the way: the target is out of reach
            runs = [homfac.solve(spec, 1, gap=1e-9, limit=NETWORK_LIMIT_S, until=best * (1 + REACHED)) for _ in range(a.repeats)]
            for case in cases:
                reached = [r for run in runs for r in run["rows"] if r["objective"] <= min(case["ends"]) * (1 + REACHED)]
                case["homfac"] = {k: least(reached, k) for k in TAKES} if reached else None
            end = min(proven["objective"], *(run["objective"] for run in runs))
            out.append(dict(name=name, samples=data["samples"], ratio=ratio, cases=cases, best=best, end=end,
                            proven={k: proven[k] for k in ("cpu_s", "wall_s", "gap", "objective", "rank", "verdict")}))
    return out


def held_out(a, homfac, peers):
    """What the specs' networks, and those of SEEDS trained ones, are worth on a fifth of the samples."""
    out = []
    for spec, name in HELD_OUT:
        say(f"{spec}, held out")
        mask = (a.data / f"{spec}-held.npy").resolve()
        split = peers.run("network_fold", 1, data=json.dumps(name), mask=json.dumps(str(mask)))
        ours = homfac.solve(ROOT / f"specs/{spec}.toml", 1, gap=1e-4, limit=NETWORK_LIMIT_S, holdout=mask)
        job = dict(data=json.dumps(name), mask=json.dumps(str(mask)), lam=ours["lambda"], width=HELD_OUT_WIDTH, seeds=SEEDS)
        theirs = peers.run("network_held_out", 1, **job)
        ours = {k: ours[k] for k in ("objective", "gap", "cpu_s", "wall_s", "holdout")}
        out.append(dict(name=name, spec=spec, **split, homfac=ours, **theirs))
    return out


def machine():
    """In words: no names of hosts."""
    model = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
    memory = next(int(l.split()[1]) for l in open("/proc/meminfo") if l.startswith("MemTotal")) / 2**20
    return f"{os.cpu_count()} cores ({model}), {memory:.0f} GiB of memory, {platform.system()}"


PARTS = dict(completion=completion, nmf=nmf, full=full, convex=convex, networks=networks, held_out=held_out,
             scaling=lambda a, homfac, peers: homfac.scaling())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--homfac", required=True, type=Path, help="a release build")
    p.add_argument("--python", required=True, help="the interpreter of the environment that setup.sh made")
    p.add_argument("--data", required=True, type=Path, help="a folder for data and runs; data that is there already is used")
    p.add_argument("--movielens", type=Path, help="ml-latest-small's training ratings as CSV with rows i, j, value counted from 0")
    p.add_argument("--repeats", type=int, default=3)
    p.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts measured now; others keep the last results")
    p.add_argument("-o", "--out", type=Path, default=ROOT / "docs/benchmarks.md")
    a = p.parse_args()
    say("building the benches")
    peers = Peers(a.python)
    homfac = Homfac(str(a.homfac.resolve()), a.data, benches(ROOT))
    say("making the data")
    versions = peers.run("make", 1, folder=a.data)["versions"]
    kept = a.data / "results.json"
    results = json.loads(kept.read_text()) if kept.exists() else {}
    load = os.getloadavg()[0]
    for part in a.only:
        results[part] = json.loads(json.dumps(PARTS[part](a, homfac, peers)))
        results.update(versions=versions, machine=machine(), load=load, repeats=a.repeats, seeds=SEEDS)
        kept.write_text(json.dumps(results, indent=1))
    if all(part in results for part in PARTS):
        a.out.write_text(document.document(results))
        say(f"written to {a.out}")


STARTED = time.perf_counter()
if __name__ == "__main__":
    main()
