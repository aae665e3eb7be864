"""The Python module against its peers, in turns: calls alone, and whole processes from `python -c` to the number.

Usage: python benches/peers/python.py [ROUNDS]     in an environment with llmpr, prdc==0.2 and mauve-text==0.4.0

Beside them stands what the binding adds to the library's own work, and the peak memory of each process. `OPENBLAS_CORETYPE`
slows numpy where it is set; unset it for a fair peer.
"""

import json
import os
import pathlib
import platform
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np

THREADS = {"RAYON_NUM_THREADS": "2", "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}

PRDC = "from {module} import compute_prdc as f; call = lambda p, q: f(p, q, 5)"
MAUVE = "from {module} import compute_mauve as f; call = lambda p, q: f(p_features=p, q_features=q, verbose=False).mauve"
JOBS = [
    ("compute_prdc", PRDC, "prdc", 10000, 47),
    ("compute_prdc", PRDC, "prdc", 10000, 1280),
    ("compute_mauve", MAUVE, "mauve", 5000, 1280),
]

MEASURED = """
import sys, time, json, resource
import numpy as np
p, q = np.load(sys.argv[1]), np.load(sys.argv[2])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
{line}
start = time.perf_counter()
value = call(p, q)
took = time.perf_counter() - start
value = float(value) if not isinstance(value, dict) else {{k: float(v) for k, v in value.items()}}
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([took, peak / 1024, value]))
"""


def features(folder, name, n, d):
    path = folder / f"{name}-{n}x{d}.npy"
    rng = np.random.default_rng(sum(map(ord, name)))
    basis = np.random.default_rng(0).standard_normal((d, d)) / np.sqrt(d)
    scale = 1 / np.sqrt(1 + np.arange(d))
    np.save(path, ((rng.standard_normal((n, d)) * scale) @ basis + 0.1).astype(np.float32))
    return path


def process(code, files):
    start = time.perf_counter()
    out = subprocess.run([sys.executable, "-c", code, *map(str, files)], env={**os.environ, **THREADS}, check=True,
                         capture_output=True, text=True).stdout
    whole = time.perf_counter() - start
    return whole, *json.loads(out.strip().splitlines()[-1])


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def overhead():
    """What a call takes that has next to nothing to compute, and what each MB adds."""
    import llmpr

    small = np.random.default_rng(0).standard_normal((20, 4)).astype(np.float32)
    large = np.random.default_rng(0).standard_normal((20, 4 * 262144)).astype(np.float32)
    least = [float("inf"), float("inf")]
    for _ in range(20):
        for at, rows in enumerate((small, large)):
            start = time.perf_counter()
            try:
                llmpr.prdc(rows, rows, k=0)  # refused when the arrays were read and checked
            except llmpr.InputError:
                pass
            least[at] = min(least[at], time.perf_counter() - start)
    megabytes = 2 * large.nbytes / 1e6
    return least[0] * 1e3, (least[1] - least[0]) * 1e3 / megabytes


def main(rounds):
    print(f"{processor()}, {time.strftime('%Y-%m-%d')}, least of {rounds} runs in turns, two threads\n")
    print("| job | peer: call, process, peak | llmpr: call, process, peak | call | process |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for title, line, peer, n, d in JOBS:
            files = [features(pathlib.Path(folder), name, n, d) for name in ("p", "q")]
            best = {}
            for _ in range(rounds):
                for module in (peer, "llmpr.compat"):
                    whole, call, peak, value = process(MEASURED.format(line=line.format(module=module)), files)
                    old = best.get(module, (float("inf"),) * 3)
                    best[module] = (min(old[0], call), min(old[1], whole), min(old[2], peak))
                    print(f"  {module}: {value}", file=sys.stderr)
            (a, b, c), (x, y, z) = best[peer], best["llmpr.compat"]
            print(f"| `{title}`, {n} × {d} | {peer}: {a:.2f} s, {b:.2f} s, {c:.0f} MiB | {x:.3f} s, {y:.2f} s, {z:.0f} MiB |"
                  f" {a / x:.1f} × | {b / y:.1f} × |", flush=True)
    fixed, each = overhead()
    print(f"\nA call adds {fixed:.2f} ms, and {each:.3f} ms a MB (of it the check for numbers that are not finite).")
    print(f"This process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB.")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
