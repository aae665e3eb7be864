"""Reading texts: time and memory of `llmpr texts` beside another build and Python's json, taken in turns.

    read_jsonl.py LLMPR [OTHER_BUILD] [--megabytes 1000] [--turns 3] [--folder DIR]

Makes a JSONL file of completions with ids, prompts and a field that does not count, once in DIR. Each turn starts
every program once; printed are the fastest turns, the ratio to LLMPR's, and peak memory, also less what the texts,
ids and prompts themselves take.
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time

WORDS = "the of a light harbour winter small years letters walked against morning a-priori «été» said \"no\" river".split()

PYTHON = """
import json, sys
texts = []
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        row = json.loads(line)
        texts.append((row["text"], row["id"], row["prompt"]))
print(len(texts))
"""


def make(path, megabytes):
    import json

    rng = random.Random(0)
    some = lambda n: " ".join(rng.choice(WORDS) for _ in range(n))
    rows = [{"id": "", "prompt": some(24), "text": some(rng.randint(60, 240)),
             "meta": {"model": "m", "scores": [rng.random() for _ in range(8)], "ok": True}} for _ in range(2000)]
    kept, n, size = 0, 0, 0
    with open(path, "w", encoding="utf-8") as file:
        while size < megabytes * 1_000_000:
            row = rows[n % len(rows)]
            row["id"] = f"row-{n}"
            line = json.dumps(row, ensure_ascii=n % 4 == 0) + "\n"
            size += len(line.encode())
            kept += sum(len(row[name].encode()) for name in ("id", "prompt", "text"))
            n += 1
            file.write(line)
    return kept, n


def run(command):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        sys.exit(f"{command} failed")
    return time.perf_counter() - start, usage.ru_maxrss * 1024 / 1e6, out


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("builds", nargs="+")
    parser.add_argument("--megabytes", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--folder", default=None)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        path = os.path.join(folder, "rows.jsonl")
        kept, n = make(path, args.megabytes)
        programs = {build: [build, "texts", path, "--first", "0"] for build in args.builds}
        programs["python json"] = [sys.executable, "-c", PYTHON, path]
        seen = {name: [] for name in programs}
        for _ in range(args.turns):
            for name, command in programs.items():
                seen[name].append(run(command))
    print(f"{args.megabytes} MB, {n} rows, {kept / 1e6:.0f} MB of texts, ids and prompts")
    ours = min(seconds for seconds, _, _ in seen[args.builds[0]])
    for name, turns in seen.items():
        seconds, peak = min(t[0] for t in turns), min(t[1] for t in turns)
        print(f"{name:<40} {seconds:7.2f} s  {seconds / ours:5.2f} x  peak {peak:6.0f} MB, {peak - kept / 1e6:6.0f} beside the texts")


main()
