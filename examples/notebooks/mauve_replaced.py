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
# # mauve-text replaced by one import line
#
# `from mauve import compute_mauve` becomes the line below; arguments and result are the same.

# %%
import time

import numpy as np

from llmpr.compat import compute_mauve

rng = np.random.default_rng(0)
scale = 1 / np.sqrt(1 + np.arange(256))
people = rng.standard_normal((2000, 256)) * scale
model = rng.standard_normal((2000, 256)) * scale * 0.9 + 0.02

start = time.perf_counter()
out = compute_mauve(p_features=people, q_features=model, verbose=False)
print(f"MAUVE {out.mauve:.4f}, frontier integral {out.frontier_integral:.4f}, {time.perf_counter() - start:.2f} s")

# %% [markdown]
# The curve, as the peer's examples draw it.

# %%
import matplotlib.pyplot as plt

fig, ax = plt.subplots(figsize=(4, 4), layout="constrained")
ax.plot(out.divergence_curve[:, 1], out.divergence_curve[:, 0])
ax.set_xlabel("exp(−c KL(P‖R)): what the model leaves out")
ax.set_ylabel("exp(−c KL(Q‖R)): what the model makes up")
ax.set_title(f"MAUVE {out.mauve:.3f}")

# %% [markdown]
# One number hides two. What `llmpr.score` adds: precision and recall apart, intervals, and the ceiling — equal
# distributions do not reach 1 at these sizes.

# %%
import llmpr

llmpr.score(people, model, metrics="precision,recall,mauve", resamples=50, permutations=0)
