"""Quality and diversity of language models, as two separate numbers.

>>> import llmpr
>>> llmpr.score(reference, samples, embedder="openai-community/gpt2-large").precision  # doctest: +SKIP
"""

from __future__ import annotations

from . import compat
from ._errors import Error, FileError, InputError
from ._files import load_features, save_features
from ._llmpr import __version__
from ._measures import (
    alpha_precision,
    authenticity,
    clipped,
    cover_precision,
    coverage,
    density,
    distinct,
    frechet,
    frontier_integral,
    kernel_distance,
    mauve,
    mauve_of_counts,
    mean_tokens,
    modes_reached,
    ngram_vendi,
    nn_accuracy,
    p_precision,
    pr_curve,
    prdc,
    precision,
    reached,
    realism,
    recall,
    recall_extrapolated,
    repetition,
    self_bleu,
    sliced_wasserstein,
    top_pr,
    unique_fraction,
    vendi,
    zipf,
)
from ._metric import PrecisionRecall
from ._run import Cell, Run, RunWarning, sweep
from ._sample import Completion, sample
from ._score import Score, ScoreWarning, Value, embed, score

__all__ = [
    "Cell", "Completion", "Error", "FileError", "InputError", "PrecisionRecall", "Run", "RunWarning", "Score", "ScoreWarning", "Value",
    "__version__", "alpha_precision", "authenticity", "clipped", "compat", "cover_precision", "coverage", "density",
    "distinct", "embed", "frechet", "frontier_integral", "kernel_distance", "load_features", "mauve", "mauve_of_counts",
    "mean_tokens", "modes_reached", "ngram_vendi", "nn_accuracy", "p_precision", "pr_curve", "prdc", "precision", "reached",
    "realism", "recall", "recall_extrapolated", "repetition", "sample", "save_features", "score", "self_bleu", "sliced_wasserstein", "sweep", "top_pr",
    "unique_fraction", "vendi", "zipf",
]
