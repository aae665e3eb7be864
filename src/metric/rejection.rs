//! Choosing among completions by their density ratio: rejection sampling and its relatives.

use super::curve::Point;
use crate::rng;

/// Why completions cannot be filtered.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
#[non_exhaustive]
pub enum RejectionError {
    /// There is nothing to choose from.
    #[error("there are no density ratios to choose by")]
    Empty,
    /// A ratio is negative, infinite or NaN.
    #[error("density ratio {row} is {value}; ratios are finite and not negative")]
    Ratio { row: usize, value: f64 },
    /// There is not one weight per ratio, or a weight is no share.
    #[error(
        "there are {ratios} density ratios and {weights} weights; each needs one, positive in sum"
    )]
    Weights { ratios: usize, weights: usize },
    /// The budget is below one completion per kept one.
    #[error("a budget of {budget} completions per kept one is not in 1 ≤ K < ∞")]
    Budget { budget: f64 },
}

/// Optimal budgeted rejection sampling: which share of each kind of completion to keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Obrs {
    /// `t = c_K / M`: what a ratio is multiplied with before it is cut at 1.
    pub scale: f64,
    /// Acceptance `a` per ratio.
    pub acceptance: Vec<f64>,
}

/// The acceptance that keeps `1/K` of the completions and comes nearest to `P` in every f-divergence:
///
/// ```text
/// a(x) = min(t r(x), 1),   t such that E_Q[a] = 1/K
/// ```
///
/// `t` is found in closed form: the mean of `min(t r, 1)` is piecewise linear in `t`. Where even all
/// texts with `r > 0` are fewer than `1/K`, those are kept and the rest is filled from `r = 0` at one rate.
///
/// # Arguments
///
/// * `ratios`: `r = p/q` per completion, up to a common factor. They must come from a classifier
///   that saw neither these completions nor those the result is scored on.
/// * `budget`: `K ≥ 1` completions drawn per completion kept.
///
/// # Errors
///
/// [`RejectionError`].
///
/// # Cost and sources
///
/// `O(n log n)`. Verine et al. 2024, arXiv:2311.00460.
///
/// # Example
///
/// ```
/// # use llmpr::metric::rejection::obrs;
/// let kept = obrs(&[0.5, 1.0, 1.5, 4.0], 2.0)?;
/// // 4t > 1 is cut, and 1 + 3t = 4/2 leaves t = 1/3
/// assert_eq!(kept.scale, 1.0 / 3.0);
/// assert_eq!(kept.acceptance, [0.5 / 3.0, 1.0 / 3.0, 0.5, 1.0]);
/// # Ok::<(), llmpr::metric::rejection::RejectionError>(())
/// ```
pub fn obrs(ratios: &[f64], budget: f64) -> Result<Obrs, RejectionError> {
    obrs_weighted(ratios, &vec![1.0; ratios.len()], budget)
}

/// [`obrs`] where kind `i` of completion has weight `weights[i]`, such as its share `q_i`.
///
/// # Errors
///
/// [`RejectionError`].
pub fn obrs_weighted(ratios: &[f64], weights: &[f64], budget: f64) -> Result<Obrs, RejectionError> {
    check(ratios, budget)?;
    let total: f64 = weights.iter().sum();
    let valid = weights.iter().all(|w| w.is_finite() && *w >= 0.0);
    if weights.len() != ratios.len() || !valid || total <= 0.0 {
        return Err(RejectionError::Weights { ratios: ratios.len(), weights: weights.len() });
    }
    let wanted = total / budget;
    let mut order: Vec<usize> = (0..ratios.len()).collect();
    order.sort_by(|&i, &j| ratios[j].total_cmp(&ratios[i]).then(i.cmp(&j)));
    let positive = order.partition_point(|&i| ratios[i] > 0.0);
    let mass = |of: &[usize]| of.iter().map(|&i| weights[i]).sum::<f64>();
    if mass(&order[..positive]) <= wanted {
        let kept = mass(&order[..positive]);
        let rest = total - kept;
        let rate = if rest > 0.0 { ((wanted - kept) / rest).min(1.0) } else { 1.0 };
        let accept = |&r: &f64| if r > 0.0 { 1.0 } else { rate };
        let least = order[..positive].last().map_or(f64::INFINITY, |&i| ratios[i]);
        return Ok(Obrs { scale: 1.0 / least, acceptance: ratios.iter().map(accept).collect() });
    }
    // unsaturated[s] = Σ w r over all but the s largest ratios, summed from the smallest up.
    let mut unsaturated = vec![0.0; positive + 1];
    for s in (0..positive).rev() {
        unsaturated[s] = unsaturated[s + 1] + weights[order[s]] * ratios[order[s]];
    }
    let mut saturated = 0.0;
    let mut scale = 0.0;
    for (s, &i) in order[..positive].iter().enumerate() {
        scale = (wanted - saturated) / unsaturated[s];
        if scale * ratios[i] <= 1.0 {
            break;
        }
        saturated += weights[i];
    }
    Ok(Obrs { scale, acceptance: ratios.iter().map(|r| (scale * r).min(1.0)).collect() })
}

/// Where keeping `1/K` by [`obrs`] with the true ratios takes a point of the PR-curve: to `(min(1, Kα), β)`, or
/// beyond where acceptances are cut at 1. Verine et al. 2024, arXiv:2311.00460, Proposition 3.3.
pub fn refined(point: Point, budget: f64) -> Point {
    let alpha = (budget * point.alpha).min(1.0);
    Point { lambda: budget * point.lambda, alpha, beta: point.beta }
}

/// Discriminator rejection sampling with shift `gamma`: larger keeps fewer.
///
/// ```text
/// F̂ = F − F_max − ln(1 − exp(F − F_max − 10⁻⁶)) − γ,   F = ln r,   a = 1/(1 + exp(−F̂))
/// ```
///
/// # Errors
///
/// [`RejectionError`]. Azadi et al. 2018, arXiv:1810.06758.
///
/// # Example
///
/// ```
/// # use llmpr::metric::rejection::drs;
/// // Without a shift it is plain rejection sampling: a = r / max r, up to 10⁻⁶.
/// let acceptance = drs(&[4.0, 2.0, 1.0], 0.0)?;
/// assert!((acceptance[1] - 0.5).abs() < 1e-6 && (acceptance[2] - 0.25).abs() < 1e-6);
/// # Ok::<(), llmpr::metric::rejection::RejectionError>(())
/// ```
pub fn drs(ratios: &[f64], gamma: f64) -> Result<Vec<f64>, RejectionError> {
    check(ratios, 1.0)?;
    // A ratio of 0 is never kept, not even at γ = −∞, from which its own −∞ has no difference.
    let accepted =
        |logit: f64| if logit > f64::NEG_INFINITY { sigmoid(logit - gamma) } else { 0.0 };
    Ok(drs_logits(ratios).into_iter().map(accepted).collect())
}

/// The `γ` with which [`drs`] keeps `1/K` of the completions.
///
/// Where texts with `r = 0`, which are never kept, are more than `1 − 1/K`, that is out of reach and
/// `γ = −∞` keeps all others.
///
/// # Errors
///
/// [`RejectionError`].
pub fn drs_gamma_for_budget(ratios: &[f64], budget: f64) -> Result<f64, RejectionError> {
    check(ratios, budget)?;
    let logits = drs_logits(ratios);
    let wanted = ratios.len() as f64 / budget;
    let kept = |gamma: f64| logits.iter().map(|logit| sigmoid(logit - gamma)).sum::<f64>();
    let (mut low, mut high) = (-800.0, 800.0);
    if kept(low) <= wanted {
        return Ok(f64::NEG_INFINITY);
    }
    // Bisection to the last bit: the mean acceptance falls in γ.
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return Ok(middle);
        }
        if kept(middle) > wanted { low = middle } else { high = middle }
    }
}

/// The `γ` at the given percentile of `F̂` at `γ = 0`, linear between ranks; the paper takes 80.
///
/// # Errors
///
/// [`RejectionError`].
pub fn drs_gamma_at_percentile(ratios: &[f64], percentile: f64) -> Result<f64, RejectionError> {
    check(ratios, 1.0)?;
    let mut logits = drs_logits(ratios);
    logits.sort_by(f64::total_cmp);
    let at = (percentile / 100.0).clamp(0.0, 1.0) * (logits.len() - 1) as f64;
    let (below, above) = (logits[at.floor() as usize], logits[at.ceil() as usize]);
    Ok(if below == above { below } else { below + at.fract() * (above - below) })
}

/// `F̂` at `γ = 0`; `−∞` where `r = 0`.
fn drs_logits(ratios: &[f64]) -> Vec<f64> {
    let most = ratios.iter().copied().fold(0.0, f64::max).ln();
    let logit = |&r: &f64| {
        if r == 0.0 {
            return f64::NEG_INFINITY;
        }
        let below = r.ln() - most;
        below - (-(below - 1e-6).exp()).ln_1p()
    };
    ratios.iter().map(logit).collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Metropolis–Hastings: of each run of `length` completions the one that a chain through them ends at.
///
/// The chain moves from `x` to the next completion `x'` with chance `min(1, r(x')/r(x))`. Its end
/// comes nearer to `P` as `length`, the budget `K`, grows. Completions beyond the last whole run are not used.
///
/// # Errors
///
/// [`RejectionError`]. Turner et al. 2019, arXiv:1811.11357.
pub fn metropolis_hastings(
    ratios: &[f64],
    length: usize,
    seed: u64,
) -> Result<Vec<usize>, RejectionError> {
    check(ratios, length as f64)?;
    let mut rng = rng::named(seed, "metropolis-hastings");
    let chain = |run: usize| {
        let candidates = run * length + 1..(run + 1) * length;
        candidates.fold(run * length, |at, next| {
            // One number per completion, moved to or not.
            let u = rng::next_unit(&mut rng);
            if u * ratios[at] < ratios[next] || ratios[at] == 0.0 { next } else { at }
        })
    };
    Ok((0..ratios.len() / length).map(chain).collect())
}

/// The completions that acceptances keep: `i` where its random number is below `acceptance[i]`.
pub fn keep(acceptance: &[f64], seed: u64) -> Vec<usize> {
    let mut rng = rng::named(seed, "rejection");
    let draws: Vec<f64> = acceptance.iter().map(|_| rng::next_unit(&mut rng)).collect();
    (0..acceptance.len()).filter(|&i| draws[i] < acceptance[i]).collect()
}

/// As many completions as the acceptances sum to, up to one: `i` with chance `acceptance[i]`, ascending.
///
/// The running sum of acceptances, in a random order, passes a whole number (from a random start) at each
/// that is kept. The count does not vary as that of [`keep`] does.
pub fn keep_evenly(acceptance: &[f64], seed: u64) -> Vec<usize> {
    let mut rng = rng::named(seed, "even rejection");
    let mut order: Vec<usize> = (0..acceptance.len()).collect();
    rng::shuffle(&mut rng, &mut order);
    let mut sum = rng::next_unit(&mut rng);
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let before = sum.floor();
        sum += acceptance[i];
        if sum.floor() > before {
            kept.push(i);
        }
    }
    kept.sort_unstable();
    kept
}

/// Effective number of completions behind acceptances or weights: `(Σw)²/Σw²`.
///
/// # Example
///
/// ```
/// # use llmpr::metric::rejection::effective_size;
/// assert_eq!(effective_size(&[1.0, 1.0, 0.0, 0.0]), 2.0);
/// ```
pub fn effective_size(weights: &[f64]) -> f64 {
    let squares: f64 = weights.iter().map(|w| w * w).sum();
    if squares == 0.0 { 0.0 } else { weights.iter().sum::<f64>().powi(2) / squares }
}

fn check(ratios: &[f64], budget: f64) -> Result<(), RejectionError> {
    if ratios.is_empty() {
        return Err(RejectionError::Empty);
    }
    if let Some(row) = ratios.iter().position(|r| !(r.is_finite() && *r >= 0.0)) {
        return Err(RejectionError::Ratio { row, value: ratios[row] });
    }
    if !(budget.is_finite() && budget >= 1.0) {
        return Err(RejectionError::Budget { budget });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{data::sides::Sides, metric::curve::pr_curve};

    const P: [f64; 4] = [0.5, 0.3, 0.2, 0.0];
    const Q: [f64; 4] = [0.1, 0.2, 0.3, 0.4];

    /// `Q` after keeping `1/K` of it.
    fn after(budget: f64) -> (Obrs, Vec<f64>) {
        let ratios: Vec<f64> = P.iter().zip(Q).map(|(p, q)| p / q).collect();
        let kept = obrs_weighted(&ratios, &Q, budget).unwrap();
        let model = kept.acceptance.iter().zip(Q).map(|(a, q)| budget * a * q).collect();
        (kept, model)
    }

    #[test] // simulated: 2000 seeds; shares within 4 standard errors
    fn keeping_evenly_keeps_each_as_often_as_accepted_and_a_fixed_number() {
        let acceptance = [1.0, 0.5, 0.25, 0.75, 0.0, 0.5];
        let mut times = [0usize; 6];
        for seed in 0..2000 {
            let kept = keep_evenly(&acceptance, seed);
            assert_eq!(kept.len(), 3, "{kept:?}");
            kept.into_iter().for_each(|i| times[i] += 1);
        }
        for (times, a) in times.into_iter().zip(acceptance) {
            let allowed = 4.0 * (a * (1.0 - a) / 2000.0).sqrt() + 1e-12;
            assert!((times as f64 / 2000.0 - a).abs() <= allowed, "{times} for {a}");
        }
    }

    #[test] // closed form; Verine et al. 2024, proposition 3.3
    fn precision_grows_by_the_budget_at_unchanged_recall_until_acceptances_are_cut() {
        // The largest ratio is 5, so nothing is cut while t = 1/K ≤ 1/5.
        let (kept, model) = after(5.0);
        assert!(
            (kept.scale - 0.2).abs() < 1e-15
                && model.iter().zip(P).all(|(q, p)| (q - p).abs() < 1e-15)
        );
        for budget in [1.5, 2.0, 3.0] {
            let (_, model) = after(budget);
            assert!((model.iter().sum::<f64>() - 1.0).abs() < 1e-14, "K = {budget}: {model:?}");
            for lambda in [0.2, 0.5, 1.0, 2.0] {
                let before = pr_curve(Sides { reference: &P[..], model: &Q[..] }, &[lambda])[0];
                let promised = refined(before, budget);
                let got =
                    pr_curve(Sides { reference: &P[..], model: &model }, &[promised.lambda])[0];
                assert!(got.alpha >= promised.alpha - 1e-14, "K = {budget}: {got:?}, {promised:?}");
            }
        }
    }

    #[test] // closed form
    fn a_budget_beyond_the_plausible_texts_is_filled_from_the_others() {
        // P never writes what 0.4 of Q is: keeping 0.8 takes half of those too.
        let (kept, model) = after(1.25);
        assert!(
            kept.acceptance.iter().zip([1.0, 1.0, 1.0, 0.5]).all(|(a, b)| (a - b).abs() < 1e-15)
        );
        assert!((model.iter().sum::<f64>() - 1.0).abs() < 1e-15);
        assert_eq!(after(1.0).0.acceptance, [1.0; 4]);
        assert_eq!(obrs(&[0.0, 0.0], 4.0).unwrap().acceptance, [0.25, 0.25]);
    }

    #[test]
    fn a_long_chain_forgets_the_model() {
        // Q uniform over four texts, P as above.
        let mut rng = rng::named(3, "candidates");
        let texts: Vec<usize> = (0..400_000).map(|_| rng::next_below(&mut rng, 4)).collect();
        let ratios: Vec<f64> = texts.iter().map(|&text| 4.0 * P[text]).collect();
        let ends = metropolis_hastings(&ratios, 20, 0).unwrap();
        assert_eq!(ends.len(), 20_000);
        for (text, p) in P.into_iter().enumerate() {
            let share = ends.iter().filter(|&&i| texts[i] == text).count() as f64 / 20_000.0;
            // Five standard deviations, and what is left of the start after 20 steps.
            assert!((share - p).abs() < 0.018, "text {text}: {share}, {p}");
        }
    }

    #[test]
    fn a_chain_of_one_keeps_every_completion() {
        assert_eq!(metropolis_hastings(&[1.0, 0.0, 2.0], 1, 0).unwrap(), [0, 1, 2]);
    }

    #[test]
    fn acceptances_keep_their_share() {
        let kept = keep(&[0.25; 40_000], 1).len() as f64 / 40_000.0;
        assert!((kept - 0.25).abs() < 0.011, "{kept}"); // five standard deviations
        assert_eq!(keep(&[1.0, 0.0, 1.0], 9), [0, 2]);
        assert_eq!(effective_size(&[1.0, 1.0, 0.0, 2.0]), 16.0 / 6.0);
    }

    #[test]
    fn the_shift_of_a_budget_keeps_its_share_and_none_helps_where_too_few_are_plausible() {
        let ratios = [4.0, 2.0, 1.0, 0.5, 0.0];
        for budget in [1.5, 2.0, 4.0, 10.0] {
            let gamma = drs_gamma_for_budget(&ratios, budget).unwrap();
            let kept = drs(&ratios, gamma).unwrap().iter().sum::<f64>() / 5.0;
            assert!((kept - 1.0 / budget).abs() < 1e-12, "K = {budget}: {kept} at γ = {gamma}");
        }
        // Four of five can be kept, and 1/1.25 are asked for.
        assert_eq!(drs_gamma_for_budget(&ratios, 1.25), Ok(f64::NEG_INFINITY));
        assert_eq!(drs(&ratios, f64::NEG_INFINITY).unwrap(), [1.0, 1.0, 1.0, 1.0, 0.0]);
    }

    #[test]
    fn bad_ratios_and_budgets_get_a_sentence() {
        let error = |ratios: &[f64], budget| obrs(ratios, budget).unwrap_err().to_string();
        assert_eq!(error(&[], 2.0), "there are no density ratios to choose by");
        assert_eq!(
            error(&[1.0, f64::INFINITY], 2.0),
            "density ratio 1 is inf; ratios are finite and not negative"
        );
        assert_eq!(
            error(&[1.0], 0.5),
            "a budget of 0.5 completions per kept one is not in 1 ≤ K < ∞"
        );
        assert!(metropolis_hastings(&[1.0], 0, 0).is_err());
    }
}
