"""Precision and recall as a scorer of Inspect.

A scorer of Inspect sees one sample at a time, and its metrics see the scores of all: the scorer keeps the pair of texts, and
the metrics score the two sides. Try it with

    inspect eval examples/python/inspect_scorer.py --model mockllm/model

where there is a network: the mock counts tokens by a file that is fetched.
"""

import llmpr
from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.scorer import SampleScore, Score, Target, metric, scorer
from inspect_ai.solver import TaskState, generate

EMBEDDER = "tiny-gpt2"


def _of_all(name):
    # The annotation counts: without it Inspect hands over the bare scores. It calls metrics while the task runs, too,
    # with as many scores as there are: balls need a few.
    def compute(scores: list[SampleScore]) -> float:
        if len(scores) < 10:
            return float("nan")
        pairs = [(each.score.metadata["people"], each.score.metadata["model"]) for each in scores]
        people, model = zip(*pairs)
        found = llmpr.score(list(people), list(model), embedder=EMBEDDER, metrics=name, resamples=0, permutations=0)
        return found[name].value

    return compute


@metric
def precision():
    """Share of completions inside the support of people's texts."""
    return _of_all("precision")


@metric
def recall():
    """Share of people's texts inside the support of the completions."""
    return _of_all("recall")


@scorer(metrics=[precision(), recall()])
def open_ended():
    """Keeps what a person and what the model wrote."""

    async def score(state: TaskState, target: Target) -> Score:
        pair = {"people": target.text, "model": state.output.completion}
        return Score(value=1, answer=state.output.completion, metadata=pair)

    return score


@task
def biographies(n: int = 24):
    """Biographies, held against those of a grammar."""
    people = list(llmpr.sample("tiny-bio", task="synthetic-bio", n=n, max_new_tokens=60))
    samples = [Sample(input="Write a biography.", target=each.text) for each in people]
    return Task(dataset=samples, solver=generate(), scorer=open_ended())
