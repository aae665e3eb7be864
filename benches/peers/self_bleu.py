"""Times nltk's self-BLEU-4 on the texts of `cargo bench --bench text -- self_bleu`.

    python -m venv venv && venv/bin/pip install nltk==3.10.4
    venv/bin/python benches/peers/self_bleu.py [texts] [tokens] [hypotheses]

nltk counts every reference again for every hypothesis, so the time per hypothesis is the same for all
of them: a few are timed and the whole is given by proportion.
"""

import sys
import time

from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu


def texts(n: int, tokens: int) -> list[list[int]]:
    """A 32-bit linear congruential generator, tokens like 1/rank: the bench's own texts."""
    state = 12345

    def draw() -> int:
        nonlocal state
        state = (1664525 * state + 1013904223) % 2**32
        return int(30000 ** (state / 2**32))

    return [[draw() for _ in range(tokens)] for _ in range(n)]


def main() -> None:
    n, tokens, hypotheses = (int(a) for a in (sys.argv[1:] + ["5000", "200", "8"][len(sys.argv) - 1 :])[:3])
    corpus = texts(n, tokens)
    method1 = SmoothingFunction().method1
    start = time.perf_counter()
    scores = [
        sentence_bleu(corpus[:i] + corpus[i + 1 :], corpus[i], smoothing_function=method1) for i in range(hypotheses)
    ]
    each = (time.perf_counter() - start) / hypotheses
    print(f"nltk: {each:.2f} s a hypothesis, {each * n:.0f} s for all {n}; first scores {scores[:3]}")


if __name__ == "__main__":
    main()
