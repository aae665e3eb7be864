"""Precision and recall as metrics of a task of lm-evaluation-harness.

A metric of that harness sees one document at a time and an aggregation sees all of them: the first keeps the pair of texts,
the second scores the two sides. Used by `llmpr_open_ended.yaml` beside this file; try it with

    lm_eval --model dummy --tasks llmpr_open_ended --include_path examples/python/lm_eval_task
"""

from functools import partial

import llmpr

EMBEDDER = "tiny-gpt2"


def process_results(doc, results):
    """The pair of texts of a document, under each metric's name."""
    pair = (doc["text"], results[0])
    return {"precision": pair, "recall": pair, "mauve": pair}


def _scored(name, pairs):
    people, model = zip(*pairs)
    score = llmpr.score(list(people), list(model), embedder=EMBEDDER, metrics=name, resamples=0, permutations=0)
    return score[name].value


precision = partial(_scored, "precision")
recall = partial(_scored, "recall")
mauve = partial(_scored, "mauve")
