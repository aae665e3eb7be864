"""Wall clock, processor seconds and peak memory of the peers and of llmpr, each in a process of its own.

On a busy machine the processor seconds are what can be compared.
"""

import json
import pathlib
import resource
import subprocess
import sys
import time

import numpy as np

JOBS = [
    ("prdc", 5000, 47),
    ("prdc", 10000, 47),
    ("prdc", 5000, 1280),
    ("prdc", 10000, 1280),
    ("mauve", 5000, 1280),
    ("vendi", 10000, 768),
]


def features(folder, name, n, d):
    """Rows whose variance falls along turned axes, as a language model's do."""
    path = folder / f"{name}-{n}x{d}.npy"
    if not path.exists():
        rng = np.random.default_rng(sum(map(ord, name)))
        basis = np.random.default_rng(0).standard_normal((d, d)) / np.sqrt(d)
        scale = 1 / np.sqrt(1 + np.arange(d))
        np.save(path, ((rng.standard_normal((n, d)) * scale) @ basis + 0.1).astype(np.float32))
    return path


def peer(measure, p, q):
    """One measure by its peer, in this process; the clock starts after the imports."""
    p, q = np.load(p), np.load(q)
    if measure == "prdc":
        from prdc import compute_prdc

        start, cpu = time.perf_counter(), time.process_time()
        values = compute_prdc(p, q, nearest_k=5)
    elif measure == "mauve":
        import mauve

        start, cpu = time.perf_counter(), time.process_time()
        out = mauve.compute_mauve(p_features=p, q_features=q, verbose=False)
        values = {"mauve": out.mauve, "clusters": out.num_buckets}
    else:
        from vendi_score import vendi

        start, cpu = time.perf_counter(), time.process_time()
        values = {"vendi": vendi.score_dual(q, normalize=True)}
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    values = {name: float(value) for name, value in values.items()}
    print(json.dumps({"values": values, "seconds": seconds, "cpu": cpu, "peak_mib": peak}))


def timed(command):
    """The best of three runs: what the process printed, with its own wall clock."""
    best = None
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall = time.perf_counter() - start
        if done.returncode:
            return {"error": done.stderr.strip().splitlines()[-1:]}
        out = json.loads(done.stdout.strip().splitlines()[-1])
        out["process"] = wall
        if best is None or out["seconds"] < best["seconds"]:
            best = out
    return best


def main(binary, folder):
    folder = pathlib.Path(folder)
    for measure, n, d in JOBS:
        files = [str(features(folder, name, n, d)) for name in ("p", "q")]
        theirs = timed([sys.executable, __file__, "--peer", measure, *files])
        ours = timed([binary, measure, *files])
        print(f"{measure} n=m={n} d={d}")
        for name, run in (("peer", theirs), ("llmpr", ours)):
            if "error" in run:
                print(f"  {name:6} failed: {run['error']}")
                continue
            print(
                f"  {name:6} {run['seconds']:8.3f} s  cpu {run['cpu'] or 0:8.2f} s  process {run['process']:7.3f} s"
                f"  peak {run['peak_mib'] or 0:7.0f} MiB  {run['values']}"
            )
        if "seconds" in theirs and "seconds" in ours:
            times = [theirs[of] / max(ours[of] or 0, 0.01) for of in ("seconds", "cpu", "process")]
            times = "by the clock {:.1f}, in processor seconds {:.1f}, whole process {:.1f}".format(*times)
            print(f"  times faster: {times}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        peer(*sys.argv[2:])
    else:
        main(*sys.argv[1:])
