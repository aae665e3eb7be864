//! Ball-based measures under exchanged labels, from neighbors that are found once.
//!
//! The nearest rows of every pooled row do not depend on labels. With enough of them listed, the
//! radius of a row under any labeling is found by walking its list to the `k`-th row of its own label,
//! and the rows of the other label passed on the way are those inside its ball.

use rayon::prelude::*;

use super::draws::Draws;
use crate::{
    cloud::{
        nearby::Nearby,
        neighbors::{Near, Ties},
    },
    data::{
        sides::{Side, Sides},
        stop,
    },
    metric::prdc::Prdc,
};

/// Balls around pooled rows, whatever their labels.
pub(super) struct Pooled<'a> {
    pub nearby: &'a Nearby<'a>,
    pub k: usize,
    pub ties: Ties,
}

/// How many rows of either label equal each distinct row.
type Copies = Sides<Vec<u32>>;

impl Pooled<'_> {
    /// The measures with the rows as they are, and under each of the relabelings.
    pub fn exchanged(&self, n: usize, draws: &Draws<'_>) -> (Prdc, Vec<Prdc>) {
        let sizes = Sides { reference: n, model: self.nearby.of().len() - n };
        let rows = Sides {
            reference: (0..n).collect::<Vec<_>>(),
            model: (n..self.nearby.of().len()).collect::<Vec<_>>(),
        };
        let relabeled = (0..draws.permutations).into_par_iter();
        let relabeled = relabeled.map(|i| {
            stop::check();
            self.values(&draws.relabeled(i, sizes))
        });
        (self.values(&rows), relabeled.collect())
    }

    fn values(&self, rows: &Sides<Vec<usize>>) -> Prdc {
        let copies = rows.as_ref().map(|rows| {
            let mut copies = vec![0u32; self.nearby.len()];
            rows.iter().for_each(|&row| copies[self.nearby.of()[row] as usize] += 1);
            copies
        });
        let Sides { reference: n, model: m } = rows.as_ref().map(|rows| rows.len() as f64);
        let p = self.balls(&copies, Side::Reference);
        let q = self.balls(&copies, Side::Model);
        let (precision, coverage) = (p.holding as f64 / m, p.held as f64 / n);
        let (recall, comp_precision) = (q.holding as f64 / n, q.held as f64 / m);
        Prdc {
            precision,
            recall,
            density: p.pairs as f64 / (self.k as f64 * m),
            coverage,
            comp_precision,
            sym_precision: precision.min(comp_precision),
            sym_recall: recall.min(coverage),
        }
    }

    /// The balls around the rows labeled `around`, and the others inside them.
    fn balls(&self, copies: &Copies, around: Side) -> Inside {
        let own = copies.get(around);
        let other = match around {
            Side::Reference => &copies.model,
            Side::Model => &copies.reference,
        };
        let mut inside = vec![false; own.len()];
        let (mut held, mut pairs) = (0u64, 0u64);
        for center in (0..own.len()).filter(|&center| own[center] > 0) {
            let (list, complete) = self.nearby.list(center);
            let radius_in = |list: &[Near]| {
                let mut rank = own[center] as usize - 1;
                let kth = list.iter().find(|near| {
                    rank += own[near.row as usize] as usize;
                    rank >= self.k
                });
                kth.map(|near| near.squared)
            };
            let searched;
            let (radius, list) = if own[center] as usize > self.k {
                (0.0, list)
            } else if let Some(radius) = radius_in(list) {
                (radius, list)
            } else if complete {
                (f64::INFINITY, list)
            } else {
                // Every row has one label or the other.
                searched = self.nearby.searched(center, |_| true);
                (radius_in(&searched).unwrap_or(f64::INFINITY), searched.as_slice())
            };
            let mut count = 0u64;
            let mut meet = |row: usize| {
                count += u64::from(other[row]);
                inside[row] |= other[row] > 0;
            };
            if self.ties.inside(0.0, radius) {
                meet(center);
            }
            let near = list.iter().take_while(|near| self.ties.inside(near.squared, radius));
            near.for_each(|near| meet(near.row as usize));
            pairs += count * u64::from(own[center]);
            held += if count > 0 { u64::from(own[center]) } else { 0 };
        }
        let holding = inside.iter().zip(other).filter(|(inside, _)| **inside);
        Inside { holding: holding.map(|(_, &copies)| u64::from(copies)).sum(), held, pairs }
    }
}

/// Rows counted with their copies.
struct Inside {
    /// Others inside some ball.
    holding: u64,
    /// Centers whose ball holds another.
    held: u64,
    /// Pairs of a center and another inside its ball.
    pairs: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::Clouds, data::matrix::Matrix, metric::prdc::prdc, rng, score::calibrate};

    fn named(prdc: &Prdc) -> [(&'static str, f64); 7] {
        [
            ("precision", prdc.precision),
            ("recall", prdc.recall),
            ("density", prdc.density),
            ("coverage", prdc.coverage),
            ("comp_precision", prdc.comp_precision),
            ("sym_precision", prdc.sym_precision),
            ("sym_recall", prdc.sym_recall),
        ]
    }

    fn cloud(seed: u64, n: usize, d: usize, levels: usize) -> Matrix {
        let mut rng = rng::named(seed, "exchange");
        let values = (0..n * d).map(|_| rng::next_below(&mut rng, levels) as f32).collect();
        Matrix::new(d, values).unwrap()
    }

    #[test] // against the direct pass; few levels make ties and copies common
    fn walking_pooled_lists_gives_the_measures_of_a_direct_pass() {
        let draws = Draws {
            seed: 0,
            resamples: 0,
            permutations: 0,
            prompts: Sides { reference: &[], model: &[] },
        };
        for (levels, d) in [(3, 2), (5, 3), (1000, 4)] {
            let sets = Sides { reference: cloud(1, 60, d, levels), model: cloud(2, 50, d, levels) };
            for (k, ties) in [(1, Ties::Strict), (4, Ties::Strict), (4, Ties::Inclusive)] {
                let both = sets.reference.stack(&sets.model);
                let nearby = Nearby::find(&both, k, 0.4).unwrap();
                let pooled = Pooled { nearby: &nearby, k, ties };
                let (got, _) = pooled.exchanged(60, &draws);
                let want = prdc(Clouds::new(sets.as_ref()).unwrap(), k, ties).unwrap();
                for ((name, got), (_, want)) in named(&got).into_iter().zip(named(&want)) {
                    assert!((got - want).abs() < 1e-12, "{levels} {k} {name}: {got}, {want}");
                }
            }
        }
    }

    #[test] // simulated: under the null P(p ≤ 0.2) ≈ 0.2, ± 4 standard errors
    fn p_values_of_equal_distributions_are_uniform() {
        let (experiments, mut below) = (150, [("", 0usize); 7]);
        for experiment in 0..experiments {
            let sets = Sides {
                reference: cloud(2 * experiment, 40, 2, 1 << 20),
                model: cloud(2 * experiment + 1, 40, 2, 1 << 20),
            };
            let draws = Draws {
                seed: experiment,
                resamples: 0,
                permutations: 59,
                prompts: Sides { reference: &[], model: &[] },
            };
            let both = sets.reference.stack(&sets.model);
            let nearby = Nearby::find(&both, 3, 0.5).unwrap();
            let pooled = Pooled { nearby: &nearby, k: 3, ties: Ties::Strict };
            let (observed, relabeled) = pooled.exchanged(40, &draws);
            for (i, (name, observed)) in named(&observed).into_iter().enumerate() {
                let null: Vec<f64> = relabeled.iter().map(|values| named(values)[i].1).collect();
                let p = calibrate::p_value(observed, &null, calibrate::Tail::High).unwrap();
                below[i] = (name, below[i].1 + usize::from(p <= 0.2));
            }
        }
        let allowed = 4.0 * (0.2 * 0.8 / experiments as f64).sqrt();
        for (name, below) in below {
            let share = below as f64 / experiments as f64;
            // Ties among counts make the test cautious, never liberal; density has few.
            assert!(share < 0.2 + allowed, "{name}: {share}");
            assert!(name != "density" || share > 0.2 - allowed, "{name}: {share}");
        }
    }
}
