#!/usr/bin/env python3
"""Writes docs/results.md: what the measures say of real texts, beside what was published of them.

    python3 scripts/results.py --data FOLDER
    python3 scripts/results.py --data FOLDER --embedder DIR --called org/name --llmpr target/release/llmpr

FOLDER holds JSON lines with `text` and `id`: mauve-web-human and mauve-web-MODEL-pP (the pairs that people judged for
the MAUVE paper), xsum-human, writingprompts-human and both with each MODEL. Each set of a model is held `--draws` times
against as many texts of people, none of which its own texts go on from or begin like. Needs no package of Python's.
"""

import argparse
import ast
import itertools
import json
import math
import pathlib
import random
import subprocess
import tempfile

MEASURES = ["precision", "recall", "density", "coverage", "mauve", "kernel_distance"]
LESS_IS_BETTER = {"kernel_distance"}
# What a column is multiplied by, so that three digits tell its values apart.
TIMES = {"kernel_distance": 1000}

# Setting, file, MAUVE and Bradley-Terry strengths as published: Pillutla et al., NeurIPS 2021, arXiv 2102.01454.
PUBLISHED = ["MAUVE", "human-like", "sensible", "interesting"]
MAUVE_WEB = [
    ("GPT-2 XL, p = 0.95", "gpt2-xl-p0.95", (0.93963, 15.66, 31.89, 23.05)),
    ("GPT-2 large, p = 0.95", "gpt2-large-p0.95", (0.93588, 12.55, 8.78, 6.79)),
    ("GPT-2 XL, p = 1", "gpt2-xl-p1.0", (0.88157, 8.97, 7.75, 9.53)),
    ("GPT-2 medium, p = 0.9", "gpt2-medium-p0.9", (0.91460, -3.43, -7.29, -12.82)),
    ("GPT-2 large, p = 1", "gpt2-large-p1.0", (0.84500, -6.93, -7.11, -1.53)),
    ("GPT-2 small, p = 0.9", "gpt2-p0.9", (0.87753, -15.78, -7.44, -0.70)),
    ("GPT-2 small, p = 1", "gpt2-p1.0", (0.58904, -27.52, -37.81, -15.49)),
    ("GPT-2 medium, p = 1", "gpt2-medium-p1.0", (0.37279, -30.77, -32.00, -34.32)),
]

# Model, file, billions of parameters where they were told, and whether it was trained to follow instructions.
CONTINUED = [
    ("GPT-2 XL", "gpt2-xl", 1.5, False),
    ("GPT-Neo 2.7B", "gpt-neo-2.7b", 2.7, False),
    ("OPT 2.7B", "opt-2.7b", 2.7, False),
    ("GPT-J 6B", "gpt-j-6b", 6.0, False),
    ("GPT-NeoX 20B", "gpt-neox-20b", 20.0, False),
    ("GPT-3 davinci", "davinci", 175.0, False),
    ("GPT-3.5 turbo", "gpt-3.5-turbo", None, True),
    ("GPT-4", "gpt-4", None, True),
]


def order(ids, draw):
    """The ids in an order that is the same for every set, so that sets with the same ids give texts on the same ones."""
    return sorted(ids, key=lambda one: random.Random(f"{draw} {one}").random())


class Scorer:
    """Embeds files with `llmpr embed`, each once, and holds rows of them against each other with `llmpr score`."""

    def __init__(self, args, folder):
        self.args, self.folder, self.signature = args, folder, None

    def features(self, path):
        """The feature row of each text of a file by its id, the first of each, as bytes."""
        found = {}
        out = self.folder / f"{path.stem}.npy"
        command = [self.args.llmpr, "embed", "--embedder", self.args.embedder, str(path), "-o", str(out)]
        if self.args.pooling:
            command += ["--pooling", self.args.pooling]
        subprocess.run(command, check=True, capture_output=True)
        print(f"embedded {path.name}", flush=True)
        data = out.read_bytes()
        # The header of .npy, version 1: magic and version, its length, a dictionary.
        start = 10 + int.from_bytes(data[8:10], "little")
        shape = ast.literal_eval(data[10:start].decode())
        assert shape["descr"] == "<f4" and data[6] == 1 and not shape["fortran_order"], shape
        lines = path.read_text(encoding="utf-8").splitlines()
        assert shape["shape"][0] == len(lines), f"{shape} for {len(lines)} texts"
        width = 4 * shape["shape"][1]
        for at, line in enumerate(lines):
            found.setdefault(json.loads(line)["id"], data[start + at * width : start + (at + 1) * width])
        return found

    def score(self, reference, samples):
        """Each measure's value and the ends of its interval."""
        files = []
        for side, rows in (("reference", reference), ("samples", samples)):
            file = self.folder / f"{side}.npy"
            header = str({"descr": "<f4", "fortran_order": False, "shape": (len(rows), len(rows[0]) // 4)})
            header = header.ljust((-11 - len(header)) % 64 + len(header)) + "\n"
            file.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"".join(rows))
            files += [f"--{side}", str(file)]
        command = [self.args.llmpr, "score", *files, "--metrics", ",".join(MEASURES)]
        command += ["--resamples", str(self.args.resamples), "--permutations", "0", "--format", "json"]
        answer = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        self.signature = answer["signature"]
        return answer["metrics"]

    def draws(self, human, samples, n):
        """The measures of `draws` draws of `n` texts of a set against as many of people with other ids."""
        found = []
        for draw in range(self.args.draws):
            taken = order(samples, draw)[:n]
            held = [one for one in order(human, f"people {draw}") if one not in taken][:n]
            assert len(held) == len(taken) == n, f"{len(held)} texts of people and {len(taken)} of the model, not {n}"
            found.append(self.score([human[one] for one in held], [samples[one] for one in taken]))
        return found


def mean(values):
    return sum(values) / len(values)


def means(draws, measure):
    """Value and interval of a measure, each the mean over draws."""
    return {key: mean([draw[measure][key] for draw in draws]) for key in ("value", "low", "high")
            if all(draw[measure].get(key) is not None for draw in draws)}


def ranks(values):
    """Ranks from 1, those of equal values their mean."""
    return [sum(other < value for other in values) + (1 + values.count(value)) / 2 for value in values]


def pearson(a, b):
    a, b = [x - mean(a) for x in a], [x - mean(b) for x in b]
    norm = math.sqrt(sum(x * x for x in a) * sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b)) / norm if norm > 0 else math.nan


def spearman(a, b):
    return pearson(ranks(a), ranks(b))


def exact_p(a, b):
    """The share of all orders of `b` whose rank correlation with `a` is at least as far from 0."""
    a, b = ranks(a), ranks(b)
    middle = len(a) * mean(a) * mean(b)
    far = abs(sum(x * y for x, y in zip(a, b)) - middle) - 1e-9
    hits = [abs(sum(x * y for x, y in zip(a, other)) - middle) >= far for other in itertools.permutations(b)]
    return sum(hits) / len(hits)


def interval(r, n):
    """95 % of a rank correlation over `n` systems: Bonett and Wright 2000, on Fisher's scale."""
    if n < 4 or abs(r) >= 1:
        return None
    reach = 1.959964 * math.sqrt((1 + r * r / 2) / (n - 3))
    return math.tanh(math.atanh(r) - reach), math.tanh(math.atanh(r) + reach)


def agreeing(a, b):
    """How many pairs stand in the same order, and how many pairs there are of which neither side is a tie."""
    pairs = [(a[i] - a[j]) * (b[i] - b[j]) for i, j in itertools.combinations(range(len(a)), 2)]
    pairs = [pair for pair in pairs if pair != 0]
    return sum(pair > 0 for pair in pairs), len(pairs)


def better(measure, values):
    """The values so that more is better."""
    return [-value for value in values] if measure in LESS_IS_BETTER else values


def number(value):
    return f"{value:.3f}".replace("-0.000", "0.000")


def cell(measure, estimate):
    """A value with its interval, as the measure's column shows them."""
    value, *ends = [number(TIMES.get(measure, 1) * estimate[key]) for key in ("value", "low", "high") if key in estimate]
    return f"{value} ({' to '.join(ends)})" if ends else value


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def named(measure):
    return f"`{measure}`" + (" (less is better)" if measure in LESS_IS_BETTER else "")


def values_table(first, rows, extra_head=(), extra=None):
    """Settings by measures; `extra` are further cells of each row."""
    times = [f" × {TIMES[measure]}" if measure in TIMES else "" for measure in MEASURES]
    head = [first, *[named(measure) + words for measure, words in zip(MEASURES, times)], *extra_head]
    lines = []
    for at, (name, draws) in enumerate(rows):
        more = extra[at] if extra else []
        lines.append([name, *[cell(measure, means(draws, measure)) for measure in MEASURES], *more])
    return table(head, lines)


def in_words(rho, p):
    """What a correlation comes to."""
    if math.isclose(rho, 1):
        return "the same order"
    if p > 0.05:
        return "not told from chance"
    return "mostly the same order" if rho > 0 else "mostly the opposite order"


def against(published, found, draws, name):
    """The row of one measure against one published order; `found` and `draws` so that more is better."""
    rho, p = spearman(found, published), exact_p(found, published)
    around = interval(rho, len(found))
    same, pairs = agreeing(found, published)
    single = sorted(spearman(one, published) for one in draws)
    ends = single[len(single) // 20], single[-1 - len(single) // 20]
    shown = f"{rho:.2f}" + (f" ({around[0]:.2f} to {around[1]:.2f})" if around else "")
    words = in_words(rho, p)
    return [*name, shown, f"{p:.4f}", f"{same} of {pairs}", f"{ends[0]:.2f} to {ends[1]:.2f}", words], (rho, p)


ORDER_HEAD = ["Spearman (95 %)", "p", "pairs in the same order", "in single draws", "in words"]


def orders(measures, targets, sets):
    """A table of every measure against every published order, and what came out by both names."""
    rows, found = [], {}
    for measure in measures:
        average = better(measure, [means(draws, measure)["value"] for draws in sets])
        single = [better(measure, [draws[at][measure]["value"] for draws in sets]) for at in range(len(sets[0]))]
        for target, published in targets:
            row, found[measure, target] = against(published, average, single, [named(measure), target])
            rows.append(row)
    return table(["measure", "against", *ORDER_HEAD], rows), found


def listed(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def together(results, target):
    """Which measures rise with a target, and which fall as it rises, each at p ≤ 0.05."""
    told = [(m, results[m, target][0]) for m in MEASURES if results[m, target][1] <= 0.05]
    same = [f"{named(m)} ({rho:.2f})" for m, rho in told if rho > 0]
    opposite = [f"{named(m)} ({rho:.2f})" for m, rho in told if rho < 0]
    if not told:
        return "no measure goes together at p ≤ 0.05."
    words = [f"{listed(same)} in the same direction"] if same else []
    words += [f"{listed(opposite)} in the opposite one"] if opposite else []
    return "what goes together at p ≤ 0.05 each: " + ", ".join(words) + "."


def web(scorer, data):
    """The part of the page on the eight settings that people judged."""
    human = scorer.features(data / "mauve-web-human.jsonl")
    sets = {file: scorer.features(data / f"mauve-web-{file}.jsonl") for _, file, _ in MAUVE_WEB}
    n = min(len(rows) for rows in sets.values())
    draws = [scorer.draws(human, sets[file], n) for _, file, _ in MAUVE_WEB]
    people = scorer.draws(human, human, n)
    rows = [(name, one) for (name, _, _), one in zip(MAUVE_WEB, draws)]
    printed = [[f"{values[0]:.3f}", f"{values[1]:.2f}"] for _, _, values in MAUVE_WEB]
    values = values_table("setting", [*rows, ("people", people)], ["published MAUVE", "published human-like"],
                          [*printed, ["", "47.25"]])
    targets = [(name, [values[at] for _, _, values in MAUVE_WEB]) for at, name in enumerate(PUBLISHED)]
    found, results = orders(MEASURES, targets, draws)
    own = results["mauve", "MAUVE"]
    same = [named(m) for m in MEASURES if math.isclose(results[m, "MAUVE"][0], 1)]
    answer = f"In the order of the published MAUVE: {listed(same)}. " if same else \
        "No measure puts the eight settings in the order of the published MAUVE. "
    answer += f"MAUVE itself has a Spearman correlation of {own[0]:.2f} with it (p = {own[1]:.4f}). "
    answer += "With how human-like people found the settings, " + together(results, "human-like")
    k = max(2, round(n / 10))
    return f"""## The eight settings of the MAUVE paper

{answer}

Texts of GPT-2 of four sizes at two samplings, of those that people judged for the paper, against people's. A setting has {n} to
{max(map(len, sets.values()))} texts here; {n} of each were taken, and {n} of people's {len(human)}. Published: Pillutla et al. 2021 (arXiv 2102.01454), MAUVE of
5000 texts of up to 1024 tokens in GPT-2 large's features, as its notebook has it, and Bradley-Terry strengths from people's choices
between two texts.

{values}

{found}

How little this can show: with {n} texts a share moves by {1 / n:.3f} when one text does, a neighbor's radius (k = 4) is that of a ninth of the set,
and MAUVE has {k} clusters instead of 500. Intervals of most settings overlap. Eight systems have 28 pairs, and a correlation below 0.74 is not told
from chance at p = 0.05. An order that differs from the published one therefore says little against either; one that is the same would say
more. The paper's own correlation between MAUVE and human-like is 0.95 over these eight.
"""


def continued(scorer, data, name, title, where):
    """The part of the page on the models that went on from people's texts."""
    human = scorer.features(data / f"{name}-human.jsonl")
    sets = [scorer.features(data / f"{name}-{file}.jsonl") for _, file, _, _ in CONTINUED]
    n = min(map(len, sets))
    draws = [scorer.draws(human, rows, n) for rows in sets]
    people = scorer.draws(human, human, n)
    rows = [(model, one) for (model, _, _, _), one in zip(CONTINUED, draws)]
    size = [[f"{size:g} B" if size else "not told"] for _, _, size, _ in CONTINUED]
    values = values_table("model", [*rows, ("people", people)], ["parameters"], [*size, [""]])
    sized = [at for at, (_, _, size, _) in enumerate(CONTINUED) if size]
    targets = [("parameters", [CONTINUED[at][2] for at in sized])]
    found, results = orders(MEASURES, targets, [draws[at] for at in sized])
    value = {m: [means(one, m)["value"] for one in draws] for m in MEASURES}
    base, tuned = ([at for at, model in enumerate(CONTINUED) if model[3] == told] for told in (False, True))

    def compared(measure):
        a, b = (mean([value[measure][at] for at in group]) for group in (tuned, base))
        least = min(value[measure][at] for at in tuned)
        most = max(value[measure][at] for at in tuned)
        apart = least > max(value[measure][at] for at in base) or most < min(value[measure][at] for at in base)
        how = "higher" if a > b else "lower"
        return how, f"{measure} {number(a)} against {number(b)}, {how}" + (" in both than in any other" if apart else "")

    (precision, p_words), (recall, r_words) = compared("precision"), compared("recall")
    as_published = precision == "higher" and recall == "lower"
    claim = ("As published (Le Bronnec et al. 2024), the two models trained to follow instructions have more precision and less recall than "
             "the others: " if as_published else
             "Published (Le Bronnec et al. 2024) is that training to follow instructions raises precision and lowers recall. Here it "
             "is not so in both: ")
    grows = "With the number of parameters, " + together(results, "parameters")
    return f"""## {title}

{claim}{p_words}; {r_words} (means of two and of six models). {grows}

{where} Nobody published scores of these sets by which models could be put in order, so that they are held against
what is known of the models: their size, where it was told, and whether they were trained to follow instructions. {n} texts of
each, and {n} of people's {len(human)} that none of them goes on from.

{values}

{found}

Six models have 15 pairs, and as GPT-Neo and OPT are of one size, 14 that can be put in order.
"""


HEAD = """# What the measures say of real texts

Made by `scripts/results.py`, which writes this page whole. {embedder} embeds; values and their 95 % intervals (of {resamples}
half-samples) are `llmpr score`'s, each the mean over {draws} draws of as many texts of the model as of people. No text of a model is held
against the text of a person with the same beginning. `people` are people's texts against other texts of people: what no difference looks
like at that number. The texts are from public sources, and not part of this repository.

Spearman correlations are of the means; their intervals (Bonett and Wright 2000) and p-values (of all orders, two-sided) count systems, as if
their scores were known; the column after says where nine of ten single draws lie. Many correlations are looked at here: of
twenty at p = 0.05 one is expected of nothing.

Signature of the last score: `{signature}`

"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder of the texts")
    parser.add_argument("--embedder", default="sentence-transformers/all-MiniLM-L6-v2", help="what embeds them")
    parser.add_argument("--called", help="the embedder's name on the page, where it is given as a folder")
    parser.add_argument("--pooling", help="last or mean; the embedder's own where left out")
    parser.add_argument("--llmpr", default="llmpr", help="the program")
    parser.add_argument("--draws", type=int, default=20, help="draws of texts, each scored")
    parser.add_argument("--resamples", type=int, default=200, help="half-samples behind an interval")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("docs/results.md"), help="the page")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        scorer = Scorer(args, pathlib.Path(folder))
        parts = [
            web(scorer, args.data),
            continued(scorer, args.data, "writingprompts", "Stories of WritingPrompts",
                      "Models went on from the first 30 tokens of stories that people wrote on Reddit."),
            continued(scorer, args.data, "xsum", "News of XSum",
                      "Models went on from the first 30 tokens of the BBC's news."),
        ]
        embedder = f"`{args.called or args.embedder}`"
        head = HEAD.format(embedder=embedder, draws=args.draws, resamples=args.resamples, signature=scorer.signature)
    args.out.write_text(head + "\n".join(parts), encoding="utf-8")
    print(f"{args.out}")


if __name__ == "__main__":
    main()
