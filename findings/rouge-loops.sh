#!/usr/bin/env bash
# A text that says the reference twenty times over has a ROUGE of 1.
#
# Package: rouge 1.0.1
# Guess:   precision is the share of the text's words that match, each word of the reference
#          matching once. Twenty repetitions have a precision of 1/20, thirty times "the" 4/30.
# Happens: by default n-grams are counted as sets, and ROUGE-L is taken over sets as well. A
#          repetition adds nothing to the count of words, so it costs nothing. rouge-score gives
#          the guess.
# Matters: a loop is the commonest way in which small models fail, and the measure cannot see
#          it. Scores of the two packages are reported under one name.
# Output:
#   once           precision of ROUGE-1 and L  rouge: 1.00 1.00  rouge-score: 1.00 1.00
#   20 times       precision of ROUGE-1 and L  rouge: 1.00 1.00  rouge-score: 0.05 0.05
#   the, 30 times  precision of ROUGE-1 and L  rouge: 1.00 1.00  rouge-score: 0.13 0.13
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check rouge==1.0.1 rouge-score==0.1.2 nltk==3.10.4 numpy==2.4.6
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
from rouge import Rouge
from rouge_score.rouge_scorer import RougeScorer

reference = "the cat sat on the mat while the dog slept near the door"
texts = {
    "once": reference,
    "20 times": " ".join([reference] * 20),
    "the, 30 times": " ".join(["the"] * 30),
}
sets, counts = Rouge(), RougeScorer(["rouge1", "rougeL"])
seen = {}
for name, text in texts.items():
    mine = sets.get_scores(text, reference)[0]
    other = counts.score(reference, text)
    theirs = other["rouge1"].precision, other["rougeL"].precision
    seen[name] = (mine["rouge-1"]["p"], mine["rouge-l"]["p"], *theirs)
    a, b, c, d = (f"{value:.2f}" for value in seen[name])
    print(f"{name:14} precision of ROUGE-1 and L  rouge: {a} {b}  rouge-score: {c} {d}")
assert seen["20 times"][:2] == (1, 1) and seen["the, 30 times"][:2] == (1, 1)
assert max(seen["20 times"][2:]) < 0.06 and max(seen["the, 30 times"][2:]) < 0.2
EOF
