# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # From two lists of texts to a plane with intervals
#
# People's texts on one side, a model's on the other. Here small bundled models write all of them, so that the notebook runs
# anywhere: one stands for people, the other writes once coolly and once hotly. Put your own lists in their place.

# %%
import llmpr

task = {"task": "synthetic-bio", "seed": 1, "n": 150, "max_new_tokens": 90}
cool = [one.text for one in llmpr.sample("tiny-bio", temperature=0.4, **task)]
hot = [one.text for one in llmpr.sample("tiny-bio", temperature=1.3, **task)]
people = [one.text for one in llmpr.sample("tiny-bio-chat", temperature=1.0, **task)]
people[:2]

# %% [markdown]
# `embedder` is a model that embeds; `tiny-gpt2` is bundled and quick. For texts of your own take a real one, such as
# `openai-community/gpt2-large`.

# %%
scores = {
    name: llmpr.score(people, texts, embedder="tiny-gpt2", metrics="support", resamples=100, permutations=100)
    for name, texts in (("T = 0.4", cool), ("T = 1.3", hot))
}
scores["T = 0.4"]

# %% [markdown]
# A value is read beside its ceiling (what the reference scores against itself) and its interval.

# %%
for name, score in scores.items():
    print(f"{name}: precision {score.precision}, recall {score.recall}")

# %%
from llmpr.plots import plane

axes = plane([(name, score.precision, score.recall) for name, score in scores.items()])

# %% [markdown]
# The texts behind the numbers: samples outside of the reference's support, and references that no sample comes near.

# %%
hot_score = scores["T = 1.3"]
outside = [text for text, inside in zip(hot, hot_score.inside) if not inside]
missed = [people[row] for row in hot_score.uncovered]
print(f"{len(outside)} of {len(hot)} samples lie outside, {len(missed)} of {len(people)} references are not covered")
outside[:1], missed[:1]
