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
# # A sweep of the bundled world
#
# Two small models over temperatures, held against a grammar whose true precision and recall are known. The same cell run
# again goes on where it was, and draws nothing twice.

# %%
import pathlib
import tempfile

import llmpr

folder = pathlib.Path(tempfile.mkdtemp()) / "world"
run = llmpr.sweep(
    models=["tiny-bio", "tiny-bio-chat"], temps="0.4,0.8,1.2", shots=0, n=60, out=folder,
    metrics="support", resamples=20, permutations=0, progress=False,
)
run

# %%
frame = run.to_pandas()
frame[["model", "temperature", "precision", "true_precision", "coverage", "recall", "true_recall"]].round(2)

# %%
run.figures["precision_recall_plane"]

# %% [markdown]
# The setting that keeps precision and gives most recall, as `llmpr tune` chooses it, and the texts of a cell.

# %%
run.tune("precision>=0.5")

# %%
cell = run.cell(model="tiny-bio", temperature=0.8)
print(cell, cell.texts[0].text, sep="\n")

# %% [markdown]
# A function can stand in place of a model: whatever runs in this process, such as vLLM or transformers.


# %%
def generate(prompts, settings, seeds):
    import random

    names = ["Ada Berg", "Max Roth", "Eva Lind"]
    return [f"{random.Random(seed).choice(names)} was born in {1900 + seed % 90}." for seed in seeds]


own = llmpr.sweep(
    {"mine": generate}, task="synthetic-bio", temps="0.7,1", shots=0, n=60, out=folder.parent / "own", metrics="support",
    resamples=0, permutations=0, progress=False,
)
own
