#!/usr/bin/env bash
# A text in which no word comes twice has the least lexical diversity.
#
# Package: lexical-diversity 0.1.1, `mtld`
# Guess:   MTLD rises as words repeat less and is largest, or undefined, where none does.
# Happens: it is the length of the text over the number of stretches in which repetition becomes
#          common. A last stretch counts in part, so one word said twice makes 2800; without any
#          the number is 0, and a division by 0 is made to give 0. lexicalrichness gives the
#          number of words there, less than for the text that repeats one.
# Matters: short answers and lists seldom repeat a word. A mean over texts counts the most diverse
#          ones as the least, and a single repetition can outweigh all other texts.
# Output:
#    25 of 100 words different  lexical-diversity     39  lexicalrichness     39
#    50 of 100 words different  lexical-diversity    100  lexicalrichness    100
#    90 of 100 words different  lexical-diversity    280  lexicalrichness    280
#    99 of 100 words different  lexical-diversity   2800  lexicalrichness   2800
#   100 of 100 words different  lexical-diversity      0  lexicalrichness    100
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check lexical-diversity==0.1.1 lexicalrichness==0.5.1 'setuptools<81' pandas==3.1.1
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import warnings

warnings.simplefilter("ignore")
from lexical_diversity import lex_div
from lexicalrichness import LexicalRichness

alphabet = "abcdefghijklmnopqrstuvwxyz"
words = [a + b for a in alphabet[:4] for b in alphabet][:100]
seen = {}
for different in (25, 50, 90, 99, 100):
    text = (words[:different] * 4)[:100]
    seen[different] = lex_div.mtld(text), LexicalRichness(" ".join(text)).mtld()
    mine, other = (f"{value:6.0f}" for value in seen[different])
    print(f"{different:3} of 100 words different  lexical-diversity {mine}  lexicalrichness {other}")
assert seen[25][0] < seen[50][0] < seen[90][0] < seen[99][0]
assert seen[100] == (0, 100)
EOF
