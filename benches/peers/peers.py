"""Wall clock and peak memory of a whole `llmpr score` against a whole Python process that calls a peer.

Runs of both sides take turns, and the least of several counts: what else the machine does only adds. Beside the whole
processes stands the call alone: the peer's, after its imports and its reading, and the time that `llmpr` says it
computed.
"""

import json
import pathlib
import platform
import subprocess
import sys
import time

import numpy as np

BARE = ["--resamples", "0", "--permutations", "0"]
# What a person types after the two files, the peers that are held against it, rows, columns.
JOBS = [
    (["--metrics", "precision,recall,density,coverage", *BARE], ["prdc"], 10000, 47),
    (["--metrics", "precision,recall,density,coverage", *BARE], ["prdc"], 5000, 1280),
    (["--metrics", "support", *BARE], ["prdc"], 5000, 1280),
    (["--metrics", "mauve", *BARE], ["mauve"], 5000, 1280),
    (["--metrics", "mauve"], ["mauve"], 5000, 1280),
    (["--metrics", "vendi_score", *BARE], ["vendi"], 10000, 768),
    ([], ["prdc", "mauve"], 1000, 384),
    ([], ["prdc", "mauve"], 5000, 1280),
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


def peer(measures, p, q):
    """Measures by their peers, in this process; the clock starts after the imports."""
    p, q = np.load(p), np.load(q)
    values, seconds = {}, 0.0
    for measure in measures.split(","):
        if measure == "prdc":
            from prdc import compute_prdc

            start = time.perf_counter()
            values |= compute_prdc(p, q, nearest_k=4)
        elif measure == "mauve":
            import mauve

            start = time.perf_counter()
            values["mauve"] = mauve.compute_mauve(p_features=p, q_features=q, verbose=False).mauve
        else:
            from vendi_score import vendi

            start = time.perf_counter()
            values["vendi_score"] = vendi.score_dual(q, normalize=True)
        seconds += time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "values": {k: float(v) for k, v in values.items()}}))


def run(command):
    """One process: its wall clock, its peak memory, and what it printed."""
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        out, err = child.communicate()
    seconds = time.perf_counter() - start
    if child.returncode:
        sys.exit(f"{command} failed: {err.strip()}")
    # prdc prints two lines of its own before.
    return seconds, json.loads(out[out.index("{"):])


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def main(binary, folder, rounds, only):
    folder = pathlib.Path(folder)
    print(f"{processor()}, {time.strftime('%Y-%m-%d')}, least of {rounds} runs in turns\n")
    print("| `llmpr score` | peer: call, process | llmpr: process | times faster |\n|---|---|---|---|")
    for args, peers, n, d in JOBS:
        title = f"{' '.join(args) or 'as it is'}, n = m = {n}, d = {d}"
        if only not in title:
            continue
        files = [str(features(folder, name, n, d)) for name in ("p", "q")]
        ours = [binary, "score", "--reference", files[0], "--samples", files[1], "--format", "json", *args]
        theirs = [sys.executable, __file__, "--peer", ",".join(peers), *files]
        best = {"ours": float("inf"), "theirs": float("inf"), "call": float("inf")}
        for _ in range(rounds):
            seconds, score = run(ours)
            best["ours"] = min(best["ours"], seconds)
            seconds, said = run(theirs)
            best["theirs"] = min(best["theirs"], seconds)
            best["call"] = min(best["call"], said["seconds"])
        print(
            f"| `{title}` | {' + '.join(peers)}: {best['call']:.2f} s, {best['theirs']:.2f} s | {best['ours']:.2f} s |"
            f" {best['theirs'] / best['ours']:.1f} |",
            flush=True,
        )
        values = {name: score["metrics"][name]["value"] for name in said["values"] if name in score["metrics"]}
        print(f"  llmpr {values}\n  peers {said['values']}", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1] == "--peer":
        peer(*sys.argv[2:])
    else:
        main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4] if len(sys.argv) > 4 else "")
