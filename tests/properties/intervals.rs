//! Intervals hold what they say: simulated, counted, from both sides.

use rayon::prelude::*;

use llmpr::{
    cloud::{Clouds, neighbors::Ties},
    data::{matrix::Matrix, sides::Sides},
    metric::{
        inception::inception_score,
        prdc::{Prdc, prdc},
    },
    rng,
    score::calibrate::{Subsample, interval, subsample},
};

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
        held(&(0..experiments).into_par_iter().map(|i| self.measured(i)).collect::<Vec<_>>())
    }
}

/// The values of one experiment and their intervals.
type Measured<const N: usize> = ([f64; N], [(f64, f64); N]);

/// What the intervals of all experiments did for each measure.
fn held<const N: usize>(found: &[Measured<N>]) -> [Held; N] {
    let count = found.len() as f64;
    std::array::from_fn(|i| {
        let truth = found.iter().map(|(values, _)| values[i]).sum::<f64>() / count;
        let squares = found.iter().map(|(values, _)| (values[i] - truth).powi(2)).sum::<f64>();
        let needed = 1.96 * (squares / (count - 1.0)).sqrt();
        let reach = found.iter().map(|(_, ends)| (ends[i].1 - ends[i].0) / 2.0).sum::<f64>();
        Held { share: share(found, i, truth), width: reach / count / needed }
    })
}

/// The share of the intervals of measure `i` that hold `truth`.
fn share<const N: usize>(found: &[Measured<N>], i: usize, truth: f64) -> f64 {
    let hits = found.iter().filter(|(_, ends)| ends[i].0 <= truth && truth <= ends[i].1).count();
    hits as f64 / found.len() as f64
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

/// Texts of six kinds, each with its share and what a classifier with four classes says of it.
const KINDS: [(f64, [f64; 4]); 6] = [
    (0.30, [0.9, 0.05, 0.03, 0.02]),
    (0.25, [0.1, 0.8, 0.05, 0.05]),
    (0.20, [0.25, 0.25, 0.25, 0.25]),
    (0.15, [0.0, 0.1, 0.9, 0.0]),
    (0.07, [0.4, 0.1, 0.1, 0.4]),
    (0.03, [0.0, 0.0, 0.0, 1.0]),
];

/// The inception score of these rows, its marginal and its conditional entropy.
fn inception(rows: &[[f64; 4]]) -> [f64; 3] {
    let score = inception_score(rows.as_flattened(), 4, 1).unwrap();
    [score.mean, score.marginal_entropy, score.conditional_entropy]
}

#[test]
fn intervals_of_the_inception_score_and_its_entropies_hold_the_truth_as_often_as_they_say() {
    const ROWS: usize = 200;
    let measured = |seed: u64| {
        let mut rng = rng::named(seed, "inception");
        let mut kind = || {
            let mut left = rng::next_unit(&mut rng);
            let drawn = KINDS.iter().find(|(share, _)| {
                left -= share;
                left < 0.0
            });
            drawn.unwrap_or(&KINDS[0]).1
        };
        let rows: Vec<[f64; 4]> = (0..ROWS).map(|_| kind()).collect();
        let half = Subsample::half(ROWS);
        let mut rng = rng::named(seed, "halves");
        let halves: Vec<[f64; 3]> = (0..40)
            .map(|_| {
                let part = subsample(&mut rng, half, &[]);
                inception(&part.into_iter().map(|row| rows[row]).collect::<Vec<_>>())
            })
            .collect();
        let values = inception(&rows);
        let ends = [0, 1, 2].map(|i| {
            let column: Vec<f64> = halves.iter().map(|values| values[i]).collect();
            let found = interval(values[i], &column, half.variance_factor(), 0.0, (0.0, 1e9));
            let found = found.unwrap();
            (found.low, found.high)
        });
        (values, ends)
    };
    let found: Vec<_> = (0..EXPERIMENTS).into_par_iter().map(measured).collect();

    // Of the whole population: a hundred rows hold every kind by its share.
    let all: Vec<[f64; 4]> = KINDS
        .iter()
        .flat_map(|(share, row)| std::iter::repeat_n(*row, (share * 100.0).round() as usize))
        .collect();
    let truth = inception(&all);
    let names = ["inception_score", "inception_entropy", "inception_conditional_entropy"];
    for (i, (name, held)) in names.into_iter().zip(held(&found)).enumerate() {
        let of_the_population = share(&found, i, truth[i]);
        let right = (0.91..=0.99).contains(&held.share) && (0.9..1.15).contains(&held.width);
        assert!(right && of_the_population > 0.9, "{name}: {held:?}, {of_the_population}");
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
