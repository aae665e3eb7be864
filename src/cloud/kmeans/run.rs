//! One start of k-means: rows to the nearest centers, centers to the means of their rows, until both rest.

use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{
    KMeansOptions, Start, labels,
    points::{Nearest, Points},
    spread::{Seeded, spread},
};
use crate::{math::lanes::add_scaled, rng};

/// One start and what has become of it.
pub(super) struct Run<'a> {
    points: &'a Points<'a>,
    /// One after the other, shifted and scaled as the rows are.
    pub(super) centers: Vec<f32>,
    pub(super) assigned: Vec<Nearest>,
    /// Per cluster: whether its center moved after the rows were assigned.
    moved: Vec<bool>,
    /// Per cluster: whether its center is not the mean of the rows that are assigned to it.
    displaced: Vec<bool>,
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
                moved: vec![true; clusters],
                displaced: vec![true; clusters],
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
                let assigned = self.assign();
                let mut still = !self.assigned.is_empty();
                for (new, old) in assigned.iter().zip(&self.assigned) {
                    if new.0 != old.0 {
                        still = false;
                        self.displaced[new.0 as usize] = true;
                        self.displaced[old.0 as usize] = true;
                    }
                }
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

    /// The nearest center of every row. A row whose center stood still is held against those that moved.
    fn assign(&self) -> Vec<Nearest> {
        let (points, d) = (self.points, self.points.cols());
        let everyone = 0..points.len() as u32;
        let moved: Vec<u32> = (0u32..)
            .zip(&self.moved)
            .filter_map(|(center, &moved)| moved.then_some(center))
            .collect();
        if self.assigned.is_empty() || 2 * moved.len() > self.moved.len() {
            return points.nearest(None, &self.centers);
        }
        let again: Vec<u32> =
            everyone.filter(|&i| self.moved[self.assigned[i as usize].0 as usize]).collect();
        let centers: Vec<f32> =
            moved.iter().flat_map(|&c| &self.centers[c as usize * d..][..d]).copied().collect();
        // Rows of moved centers are held against these in vain: to pick the others out would cost more.
        let mut assigned = points.nearest(None, &centers);
        for ((at, value), &(label, own)) in assigned.iter_mut().zip(&self.assigned) {
            let other = moved.get(*at as usize).copied().unwrap_or(u32::MAX);
            *at = other;
            if own < *value || (own == *value && label < other) {
                (*at, *value) = (label, own);
            }
        }
        for (&i, near) in again.iter().zip(points.nearest(Some(&again), &self.centers)) {
            assigned[i as usize] = near;
        }
        assigned
    }

    /// Moves every center to the mean of its rows; one without rows takes the row that is farthest from
    /// its own center, of those in clusters of several distinct rows.
    fn move_centers(&mut self) {
        let (points, d) = (self.points, self.points.cols());
        let mut members = vec![Vec::new(); self.moved.len()];
        for (i, &(label, _)) in (0u32..).zip(&self.assigned) {
            members[label as usize].push(i);
        }
        let exchanged = self.fill_empty(&mut members);
        let displaced = std::mem::replace(&mut self.displaced, vec![false; members.len()]);
        let places = self.centers.par_chunks_mut(d).zip(&mut self.moved);
        places.zip(members).zip(displaced).for_each(|(((center, moved), members), displaced)| {
            *moved = false;
            let mut size = 0.0;
            let mut sum = vec![0.0; d];
            for i in members.into_iter().filter(|_| displaced) {
                let copies = points.copies(i as usize);
                add_scaled(&mut sum, points.row(i as usize), copies);
                size += copies;
            }
            if size > 0.0 {
                for (x, sum) in center.iter_mut().zip(sum) {
                    let mean = (sum / size) as f32;
                    *moved |= mean != *x;
                    *x = mean;
                }
            }
        });
        exchanged.into_iter().for_each(|cluster| self.displaced[cluster] = true);
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
    fn rows_held_against_moved_centers_alone_end_where_all_comparisons_would() {
        let mut rng = rng::named(9, "k-means rows");
        let values = (0..6 * 900).map(|_| rng::next_below(&mut rng, 50) as f32).collect();
        let matrix = Matrix::new(6, values).unwrap();
        let rows = Rows::alone(&matrix);
        let points = Points::new(&rows);
        let options = KMeansOptions::new(40);
        let fresh =
            || Run::starts(&points, &options, vec![rng::named(0, "k-means start")]).next().unwrap();
        let (mut quick, mut plain) = (fresh(), fresh());
        quick.iterate(500);
        for iteration in 0..quick.iterations {
            let assigned = points.nearest(None, &plain.centers);
            // The start's own assignment is that of its centers.
            assert!(iteration > 0 || labels(&assigned) == labels(&plain.assigned));
            plain.assigned = assigned;
            plain.displaced.fill(true);
            plain.move_centers();
        }
        assert!(quick.iterations > 5, "{} iterations", quick.iterations);
        assert_eq!(quick.centers, plain.centers);
        assert_eq!(labels(&quick.assigned), labels(&points.nearest(None, &plain.centers)));
    }
}
