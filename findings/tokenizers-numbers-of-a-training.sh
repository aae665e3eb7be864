#!/usr/bin/env bash
# Trained twice on one corpus, a WordPiece numbers the same tokens differently.
#
# Package: tokenizers 0.23.3, `WordPieceTrainer`, `UnigramTrainer` and `BpeTrainer`
# Guess:   a trainer without a seed gives one tokenizer for one corpus, in one process at least.
# Happens: WordPiece and Unigram find the same tokens and cut each text in the same way, but
#          number the single letters anew in every run, in the order in which a hash table with a
#          random seed gives them out. Plain BPE sorts them and is always the same; with a prefix
#          for letters inside words, as WordPiece has it, it is not.
# Matters: a comparison of the tokens, or of the cut texts, says that a rebuilt tokenizer is the
#          old one. A checkpoint trained with the old one reads other words with the new.
# Output:
#   WordPiece  in 4 runs: sets of tokens 1, ways to cut 1, numberings 4
#   Unigram    in 4 runs: sets of tokens 1, ways to cut 1, numberings 4
#   BPE        in 4 runs: sets of tokens 1, ways to cut 1, numberings 1
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv --without-pip "$dir/venv"
python3 -m pip --python "$dir/venv" install --quiet --no-compile --disable-pip-version-check tokenizers==0.23.3
cd "$dir"
OMP_NUM_THREADS=1 "$dir/venv/bin/python" - <<'EOF'
import random
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

rng = random.Random(0)
syllables = "ka lo mi tu re sa no pe di fa".split()
words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(400)]
corpus = [" ".join(rng.choices(words, k=12)) for _ in range(300)]


def train(kind):
    options = {"vocab_size": 120, "show_progress": False, "special_tokens": ["<unk>"]}
    if kind == "WordPiece":
        model, trainer = models.WordPiece(unk_token="<unk>"), trainers.WordPieceTrainer(**options)
    elif kind == "Unigram":
        model, trainer = models.Unigram(), trainers.UnigramTrainer(unk_token="<unk>", **options)
    else:
        model, trainer = models.BPE(unk_token="<unk>"), trainers.BpeTrainer(**options)
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.train_from_iterator(corpus, trainer)
    return tokenizer


seen = {}
for kind in ("WordPiece", "Unigram", "BPE"):
    runs = [train(kind) for _ in range(4)]
    tokens = {frozenset(t.get_vocab()) for t in runs}
    ids = {tuple(sorted(t.get_vocab().items())) for t in runs}
    cuts = {tuple(tuple(t.encode(text).tokens) for text in corpus) for t in runs}
    seen[kind] = len(tokens), len(cuts), len(ids)
    sets, ways, numberings = seen[kind]
    print(f"{kind:10} in 4 runs: sets of tokens {sets}, ways to cut {ways}, numberings {numberings}")
assert seen["WordPiece"][:2] == seen["Unigram"][:2] == seen["BPE"][:2] == (1, 1)
assert seen["BPE"][2] == 1 and seen["WordPiece"][2] > 1 and seen["Unigram"][2] > 1
EOF
