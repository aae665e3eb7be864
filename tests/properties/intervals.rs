//! Intervals hold what they say: simulated, counted, from both sides.

use llmpr::{
    matrix::Matrix,
    metric::{
        Clouds,
        calibrate::{Subsample, interval, subsample},
        neighbors::Ties,
        prdc::{Prdc, prdc},
    },
    rng,
    sides::Sides,
};
use rayon::prelude::*;

const NAMES: [&str; 4] = ["precision", "recall", "density", "coverage"];

/// What is simulated: rows of either side, columns, texts a prompt, and how far a prompt moves its texts.
#[derive(Clone, Copy, Debug)]
struct World {
    n: usize,
    d: usize,
    k: usize,
    texts: usize,
    prompt: f64,
    shift: f64,
    /// Whether subsamples keep the texts of a prompt together.
    blocked: bool,
}

impl World {
    fn values(self, clouds: Sides<&Matrix>) -> [f64; 4] {
        let Prdc { precision, recall, density, coverage, .. } =
            prdc(Clouds::new(clouds).unwrap(), self.k, Ties::Strict).unwrap();
        [precision, recall, density, coverage]
    }

    fn draw(self, seed: u64) -> Sides<Matrix> {
        let cloud = |name: &str, shift: f64, prompt: f64| {
            let mut rng = rng::named(seed, name);
            let mut normal = || {
                let u = 1.0 - rng::next_unit(&mut rng);
                let v = rng::next_unit(&mut rng);
                (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
            };
            let mut rows = Vec::with_capacity(self.n * self.d);
            for _ in 0..self.n / self.texts {
                let moved: Vec<f64> = (0..self.d).map(|_| shift + prompt * normal()).collect();
                for _ in 0..self.texts {
                    let rest = (1.0 - prompt * prompt).sqrt();
                    rows.extend(moved.iter().map(|at| (at + rest * normal()) as f32));
                }
            }
            Matrix::new(self.d, rows).unwrap()
        };
        Sides { reference: cloud("p", 0.0, 0.0), model: cloud("q", self.shift, self.prompt) }
    }

    /// The values on all rows, and their intervals from half-samples of whole prompts.
    fn measured(self, seed: u64) -> ([f64; 4], [(f64, f64); 4]) {
        let sets = self.draw(seed);
        let half = Subsample::half(self.n);
        let prompts: Vec<u64> = match self.texts {
            texts if texts > 1 && self.blocked => {
                (0..self.n).map(|row| (row / texts) as u64).collect()
            }
            _ => Vec::new(),
        };
        let mut rng = rng::named(seed, "halves");
        let halves: Vec<[f64; 4]> = (0..40)
            .map(|_| {
                let p = sets.reference.select(&subsample(&mut rng, half, &[]));
                let q = sets.model.select(&subsample(&mut rng, half, &prompts));
                self.values(Sides { reference: &p, model: &q })
            })
            .collect();
        let values = self.values(sets.as_ref());
        let ends = [0, 1, 2, 3].map(|i| {
            let column: Vec<f64> = halves.iter().map(|values| values[i]).collect();
            let found = interval(values[i], &column, half.variance_factor(), 0.0, (0.0, 1e9));
            let found = found.unwrap();
            (found.low, found.high)
        });
        (values, ends)
    }

    /// Simulates; what the intervals did for each measure.
    fn simulated(self, experiments: u64) -> [Held; 4] {
        let found: Vec<_> = (0..experiments).into_par_iter().map(|i| self.measured(i)).collect();
        let count = experiments as f64;
        [0, 1, 2, 3].map(|i| {
            let truth = found.iter().map(|(values, _)| values[i]).sum::<f64>() / count;
            let squares = found.iter().map(|(values, _)| (values[i] - truth).powi(2)).sum::<f64>();
            let needed = 1.96 * (squares / (count - 1.0)).sqrt();
            let reach = found.iter().map(|(_, ends)| (ends[i].1 - ends[i].0) / 2.0).sum::<f64>();
            let held = |ends: &[(f64, f64); 4]| ends[i].0 <= truth && truth <= ends[i].1;
            let hits = found.iter().filter(|(_, ends)| held(ends)).count();
            Held { share: hits as f64 / count, width: reach / count / needed }
        })
    }
}

/// How often intervals hold the mean over all experiments, and how wide they are beside `± 1.96 σ` of
/// the experiments.
#[derive(Debug)]
struct Held {
    share: f64,
    width: f64,
}

// 400 experiments: the standard error of a share of 0.95 is 0.011.
const EXPERIMENTS: u64 = 400;

#[test]
fn intervals_hold_the_truth_as_often_as_they_say_where_columns_are_many() {
    let world = World { n: 100, d: 16, k: 4, texts: 1, prompt: 0.0, shift: 0.2, blocked: true };
    for world in [world, World { n: 120, texts: 4, prompt: 0.7, ..world }] {
        for (name, held) in NAMES.iter().zip(world.simulated(EXPERIMENTS)) {
            let share = (0.91..=0.99).contains(&held.share);
            assert!(share && (0.88..1.25).contains(&held.width), "{name}, {world:?}: {held:?}");
        }
    }
}

#[test] // half of the rows miss more of a low-dimensional support than all of them
fn intervals_in_three_columns_are_wider_than_needed_but_not_by_half() {
    let world = World { n: 100, d: 3, k: 3, texts: 1, prompt: 0.0, shift: 0.2, blocked: true };
    for (name, held) in NAMES.iter().zip(world.simulated(EXPERIMENTS)) {
        assert!(held.share >= 0.95 && (1.0..1.5).contains(&held.width), "{name}: {held:?}");
    }
}

#[test]
fn texts_of_one_prompt_that_are_drawn_apart_make_intervals_too_short() {
    let world = World { n: 100, d: 16, k: 4, texts: 10, prompt: 0.9, shift: 0.2, blocked: true };
    let [.., together] = world.simulated(EXPERIMENTS / 2);
    let [.., apart] = World { blocked: false, ..world }.simulated(EXPERIMENTS / 2);
    assert!(together.share > apart.share + 0.05, "{together:?}, apart {apart:?}");
}
