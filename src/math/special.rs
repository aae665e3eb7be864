//! The few special functions that p-values, intervals and closed forms need.

/// `ln Γ(x)`, `x > 0`, to about `10⁻¹⁴` relative (Lanczos, g = 7, nine terms).
pub fn ln_gamma(x: f64) -> f64 {
    const C: [f64; 9] = [
        0.999_999_999_999_809_9,
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let pi = std::f64::consts::PI;
        return (pi / (pi * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum: f64 = (1..9).map(|i| C[i] / (x + i as f64)).sum::<f64>() + C[0];
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The regularised incomplete gamma functions `(P(a, x), Q(a, x) = 1 − P)`, `a > 0`, `x ≥ 0`, each to
/// about `10⁻¹³` relative.
///
/// `χ²` with `d` degrees has distribution function `P(d/2, x/2)`.
pub fn gamma_pq(a: f64, x: f64) -> (f64, f64) {
    if x <= 0.0 {
        return (0.0, 1.0);
    }
    if x.is_infinite() {
        return (1.0, 0.0);
    }
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-17 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        let p = (scale * sum).min(1.0);
        (p, 1.0 - p)
    } else {
        // Lentz's continued fraction.
        let tiny = 1e-300;
        let mut b = x + 1.0 - a;
        let (mut c, mut d) = (1.0 / tiny, 1.0 / b);
        let mut h = d;
        for i in 1..10_000 {
            let an = -f64::from(i) * (f64::from(i) - a);
            b += 2.0;
            d = 1.0 / nonzero(an * d + b, tiny);
            c = nonzero(b + an / c, tiny);
            let step = d * c;
            h *= step;
            if (step - 1.0).abs() < 1e-16 {
                break;
            }
        }
        let q = (scale * h).min(1.0);
        (1.0 - q, q)
    }
}

fn nonzero(x: f64, tiny: f64) -> f64 {
    if x.abs() < tiny { tiny } else { x }
}

/// Distribution function `Φ(x)` of the standard normal, with relative precision in the lower tail.
pub fn normal_cdf(x: f64) -> f64 {
    let (inside, outside) = gamma_pq(0.5, x * x / 2.0);
    if x < 0.0 { 0.5 * outside } else { 0.5 + 0.5 * inside }
}

/// Where the normal distribution function is `p`, by bisection to the last bit; `±∞` at 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if normal_cdf(middle) < p { low = middle } else { high = middle }
    }
}

/// Distribution function and survival function of `χ²` with `d` degrees of freedom.
pub fn chi2_cdf_sf(x: f64, d: f64) -> (f64, f64) {
    gamma_pq(d / 2.0, x / 2.0)
}

/// `ln C(n, k)`; `−inf` where `k > n`.
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n {
        return f64::NEG_INFINITY;
    }
    let ln_factorial = |x: u64| ln_gamma(x as f64 + 1.0);
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
}

/// The 97.5 % quantile of Student's t, by Cornish–Fisher from the normal one; exact to 1 % from
/// four degrees of freedom up.
pub(crate) fn student_975(freedom: usize) -> f64 {
    const EXACT: [f64; 4] = [12.706, 4.303, 3.182, 2.776];
    if let Some(quantile) = freedom.checked_sub(1).and_then(|at| EXACT.get(at)) {
        return *quantile;
    }
    let (z, f) = (1.959_963_985_f64, freedom as f64);
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    z + first / f + second / (f * f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn students_quantiles_are_those_of_the_tables() {
        for (freedom, quantile) in [
            (1, 12.706),
            (3, 3.182),
            (4, 2.776),
            (5, 2.571),
            (10, 2.228),
            (30, 2.042),
            (100, 1.984),
        ] {
            let got = student_975(freedom);
            assert!((got / quantile - 1.0).abs() < 0.01, "{freedom}: {got}, table {quantile}");
        }
    }

    #[test] // tables of the normal distribution
    fn normal_quantiles_are_those_of_the_tables() {
        for (p, z) in [(0.5, 0.0), (0.8, 0.841_621), (0.975, 1.959_964), (0.991_666_667, 2.393_980)]
        {
            assert!((normal_quantile(p) - z).abs() < 1e-5, "{p}: {}", normal_quantile(p));
            assert!((normal_quantile(1.0 - p) + z).abs() < 1e-5, "{p}");
        }
        assert_eq!(
            (normal_quantile(0.0), normal_quantile(1.0)),
            (f64::NEG_INFINITY, f64::INFINITY)
        );
    }

    fn assert_close(got: f64, expected: f64, relative: f64) {
        assert!((got / expected - 1.0).abs() <= relative, "{got}, expected {expected}");
    }

    #[test] // tables
    fn the_normal_distribution_keeps_its_digits_in_the_tail() {
        assert_close(normal_cdf(-0.5), 0.308_537_538_725_986_9, 1e-13);
        assert_close(normal_cdf(1.96), 0.975_002_104_851_779_6, 1e-13);
        assert_close(normal_cdf(-5.0), 2.866_515_718_791_939e-7, 1e-12);
        assert_close(normal_cdf(-20.0), 2.753_624_118_606_233_6e-89, 1e-11);
    }

    #[test] // tables
    fn chi_square_and_factorials_match_their_tables() {
        assert_close(chi2_cdf_sf(7.814_727_903_251_179, 3.0).1, 0.05, 1e-12);
        assert_close(chi2_cdf_sf(0.351_846_317_749_271_7, 3.0).0, 0.05, 1e-12);
        assert_close(ln_gamma(11.0), 3_628_800f64.ln(), 1e-14);
        assert_close(ln_gamma(0.5), std::f64::consts::PI.sqrt().ln(), 1e-13);
    }

    #[test] // closed form
    fn six_choose_three_is_twenty() {
        assert_close(ln_choose(6, 3).exp(), 20.0, 1e-13);
        assert_eq!(ln_choose(3, 6), f64::NEG_INFINITY);
    }
}
