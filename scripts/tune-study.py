"""How often `llmpr tune` finds the setting that is exactly best: tune-study.py LLMPR FOLDER [SEEDS]

Draws a grid of temperatures of the bundled world for every seed (kept in FOLDER), lets settings race over copies of it, from
which texts are taken without drawing, and holds the setting that is found against exact values pooled over all seeds.
"""

import collections
import json
import shutil
import subprocess
import sys
from pathlib import Path

WISHES = [
    ("recall", 0.9),
    ("alpha@1", 0.0),
    ("alpha@1", 0.95),
    ("alpha@2", 0.9),
    ("recall_extrapolated", 0.9),
]
WITHIN = 0.02


def flags(seed):
    grid = "--models tiny-bio-chat --task synthetic-bio -n 200 --temps 0.2..1.5 --shots 0 --metrics precision,recall"
    return [*grid.split(), *f"--seeds {seed} --prompt-seed {seed} --resamples 0 --permutations 0".split()]


def temperature(cell):
    return cell["cell"]["decoding"]["temperature"]


def best(truth, goal, bound):
    return max((t for t in truth if truth[t]["precision"] >= bound), key=lambda t: truth[t][goal])


def main():
    llmpr, folder, seeds = sys.argv[1], Path(sys.argv[2]), range(int(sys.argv[3]) if len(sys.argv) > 3 else 20)
    exact, pooled = {}, collections.defaultdict(collections.Counter)
    for seed in seeds:
        out = folder / str(seed)
        subprocess.run([llmpr, "sweep", *flags(seed), "--out", out], check=True, capture_output=True)
        cells = json.loads((out / "results.json").read_text())["cells"]
        exact[seed] = {temperature(c): {k: v["value"] for k, v in c["truth"].items()} for c in cells}
        for t, values in exact[seed].items():
            for name, value in values.items():
                pooled[t][name] += value / len(seeds)
    for goal, bound in WISHES:
        top = pooled[best(pooled, goal, bound)][goal]
        found = [t for t in pooled if pooled[t]["precision"] >= bound and top - pooled[t][goal] <= WITHIN]
        race = grid = texts = settled = 0
        for seed in seeds:
            copy = folder / "race"
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder / str(seed), copy)
            wish = ["--maximize", f"exact:{goal}", "--require", f"exact:precision>={bound}"]
            subprocess.run([llmpr, "tune", *flags(seed), *wish, "--out", copy], check=True, capture_output=True)
            record = json.loads((copy / "tune.json").read_text())
            race += temperature(record["cells"][0]) in found
            grid += best(exact[seed], goal, bound) in found
            texts += record["texts"] / len(seeds)
            settled += record["settled"]
        print(f"{goal}, precision>={bound}: {race} of {len(seeds)}, grid {grid}, settled {settled}, {texts:.0f} texts")


main()
