//! Soft membership: products of the distances to the rows of the other cloud.
//!
//! In high dimension a soft ball holds a good part of the other cloud and the product vanishes. The pass
//! multiplies bounds from above, which products of matrices give for nothing, and rules those rows out.
//! It lists the rows that the other balls may hold; where they are too many to keep, they are searched
//! once more. Logarithms are of `f64` distances and the sum does not depend on the order, so neither does
//! it on the way.

use rayon::prelude::*;

use crate::cloud::space::{BLOCK, Rows, Tile, Visit};

/// A product of distances below `e⁻³⁷·⁵ = 5.2 · 10⁻¹⁷` is taken as 0: 1 less anything below `2⁻⁵⁴` is 1 in `f64`.
const VANISHED: f64 = -37.5;

/// Logarithms are summed in units of 2⁻⁶⁴, as integers: the sum does not depend on its order.
const LOG_UNIT: f64 = (1u128 << 64) as f64;

/// Rows of the other cloud that are listed for a row at most.
const LISTED: usize = 256;

/// What a pass learns about the soft membership of a row.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// The most that `Π d²/R²` can be.
    most: f64,
    /// The rows that may be nearer than `R`; `None` where they are too many.
    near: Option<Vec<u32>>,
}

impl Default for Known {
    fn default() -> Self {
        Self { most: 1.0, near: Some(Vec::new()) }
    }
}

impl Known {
    /// Whether `Π d/R` vanishes, with room for the rounding of the bound.
    pub(super) fn vanishes(&self) -> bool {
        // e⁻⁷⁵ = 2.68 · 10⁻³³
        self.most < 2.6e-33
    }

    /// Meets a row at a distance² within `(low, high)`, `copies` times; whether the product vanishes now.
    pub(super) fn meet(
        &mut self,
        row: usize,
        (low, high): (f64, f64),
        squared_radius: f64,
        copies: u32,
    ) -> bool {
        if low >= squared_radius || self.vanishes() {
            return false;
        }
        if high < squared_radius {
            self.most *= (high / squared_radius).powi(copies as i32);
            if self.vanishes() {
                self.near = None;
                return true;
            }
        }
        match &mut self.near {
            Some(near) if near.len() < LISTED => near.push(row as u32),
            near => *near = None,
        }
        false
    }
}

/// `Π d/R` of `Π d²/R²`; 0 where it vanishes.
pub(crate) fn product_of_squares(product: f64) -> f64 {
    let root = product.sqrt();
    if root.ln() < VANISHED { 0.0 } else { root }
}

fn vanished(log: i128) -> bool {
    log < (VANISHED * LOG_UNIT) as i128
}

/// `ln(d/R)`, `copies` times, in units of [`LOG_UNIT`]; 0 for a row that is not nearer than `R`.
fn log(squared: f64, radius: f64, copies: u32) -> i128 {
    let share = squared.sqrt() / radius;
    let log = if share < 1.0 { share.ln().max(10.0 * VANISHED) } else { 0.0 };
    (log * f64::from(copies) * LOG_UNIT) as i128
}

fn product(log: i128) -> f64 {
    if vanished(log) { 0.0 } else { (log as f64 / LOG_UNIT).exp() }
}

/// Per distinct row of `judged`: `Π min(1, d/R)` over the rows of `others`; 0 where it vanishes.
pub(super) fn products(judged: &Rows, known: &[&Known], others: &Rows, radius: f64) -> Vec<f64> {
    let listed = |(i, known): (usize, &&Known)| -> Option<f64> {
        let near = match &known.near {
            _ if known.vanishes() => return Some(0.0),
            Some(near) => near,
            None => return None,
        };
        let mut sum = 0;
        judged.squared_distances(i, others, near, |other, squared| {
            sum += log(squared, radius, others.distinct.copies[other as usize]);
        });
        Some(product(sum))
    };
    let found: Vec<Option<f64>> = known.par_iter().enumerate().map(listed).collect();
    let left: Vec<usize> = (0..judged.len()).filter(|&i| found[i].is_none()).collect();
    let mut searched = search(judged, &left, others, radius).into_iter();
    found.into_iter().map(|product| product.or_else(|| searched.next()).unwrap_or(0.0)).collect()
}

/// The products of the rows `left` of `judged`, by one more pass.
fn search(judged: &Rows, left: &[usize], others: &Rows, radius: f64) -> Vec<f64> {
    if left.is_empty() {
        return Vec::new();
    }
    let first: Vec<usize> = left.iter().map(|&i| judged.distinct.first[i]).collect();
    let matrix = judged.matrix().select(&first);
    let rows = judged.like(&matrix);
    let of_block = |block: std::ops::Range<usize>| {
        let reach = rows.scaled_up(radius * radius);
        let mut sums = Sums {
            judged: &rows,
            others,
            radius,
            start: block.start,
            column: 0,
            reach: vec![reach; block.len()],
            nowhere: vec![f32::NEG_INFINITY; BLOCK],
            near: vec![Vec::new(); block.len()],
            logs: vec![0; block.len()],
        };
        let mut tile = Tile::default();
        for columns in others.blocks() {
            tile.multiply((&rows, block.clone()), (others, columns.clone()));
            sums.column = columns.start;
            sums.nowhere.truncate(columns.len());
            tile.scan(&mut sums);
            sums.add();
        }
        sums.logs.into_iter().map(product).collect::<Vec<f64>>()
    };
    rows.blocks().into_par_iter().flat_map_iter(of_block).collect()
}

/// Logarithms of the products of one block of rows.
struct Sums<'a> {
    judged: &'a Rows<'a>,
    others: &'a Rows<'a>,
    radius: f64,
    start: usize,
    column: usize,
    reach: Vec<f32>,
    nowhere: Vec<f32>,
    /// Per row: the rows of the tile that may be nearer than `R`.
    near: Vec<Vec<u32>>,
    /// Per row: `Σ ln(d/R)`, in units of [`LOG_UNIT`].
    logs: Vec<i128>,
}

impl Sums<'_> {
    /// Adds the logarithms of the rows that are near.
    fn add(&mut self) {
        let (judged, others) = (self.judged, self.others);
        for (i, near) in self.near.iter_mut().enumerate() {
            let sum = &mut self.logs[i];
            judged.squared_distances(self.start + i, others, near, |other, squared| {
                *sum += log(squared, self.radius, others.distinct.copies[other as usize]);
            });
            near.clear();
            if vanished(*sum) {
                self.reach[i] = f32::NEG_INFINITY;
            }
        }
    }
}

impl Visit for Sums<'_> {
    fn reach(&self) -> (&[f32], &[f32]) {
        (&self.reach, &self.nowhere)
    }

    fn near(&mut self, i: usize, j: usize, low: f32) {
        let (row, other) = (self.start + i, self.column + j);
        let (low, _) = self.judged.bounds(row, self.others, other, low);
        if low >= self.radius * self.radius {
            return;
        }
        self.near[i].push(other as u32);
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        cloud::{
            Clouds,
            pass::{Ask, pass},
            space::Space,
        },
        data::{matrix::Matrix, sides::Sides},
        rng,
    };

    #[test] // the definition, term by term; some rows are far inside, some far out
    fn rows_that_bounds_rule_out_have_products_that_vanish() {
        let mut rng = rng::named(8, "soft");
        let mut cloud = |n: usize, size: f32| {
            let mut draw = || (rng::next_unit(&mut rng) as f32 - 0.5) * size;
            Matrix::new(6, (0..6 * n).map(|_| draw()).collect()).unwrap()
        };
        let sets = Sides { reference: cloud(700, 1.5), model: cloud(900, 1.0) };
        let space = Space::new(Clouds::new(sets.as_ref()).unwrap());
        let soft = Some(Sides { reference: 0.8, model: 0.9 });
        let found = pass(&space, &Ask { soft, ..Ask::default() });
        let sides = [
            (&sets.reference, &sets.model, 0.9, &found.soft.reference),
            (&sets.model, &sets.reference, 0.8, &found.soft.model),
        ];
        let mut ruled_out = 0;
        for (judged, others, radius, got) in sides {
            for (i, &got) in got.iter().enumerate() {
                let log = |j| {
                    let pairs = judged.row_f64(i).zip(others.row_f64(j));
                    let squared: f64 = pairs.map(|(x, y)| (x - y).powi(2)).sum();
                    (squared.sqrt() / radius).ln().min(0.0)
                };
                let want = (0..others.rows()).map(log).sum::<f64>().exp();
                ruled_out += usize::from(got == 0.0);
                assert!((got - want).abs() <= 1e-12 * want + 6e-17, "{got}, {want}");
            }
        }
        assert!(ruled_out > 50 && ruled_out < 1500, "{ruled_out} vanish");
    }
}
