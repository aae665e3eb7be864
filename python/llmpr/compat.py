"""In place of the peers: the functions of mauve-text, prdc and vendi-score with their arguments and results.

One changed import line serves::

    from llmpr.compat import compute_mauve  # was: from mauve import compute_mauve
    from llmpr.compat import compute_prdc   # was: from prdc import compute_prdc
    import llmpr.compat as mauve            # was: import mauve

Differences by design stand in the docstrings, with the values of both. For intervals, ceilings and p-values there is
:func:`llmpr.score`.
"""

from __future__ import annotations

import math
import types
from typing import Any, Dict, List, Sequence, Union

from . import _arrays
from ._errors import InputError

__all__ = ["compute_mauve", "compute_prdc", "score_X", "score_dual"]

_HUB = {name: f"openai-community/{name}" for name in ("gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl", "distilgpt2")}
_HUB["distilgpt2"] = "distilbert/distilgpt2"


def _features(
    side: str, features: Any, tokens: Any, text: Any, model: str, max_length: int, device: int
) -> Any:
    """One side's features, from the first of what was given."""
    if features is not None:
        return _arrays.features(features, f"{side}_features")
    if tokens is None and text is None:
        raise InputError(f"give one of {side}_features, {side}_tokens, {side}_text")
    from . import _llmpr

    name = _HUB.get(model, model)
    where = "cpu" if device < 0 else f"cuda:{device}"
    if tokens is not None:
        ids = [[int(token) for token in _flat(row)] for row in tokens]
        return _llmpr.embed_ids(ids, name, max_tokens=max_length, device=where)
    texts = _arrays.texts(text, f"{side}_text")
    return _llmpr.embed_texts(texts, name, max_tokens=max_length, device=where)[0]


def _flat(row: Any) -> List[int]:
    """Token ids of one text: a list, an array, or a tensor of one row."""
    values = row.tolist() if hasattr(row, "tolist") else list(row)
    if len(values) == 1 and isinstance(values[0], list):
        values = values[0]
    return list(values)


def compute_mauve(
    p_features: Any = None,
    q_features: Any = None,
    p_tokens: Any = None,
    q_tokens: Any = None,
    p_text: Any = None,
    q_text: Any = None,
    num_buckets: Union[int, str] = "auto",
    pca_max_data: int = -1,
    kmeans_explained_var: float = 0.9,
    kmeans_num_redo: int = 5,
    kmeans_max_iter: int = 500,
    featurize_model_name: str = "gpt2-large",
    device_id: int = -1,
    max_text_length: int = 1024,
    divergence_curve_discretization_size: int = 25,
    mauve_scaling_factor: float = 5,
    verbose: bool = False,
    seed: int = 25,
    batch_size: int = 1,
    use_float64: bool = False,
) -> types.SimpleNamespace:
    """MAUVE with the arguments and the result of mauve-text 0.4.0.

    Parameters
    ----------
    p_features, q_features
        n × d and m × d features of people's and of the model's texts.
    p_tokens, q_tokens
        Lists of token ids, embedded by `featurize_model_name`.
    p_text, q_text
        Lists of texts, embedded likewise. The first of features, tokens and texts that is given counts.
    num_buckets
        Clusters, or ``"auto"``: a tenth of the smaller side, at least 2.
    pca_max_data
        Rows that components are fitted on, drawn at random; −1 for all.
    kmeans_explained_var
        Share of variance that the components hold.
    kmeans_num_redo, kmeans_max_iter
        Starts of k-means and most iterations of each.
    featurize_model_name, device_id, max_text_length
        A model as llmpr takes it (``gpt2-large`` is that of the hub), a GPU or −1 for the processor, and the tokens
        after which a text is cut.
    divergence_curve_discretization_size, mauve_scaling_factor
        Mixtures along the curve, and the exponent c.
    seed
        Of k-means.
    verbose, batch_size, use_float64
        Accepted, and without effect: nothing is printed, a text's features do not depend on its batch, and sums are in
        64 bits always.

    Returns
    -------
    types.SimpleNamespace
        ``mauve``, ``mauve_star``, ``frontier_integral``, ``frontier_integral_star``, ``divergence_curve`` (points × 2),
        ``p_hist``, ``q_hist``, ``num_buckets``.

    Notes
    -----
    Differences by design, each with the values of mauve-text 0.4.0 and of this function:

    * Equal histograms have MAUVE 1. Where all rows are alike, mauve-text gives 0.75: points of its curve are sorted by one
      coordinate, and ties are left to the sort. Here 1.0.
    * k-means starts far apart (k-means++) and takes the best of its starts, where faiss starts from rows drawn alike, so
      that values for one seed differ as values for two seeds do (standard deviation 0.005 to 0.01 at usual sizes).
    * More clusters than rows are as many clusters as rows.
    * A value that is no number is refused with its row; mauve-text hands it to faiss.

    References
    ----------
    Pillutla et al. 2021, arXiv:2102.01454; 2023, arXiv:2212.14578.
    """
    from ._llmpr import mauve_of_rows

    if num_buckets != "auto" and not hasattr(num_buckets, "__index__"):
        raise InputError(f'num_buckets = {num_buckets!r} is neither a whole number nor "auto"')
    if num_buckets != "auto" and int(num_buckets) < 2:
        raise InputError(f"num_buckets = {num_buckets} leaves nothing to compare; give 2 or more")
    model = (featurize_model_name, max_text_length, device_id)
    p = _features("p", p_features, p_tokens, p_text, *model)
    q = _features("q", q_features, q_tokens, q_text, *model)
    found = mauve_of_rows(
        p, q, None if num_buckets == "auto" else int(num_buckets), float(kmeans_explained_var), int(kmeans_num_redo),
        int(kmeans_max_iter), float(mauve_scaling_factor), int(divergence_curve_discretization_size), int(seed),
        None if pca_max_data is None or pca_max_data < 0 else int(pca_max_data), None,
    )
    return types.SimpleNamespace(**found)


def compute_prdc(real_features: Any, fake_features: Any, nearest_k: int) -> Dict[str, float]:
    """Precision, recall, density and coverage with the arguments and the result of prdc 0.2.

    Parameters
    ----------
    real_features, fake_features
        n × d and m × d features.
    nearest_k
        Rank of the neighbor that sets a radius.

    Returns
    -------
    dict
        ``precision``, ``recall``, ``density``, ``coverage``.

    Notes
    -----
    Differences by design, each with the values of prdc 0.2 and of this function:

    * prdc finds distances by a product of rows, so that copies may lie a little apart and inside of each other's balls, as
      rounding falls; here a copy is at distance 0 exactly. Of 300 rows × 1280, each of them seven times, against the same rows
      in another order the recall is 0.007 there (k = 5, ``float64``) and 0 here. On the radius is outside for both
      (``llmpr.prdc(..., ties="inclusive")`` counts it in).
    * Where rows lie far from the origin the product of rows rounds what tells them apart: of 200 + 200 rows × 8 of about
      unit variance moved by 10⁷ prdc's density is 1.455, and here 1.545, as both have it for the rows where they were.
      Rows are ``float32`` here, and ``float64`` rows are moved before they are rounded.
    * Its two lines of output are not printed.

    References
    ----------
    Naeem et al. 2020.
    """
    from ._llmpr import measure

    p, q = _arrays.moved_sides(real_features, fake_features, ("real_features", "fake_features"))
    return measure("prdc", p, q, int(nearest_k), False, 0, None)


def score_X(X: Any, k: Any = None, p: Any = None, q: float = 1, normalize: bool = True) -> float:  # noqa: N802, N803
    """``vendi_score.vendi.score_X`` of vendi-score 0.0.3 for the linear kernel: rows of length 1 are compared by product.

    `k`, a kernel of your own, and `p`, weights of rows, are refused; so is ``normalize=False``.
    """
    return score_dual(X, normalize=normalize, q=q, _others=(k, p))


def score_dual(X: Any, normalize: bool = True, q: float = 1, _others: Sequence[Any] = ()) -> float:  # noqa: N803
    """``vendi_score.vendi.score_dual`` of vendi-score 0.0.3.

    Notes
    -----
    The peer computes in the array's own number type and counts eigenvalues that are rounding; here they are in 64 bits.
    """
    from ._llmpr import vendi_scores

    if not normalize or any(other is not None for other in _others):
        raise InputError("only rows of length 1 under the linear kernel are computed; leave out k, p and normalize")
    order = math.inf if q in ("inf", math.inf) else float(q)
    return vendi_scores(_arrays.features(X, "X"), [order], None)[0]


