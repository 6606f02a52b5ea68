"""Runs one process at a time and says what it took: wall and CPU seconds, peak memory.

A child's peak memory counts what its parent had at the fork, so this side keeps to the standard library.
"""
import csv
import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

ROW = re.compile(r"^\s*\d+\s+\d+\s+([0-9.]+e[+-]\d+)\s")
TICKS = os.sysconf("SC_CLK_TCK")
# a numerical library forced to an older machine's kernels would be no peer
FORCED = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


class Failed(Exception):
    pass


def environment(threads):
    env = {k: v for k, v in os.environ.items() if k not in FORCED}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
        env[name] = str(threads)
    return env


def cpu_s(pid):
    """CPU seconds of a running process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def output(command, threads):
    """Standard output of a process that must succeed."""
    p = subprocess.run(command, env=environment(threads), capture_output=True, text=True)
    if p.returncode:
        raise Failed(f"{command}: {p.stderr[-2000:]}")
    return p.stdout


class Homfac:
    """`homfac solve` and the benches that take its solves apart."""

    def __init__(self, binary, folder, benches):
        self.binary, self.folder, self.benches = binary, Path(folder), benches

    def spec(self, name, target, lam, cone=None):
        """Writes a spec with l2 norms; the product form of the regularizer."""
        factor = '{ norm = "l2" }' if cone is None else f'{{ norm = "l2", cone = "{cone}" }}'
        path = self.folder / f"{name}.toml"
        path.write_text(
            f"lambda = {lam}\n[data]\ntarget = {target}\n[mapping]\nkind = \"matrix\"\n"
            f"[regularizer]\nform = \"product\"\nfactors = [{factor}]\n[loss]\nkind = \"squared\"\n")
        return path

    def network(self, name, data, ratio):
        """Writes the spec of a network on the inputs and targets that the peers have."""
        path = self.folder / f"{name}.toml"
        path.write_text(
            f"lambda = {{ relative = {ratio} }}\n[data]\ntarget = \"{data['stem']}-Y.npy\"\ninput = \"{data['stem']}-V.npy\"\n"
            f"[mapping]\nkind = \"relu\"\n[regularizer]\nfactors = [{{ norm = \"l2\" }}]\n[loss]\nkind = \"{data['loss']}\"\n")
        return path

    def solve(self, spec, threads, gap=1e-4, limit=None, until=None, holdout=None):
        """One solve; `until`: interrupt it once its objective is at most this; `holdout`: a mask of what is not fitted. The times of every row of its log are kept."""
        out = self.folder / f"run-{spec.stem}"
        command = [self.binary, "solve", str(spec), "-o", str(out), "--force", "--no-progress", "--threads", str(threads),
                   "--set", f"certificate.target_gap={gap}"] + (["--time-limit", f"{limit}s"] if limit else [])
        command += ["--set", f"data.holdout={json.dumps(str(holdout))}"] if holdout else []
        started = time.perf_counter()
        p = subprocess.Popen(command, env=environment(threads), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        times, log = [], []
        for line in p.stderr:
            log.append(line)
            row = ROW.match(line)
            if row:
                times.append((time.perf_counter() - started, cpu_s(p.pid)))
                if until is not None and float(row.group(1)) <= until:
                    p.send_signal(signal.SIGINT)
                    until = None
        p.stderr.close()
        _, status, usage = os.wait4(p.pid, 0)
        wall = time.perf_counter() - started
        code = p.returncode = os.waitstatus_to_exitcode(status)
        if code not in (0, 1, 130):
            raise Failed("".join(log)[-2000:])
        certificate = json.loads((out / "certificate.json").read_text())
        with open(out / "trace.csv") as f:
            objectives = [float(r["objective"]) for r in csv.DictReader(f)]
        return dict(
            wall_s=wall, cpu_s=usage.ru_utime + usage.ru_stime, peak_mb=usage.ru_maxrss / 1024, rank=certificate["rank"],
            **{"lambda": certificate["lambda"]},
            verdict=certificate["verdict"], objective=certificate["objective"]["total"], lower_bound=certificate["lower_bound"],
            gap=certificate["gap"]["relative"], holdout=certificate["holdout"],
            rows=[dict(wall_s=w, cpu_s=c, objective=o) for (w, c), o in zip(times, objectives)])

    def stages(self, spec, threads, gap=1e-4):
        """Where the time of a solve goes."""
        command = [self.benches["stages"], "--bench", str(spec), f"certificate.target_gap={gap}", f"solver.threads={threads}"]
        return json.loads(output(command, threads))

    def scaling(self):
        return json.loads(output([self.benches["scaling"], "--bench"], 1))


class Peers:
    """peer.py under the interpreter that has the peers."""

    def __init__(self, python):
        self.python = python

    def run(self, job, threads, **settings):
        command = [self.python, str(Path(__file__).with_name("peer.py")), job]
        return json.loads(output(command + [f"{k}={v}" for k, v in settings.items()], threads))


def benches(root):
    """Builds the two benches and says where they are."""
    command = ["cargo", "bench", "--no-run", "--message-format=json", "--bench", "stages", "--bench", "scaling"]
    p = subprocess.run(command, cwd=root, stdout=subprocess.PIPE, text=True, check=True)
    built = (json.loads(line) for line in p.stdout.splitlines() if line.startswith("{"))
    return {m["target"]["name"]: m["executable"] for m in built if m.get("executable") and "bench" in m["target"]["kind"]}


def least(runs, key):
    return min(r[key] for r in runs)
