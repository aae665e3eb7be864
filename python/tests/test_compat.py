"""In place of the peers, beside them where they are installed."""

import inspect
import math

import llmpr
import llmpr.compat as compat
import numpy as np
import pytest

RNG = np.random.default_rng(11)
BASIS = RNG.standard_normal((24, 24)) / np.sqrt(1 + np.arange(24))
P = (RNG.standard_normal((400, 24)) @ BASIS).astype("float32")
Q = (RNG.standard_normal((400, 24)) @ BASIS * 0.9 + 0.25).astype("float32")


def test_one_import_line_serves():
    from llmpr.compat import compute_mauve, compute_prdc

    out = compute_mauve(p_features=P, q_features=Q, verbose=False)
    assert set(vars(out)) == {"mauve", "mauve_star", "frontier_integral", "frontier_integral_star", "divergence_curve",
                              "p_hist", "q_hist", "num_buckets"}
    assert out.num_buckets == 40 == len(out.p_hist) and out.divergence_curve.shape == (27, 2)
    assert out.p_hist.sum() == pytest.approx(1) and out.divergence_curve[0].tolist() == [1, 0]
    assert compute_prdc(P, Q, 5) == compute_prdc(real_features=P, fake_features=Q, nearest_k=5)
    assert set(compute_prdc(P, Q, nearest_k=5)) == {"precision", "recall", "density", "coverage"}
    alike = np.ones((60, 4), dtype="float32")
    assert compute_mauve(p_features=alike, q_features=alike).mauve == 1
    fewer = compute_mauve(p_features=P, q_features=Q, pca_max_data=200, num_buckets=10)
    assert fewer.num_buckets == 10 and 0 < fewer.mauve <= 1


def test_texts_and_tokens_are_embedded():
    texts = [f"{name} was born in {year}." for name in ("Ada", "Max") for year in range(1900, 1910)]
    others = [text.replace("born", "seen") for text in texts]
    of_texts = compat.compute_mauve(p_text=texts, q_text=others, featurize_model_name="tiny-gpt2", num_buckets=4)
    assert 0 < of_texts.mauve <= 1
    ids = [[5, 7, 9], [[5, 7]], np.array([11, 3])] * 4
    assert compat.compute_mauve(p_tokens=ids, q_tokens=ids, featurize_model_name="tiny-gpt2", num_buckets=3).mauve == 1


@pytest.mark.parametrize(
    "given, sentence",
    [
        ({}, "give one of p_features, p_tokens, p_text"),
        ({"p_features": P}, "give one of q_features"),
        ({"p_features": P, "q_features": Q, "num_buckets": 0.3}, "neither a whole number"),
        ({"p_features": P, "q_features": Q, "num_buckets": 1}, "leaves nothing to compare"),
        ({"p_features": P, "q_features": Q[:, :3]}, "24 dimensions and model rows 3"),
        ({"p_features": P, "q_features": np.full_like(Q, np.nan)}, "row 0, column 0 holds NaN"),
    ],
)
def test_what_is_wrong_is_said(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        compat.compute_mauve(**given)


def test_prdc_is_the_peer_s():
    peer = pytest.importorskip("prdc")
    assert list(inspect.signature(peer.compute_prdc).parameters) == list(inspect.signature(compat.compute_prdc).parameters)
    for k in (1, 3, 5, 10):
        want = peer.compute_prdc(P, Q, k)
        found = compat.compute_prdc(P, Q, k)
        assert found == pytest.approx({name: float(value) for name, value in want.items()}, abs=1e-12)


def test_the_differences_that_the_docstring_names_are_there():
    peer = pytest.importorskip("prdc")
    rng = np.random.default_rng(0)
    p, q = rng.standard_normal((200, 8)), rng.standard_normal((200, 8)) * 0.8
    near = peer.compute_prdc(p, q, 5)
    assert compat.compute_prdc(p, q, 5) == pytest.approx({name: float(value) for name, value in near.items()}, abs=1e-12)
    assert compat.compute_prdc(p + 1e7, q + 1e7, 5) == compat.compute_prdc(p, q, 5)
    assert abs(float(peer.compute_prdc(p + 1e7, q + 1e7, 5)["density"]) - float(near["density"])) > 0.05
    copies = np.repeat(rng.standard_normal((300, 1280)), 7, axis=0)
    assert set(compat.compute_prdc(copies, copies[rng.permutation(len(copies))], 5).values()) == {0}


def test_mauve_is_within_the_spread_of_the_peer_s_seeds():
    peer = pytest.importorskip("mauve")
    assert str(inspect.signature(peer.compute_mauve)).replace(" ", "") .split("seed")[0] .count("=") == str(
        inspect.signature(compat.compute_mauve)).replace(" ", "").split("seed")[0].count("=")
    assert list(inspect.signature(peer.compute_mauve).parameters) == list(inspect.signature(compat.compute_mauve).parameters)
    fields = ("mauve", "mauve_star", "frontier_integral", "frontier_integral_star")
    theirs = [peer.compute_mauve(p_features=P, q_features=Q, verbose=False, seed=seed) for seed in range(12)]
    ours = [compat.compute_mauve(p_features=P, q_features=Q, seed=seed) for seed in range(12)]
    for field in fields:
        a = np.array([float(getattr(each, field)) for each in theirs])
        b = np.array([float(getattr(each, field)) for each in ours])
        assert abs(a.mean() - b.mean()) < 2 * max(a.std(ddof=1), b.std(ddof=1)), (field, a.mean(), b.mean())
    # Over one and the same histogram the values are one.
    bins = theirs[0]
    counts = [np.rint(np.asarray(hist) * 400).astype(int) for hist in (bins.p_hist, bins.q_hist)]
    same = llmpr.mauve_of_counts(*counts)
    assert [getattr(same, field) for field in fields] == pytest.approx([float(getattr(bins, field)) for field in fields], abs=1e-12)
    assert same.divergence_curve == pytest.approx(bins.divergence_curve, abs=1e-12)


def test_vendi_is_the_peer_s():
    peer = pytest.importorskip("vendi_score.vendi")
    for q in (0.5, 1, 2, "inf"):
        assert compat.score_dual(P.astype("float64"), normalize=True, q=q) == pytest.approx(
            peer.score_dual(P.astype("float64"), normalize=True, q=math.inf if q == "inf" else q) if q != "inf"
            else peer.score_dual(P.astype("float64"), normalize=True, q="inf"), rel=1e-6)
    with pytest.raises(llmpr.InputError, match="leave out"):
        compat.score_X(P, k=lambda a, b: 1.0)


def test_a_metric_adds_batches_up():
    bare = {"metrics": "precision,recall,frechet_distance", "resamples": 0, "permutations": 0}
    want = llmpr.score(P, Q, **bare)
    metric = llmpr.PrecisionRecall(**bare)
    buffer = np.empty((100, 24), dtype="float32")
    for at in range(0, 400, 100):
        buffer[:] = Q[at:at + 100]
        metric.update(reference=P[at:at + 100].tolist(), samples=buffer)
    assert metric.compute() == want
    halves = [llmpr.PrecisionRecall(**bare) for _ in range(2)]
    for at, half in enumerate(halves):
        half.update(P[at * 200:(at + 1) * 200], Q[at * 200:(at + 1) * 200])
    assert halves[0].merge(halves[1]).compute() == want
    with pytest.raises(llmpr.InputError, match="3 columns and those before 24"):
        metric.update(samples=Q[:5, :3])
    assert metric.compute() == want
    assert metric(P, Q) == want and "800 and 800" in repr(metric) or metric.forward(P, Q) == want
    metric.reset()
    with pytest.raises(llmpr.InputError, match="reference is empty"):
        metric.compute()
