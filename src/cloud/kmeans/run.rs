//! One start of k-means: rows to the nearest centers, centers to the means of their rows, until both rest.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{
    KMeansOptions, Start,
    bounds::Bounds,
    labels,
    points::{Centers, Nearest, Points},
    spread::{Seeded, spread},
};
use crate::{math::lanes::add_scaled, rng};

/// The sum of a cluster's rows, and how many they are.
#[derive(Clone, Default)]
struct Sum {
    values: Vec<f64>,
    size: f64,
}

impl Sum {
    /// A row comes, or leaves where `sign` is −1.
    fn add(&mut self, points: &Points, row: u32, sign: f64) {
        let copies = sign * points.copies(row as usize);
        add_scaled(&mut self.values, points.row(row as usize), copies);
        self.size += copies;
    }
}

/// One start and what has become of it.
pub(super) struct Run<'a> {
    points: &'a Points<'a>,
    /// One after the other, shifted and scaled as the rows are.
    pub(super) centers: Vec<f32>,
    pub(super) assigned: Vec<Nearest>,
    bounds: Bounds,
    /// Per cluster: whether its center moved after the rows were assigned.
    moved: Vec<bool>,
    sums: Vec<Sum>,
    /// Per cluster: whether that is not the sum of the rows that were assigned to it before the last assignment.
    displaced: Vec<bool>,
    /// Rows that the last assignment gave to another cluster, and the cluster they had before.
    exchanged: Vec<(u32, u32)>,
    pub(super) inertia: f64,
    pub(super) iterations: usize,
}

impl<'a> Run<'a> {
    /// One run for each of `rngs`, its centers chosen.
    pub(super) fn starts(
        points: &'a Points<'a>,
        options: &KMeansOptions,
        mut rngs: Vec<ChaCha8Rng>,
    ) -> impl Iterator<Item = Self> {
        let (n, clusters) = (points.len(), options.clusters);
        let wanted = clusters.min(n);
        let at_random = |rng: &mut ChaCha8Rng| {
            let mut chosen: Vec<usize> = (0..n).collect();
            rng::shuffle(rng, &mut chosen);
            chosen.truncate(wanted);
            Seeded { chosen, assigned: Vec::new() }
        };
        let seeded = match options.start {
            Start::Rows => rngs.iter_mut().map(at_random).collect(),
            Start::Spread => spread(points, wanted, &mut rngs),
        };
        seeded.into_iter().map(move |Seeded { chosen, assigned }| {
            let mut centers: Vec<f32> =
                chosen.iter().flat_map(|&i| points.row(i)).copied().collect();
            // Clusters beyond the distinct rows repeat the first center, which takes every row before them.
            let repeated = centers[..points.cols()].repeat(clusters - wanted);
            centers.extend(repeated);
            Self {
                points,
                centers,
                assigned,
                bounds: Bounds::none(clusters),
                moved: vec![true; clusters],
                sums: vec![Default::default(); clusters],
                displaced: vec![true; clusters],
                exchanged: Vec::new(),
                inertia: f64::INFINITY,
                iterations: 0,
            }
        })
    }

    /// Assigns and moves in turn until assignments stand still.
    pub(super) fn iterate(&mut self, most: usize) {
        for _ in 0..most {
            // A start may come with its rows assigned.
            if self.iterations > 0 || self.assigned.is_empty() {
                let centers = Centers::new(&self.centers, self.points.cols());
                let before = &self.assigned;
                let assigned = self.bounds.nearest(self.points, &centers, &self.moved, before);
                let pairs = (0u32..).zip(assigned.iter().zip(before));
                let other = pairs.filter(|(_, (new, old))| new.0 != old.0);
                self.exchanged = other.map(|(row, (_, old))| (row, old.0)).collect();
                let still = !before.is_empty() && self.exchanged.is_empty();
                self.assigned = assigned;
                if still {
                    break;
                }
            }
            self.iterations += 1;
            self.move_centers();
        }
        self.inertia = self.points.inertia(&labels(&self.assigned), &self.centers);
    }

    /// Moves every center to the mean of its rows; one without rows takes the row that is farthest from
    /// its own center, of those in clusters of several distinct rows.
    fn move_centers(&mut self) {
        let (points, d) = (self.points, self.points.cols());
        let mut members = vec![Vec::new(); self.moved.len()];
        for (i, &(label, _)) in (0u32..).zip(&self.assigned) {
            members[label as usize].push(i);
        }
        // Per cluster, rows that came and rows that left.
        let mut changes = vec![Vec::new(); members.len()];
        for (row, old) in std::mem::take(&mut self.exchanged) {
            changes[old as usize].push((row, -1.0));
            changes[self.assigned[row as usize].0 as usize].push((row, 1.0));
        }
        let robbed = self.fill_empty(&mut members);
        let displaced = std::mem::replace(&mut self.displaced, vec![false; members.len()]);
        let places = self.centers.par_chunks_mut(d).zip(&mut self.moved).zip(&mut self.sums);
        let rows = members.into_par_iter().zip(changes).zip(displaced);
        let steps =
            places.zip(rows).map(|(((center, moved), sum), ((members, changes), displaced))| {
                *moved = false;
                if !displaced && changes.is_empty() {
                    return 0.0;
                }
                // Few changes cost less than all rows.
                if displaced || 2 * changes.len() >= members.len() {
                    *sum = Sum { values: vec![0.0; d], size: 0.0 };
                    members.into_iter().for_each(|i| sum.add(points, i, 1.0));
                } else {
                    changes.into_iter().for_each(|(i, sign)| sum.add(points, i, sign));
                }
                let mut step = 0.0;
                if sum.size > 0.0 {
                    for (x, value) in center.iter_mut().zip(&sum.values) {
                        let mean = (value / sum.size) as f32;
                        *moved |= mean != *x;
                        step += (f64::from(mean) - f64::from(*x)).powi(2);
                        *x = mean;
                    }
                }
                step.sqrt()
            });
        let steps: Vec<f64> = steps.collect();
        steps.into_iter().enumerate().for_each(|(c, step)| self.bounds.moved(c, step));
        robbed.into_iter().for_each(|cluster| self.displaced[cluster] = true);
    }

    /// Gives empty clusters a row each; the clusters whose rows are no longer those assigned to them.
    fn fill_empty(&mut self, members: &mut [Vec<u32>]) -> Vec<usize> {
        let mut exchanged = Vec::new();
        let mut empty: Vec<usize> =
            (0..members.len()).rev().filter(|&c| members[c].is_empty()).collect();
        if empty.is_empty() {
            return exchanged;
        }
        self.displaced.fill(true);
        let off: Vec<f32> = self
            .assigned
            .iter()
            .zip(&self.points.squares)
            .map(|(near, square)| near.1 + square)
            .collect();
        let mut far: Vec<u32> = (0..off.len() as u32).collect();
        far.sort_by(|&i, &j| off[j as usize].total_cmp(&off[i as usize]));
        for i in far {
            let label = self.assigned[i as usize].0 as usize;
            if members[label].len() < 2 {
                continue;
            }
            let Some(cluster) = empty.pop() else { break };
            members[label].retain(|&member| member != i);
            members[cluster].push(i);
            exchanged.extend([label, cluster]);
        }
        exchanged
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cloud::space::Rows, data::matrix::Matrix};

    #[test] // the definition: every center against every row, from one start
    fn rows_that_bounds_spare_end_where_all_comparisons_would() {
        let mut rng = rng::named(9, "k-means rows");
        let values = (0..6 * 900).map(|_| rng::next_below(&mut rng, 50) as f32).collect();
        let matrix = Matrix::new(6, values).unwrap();
        let rows = Rows::alone(&matrix);
        let points = Points::new(&rows);
        let options = KMeansOptions::new(40);
        let fresh =
            || Run::starts(&points, &options, vec![rng::named(0, "k-means start")]).next().unwrap();
        let all =
            |centers: &[f32]| points.nearest(0..points.len(), &Centers::new(centers, 6), &mut []);
        let (mut quick, mut plain) = (fresh(), fresh());
        quick.iterate(500);
        for iteration in 0..quick.iterations {
            let assigned = all(&plain.centers);
            // The start's own assignment is that of its centers.
            assert!(iteration > 0 || labels(&assigned) == labels(&plain.assigned));
            plain.assigned = assigned;
            plain.displaced.fill(true);
            plain.move_centers();
        }
        assert!(quick.iterations > 5, "{} iterations", quick.iterations);
        assert_eq!(quick.centers, plain.centers);
        assert_eq!(labels(&quick.assigned), labels(&all(&plain.centers)));
    }
}
