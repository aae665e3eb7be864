//! k-means by matrix products: Lloyd's iteration to the end, best of several starts.

use rayon::prelude::*;

use super::{MetricError, space::Rows};
use crate::{
    matrix::Matrix,
    product::rows_by_rows,
    rng,
    vector::{add_scaled, least_sum, nearer},
};

/// How to cluster: the settings of `mauve-text` (faiss), but for the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KMeansOptions {
    /// Number of clusters.
    pub clusters: usize,
    /// Starts, of which the one that is best after a few iterations is kept and goes on.
    pub redos: usize,
    /// Most iterations of a start; one whose assignments stand still has ended before.
    pub iterations: usize,
    /// Centers are trained on at most this many rows each, drawn at random; `None` takes all rows.
    pub rows_per_cluster: Option<usize>,
    /// How a start chooses its centers.
    pub start: Start,
    /// Of the starts and of the rows to train on.
    pub seed: u64,
}

/// How a start chooses its centers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// Different rows, each as likely as any other.
    Rows,
    /// Rows far from those chosen before, with a chance in proportion to the squared distance
    /// (k-means++): among copies it finds clusters that [`Start::Rows`] misses.
    #[default]
    Spread,
}

impl KMeansOptions {
    /// The defaults for this many clusters: 5 starts, 500 iterations, 256 rows per cluster, seed 0.
    pub fn new(clusters: usize) -> Self {
        Self {
            clusters,
            redos: 5,
            iterations: 500,
            rows_per_cluster: Some(256),
            start: Start::Spread,
            seed: 0,
        }
    }
}

/// Rows in clusters.
#[derive(Clone, Debug, PartialEq)]
pub struct KMeans {
    /// Per row: its cluster, that of the nearest center; the lower index on ties. Equal rows share one.
    pub labels: Vec<u32>,
    /// One center per cluster. Where distinct rows are fewer than clusters, the last ones are empty.
    pub centers: Matrix,
    /// Sum over all rows of the squared distance to the center.
    pub inertia: f64,
    /// Iterations of the start that was kept.
    pub iterations: usize,
}

/// Clusters `rows`; the same for any number of threads.
///
/// # Errors
///
/// [`MetricError::Clusters`] for no clusters or more than rows.
///
/// # Cost and sources
///
/// `O(n clusters d)` per iteration, in matrix products over distinct rows, and less as centers come to
/// rest: rows whose own center stood still are held against those that moved. Lloyd 1982; starts:
/// Arthur & Vassilvitskii 2007.
pub fn kmeans(rows: &Matrix, options: &KMeansOptions) -> Result<KMeans, MetricError> {
    let (n, clusters) = (rows.rows(), options.clusters);
    if clusters == 0 || clusters > n {
        return Err(MetricError::Clusters { clusters, n });
    }
    let limit = options.rows_per_cluster.map_or(n, |each| each.max(1).saturating_mul(clusters));
    let all = Rows::alone(rows);
    let mut rng = rng::named(options.seed, "k-means rows");
    let chosen = (n > limit).then(|| {
        let mut order: Vec<usize> = (0..n).collect();
        rng::shuffle(&mut rng, &mut order);
        order.truncate(limit);
        order.sort_unstable();
        rows.select(&order)
    });
    let part = chosen.as_ref().map(|chosen| all.like(chosen));
    let training = part.as_ref().unwrap_or(&all);

    let starts = (0..options.redos.max(1)).map(|redo| {
        let mut rng = rng::named(options.seed, &format!("k-means start {redo}"));
        let mut run = Run::start(training, options, &mut rng);
        run.iterate(options.iterations.clamp(1, TRIAL));
        run
    });
    let best = starts.reduce(|best, run| if run.inertia < best.inertia { run } else { best });
    let Some(mut best) = best else {
        return Err(MetricError::Clusters { clusters, n });
    };
    best.iterate(options.iterations.saturating_sub(TRIAL));
    let d = rows.cols();
    let values: Vec<f64> =
        best.centers.chunks_exact(d).flat_map(|center| all.unscaled(center)).collect();
    let (labels, inertia) = if chosen.is_some() {
        let everyone: Vec<u32> = (0..all.len() as u32).collect();
        let labels = labels(&nearest(&all, &everyone, &best.centers));
        let inertia = inertia(&all, &labels, &best.centers);
        (labels, inertia)
    } else {
        (labels(&best.assigned), best.inertia)
    };
    Ok(KMeans {
        labels: all.distinct.spread(&labels),
        centers: Matrix::from_f64(d, &values)?,
        inertia,
        iterations: best.iterations,
    })
}

/// Iterations of a start before it is held against the others: what is left to gain is then less than
/// what starts differ by.
const TRIAL: usize = 10;

/// A center's index, and the scaled squared distance to it less the row's own square.
type Nearest = (u32, f32);

fn labels(assigned: &[Nearest]) -> Vec<u32> {
    assigned.iter().map(|&(label, _)| label).collect()
}

/// One start and what has become of it.
struct Run<'a> {
    rows: &'a Rows<'a>,
    centers: Vec<f32>,
    assigned: Vec<Nearest>,
    /// Per cluster: whether its center moved after the rows were assigned.
    moved: Vec<bool>,
    /// Per cluster: whether its center is not the mean of the rows that are assigned to it.
    displaced: Vec<bool>,
    inertia: f64,
    iterations: usize,
}

impl<'a> Run<'a> {
    fn start(
        rows: &'a Rows<'a>,
        options: &KMeansOptions,
        rng: &mut rand_chacha::ChaCha8Rng,
    ) -> Self {
        let wanted = options.clusters.min(rows.len());
        let first = match options.start {
            Start::Rows => {
                let mut order: Vec<usize> = (0..rows.len()).collect();
                rng::shuffle(rng, &mut order);
                order.truncate(wanted);
                order
            }
            Start::Spread => spread(rows, wanted, rng),
        };
        let mut centers: Vec<f32> = first.iter().flat_map(|&i| rows.shifted(i)).copied().collect();
        // Clusters beyond the distinct rows repeat the first center, which takes every row before them.
        let repeated = centers[..rows.cols()].repeat(options.clusters - wanted);
        centers.extend(repeated);
        Self {
            rows,
            centers,
            assigned: Vec::new(),
            moved: vec![true; options.clusters],
            displaced: vec![true; options.clusters],
            inertia: f64::INFINITY,
            iterations: 0,
        }
    }

    /// Assigns and moves in turn until assignments stand still.
    fn iterate(&mut self, most: usize) {
        for _ in 0..most {
            let assigned = self.assign();
            for (new, old) in assigned.iter().zip(&self.assigned) {
                if new.0 != old.0 {
                    self.displaced[new.0 as usize] = true;
                    self.displaced[old.0 as usize] = true;
                }
            }
            let still = self.iterations > 0
                && assigned.iter().zip(&self.assigned).all(|(new, old)| new.0 == old.0);
            self.assigned = assigned;
            if still {
                break;
            }
            self.iterations += 1;
            self.move_centers();
        }
        self.inertia = inertia(self.rows, &labels(&self.assigned), &self.centers);
    }

    /// The nearest center of every row. A row whose center stood still is held against those that moved.
    fn assign(&self) -> Vec<Nearest> {
        let (rows, d) = (self.rows, self.rows.cols());
        let everyone = 0..rows.len() as u32;
        let moved: Vec<u32> = (0u32..)
            .zip(&self.moved)
            .filter_map(|(center, &moved)| moved.then_some(center))
            .collect();
        if self.assigned.is_empty() || 2 * moved.len() > self.moved.len() {
            return nearest(rows, &everyone.collect::<Vec<_>>(), &self.centers);
        }
        let (again, kept): (Vec<u32>, Vec<u32>) =
            everyone.partition(|&i| self.moved[self.assigned[i as usize].0 as usize]);
        let mut assigned = self.assigned.clone();
        for (i, near) in again.iter().zip(nearest(rows, &again, &self.centers)) {
            assigned[*i as usize] = near;
        }
        let centers: Vec<f32> =
            moved.iter().flat_map(|&c| &self.centers[c as usize * d..][..d]).copied().collect();
        for (i, (at, value)) in kept.iter().zip(nearest(rows, &kept, &centers)) {
            let (label, own) = &mut assigned[*i as usize];
            let other = moved.get(at as usize).copied().unwrap_or(u32::MAX);
            if value < *own || (value == *own && other < *label) {
                (*label, *own) = (other, value);
            }
        }
        assigned
    }

    /// Moves every center to the mean of its rows; one without rows takes the row that is farthest from
    /// its own center, of those in clusters of several distinct rows.
    fn move_centers(&mut self) {
        let (rows, d) = (self.rows, self.rows.cols());
        let clusters = self.moved.len();
        let mut sizes = vec![0u64; clusters];
        let mut members = vec![0u32; clusters];
        for (&(label, _), &copies) in self.assigned.iter().zip(&rows.distinct.copies) {
            sizes[label as usize] += u64::from(copies);
            members[label as usize] += 1;
        }
        let mut empty: Vec<usize> = (0..clusters).rev().filter(|&c| sizes[c] == 0).collect();
        if !empty.is_empty() {
            self.displaced.fill(true);
        }
        let mut sums = vec![0.0f64; clusters * d];
        for (i, &(label, _)) in self.assigned.iter().enumerate() {
            if self.displaced[label as usize] {
                let copies = f64::from(rows.distinct.copies[i]);
                add_scaled(&mut sums[label as usize * d..][..d], rows.shifted(i), copies);
            }
        }
        let displaced = std::mem::replace(&mut self.displaced, vec![false; clusters]);
        if !empty.is_empty() {
            let square =
                |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() as f32;
            let off: Vec<f32> =
                (0..rows.len()).map(|i| self.assigned[i].1 + square(rows.shifted(i))).collect();
            let mut far: Vec<usize> = (0..rows.len()).collect();
            far.sort_by(|&i, &j| off[j].total_cmp(&off[i]));
            for i in far {
                let label = self.assigned[i].0 as usize;
                if members[label] < 2 {
                    continue;
                }
                let Some(cluster) = empty.pop() else { break };
                let copies = rows.distinct.copies[i];
                for (j, &x) in rows.shifted(i).iter().enumerate() {
                    sums[label * d + j] -= f64::from(copies) * f64::from(x);
                    sums[cluster * d + j] = f64::from(copies) * f64::from(x);
                }
                sizes[label] -= u64::from(copies);
                members[label] -= 1;
                (sizes[cluster], members[cluster]) = (u64::from(copies), 1);
                (self.displaced[label], self.displaced[cluster]) = (true, true);
            }
        }
        let centers = self.centers.chunks_exact_mut(d).zip(sums.chunks_exact(d)).zip(&sizes);
        for (c, ((center, sum), &size)) in centers.enumerate() {
            self.moved[c] = false;
            if size > 0 && displaced[c] {
                for (x, sum) in center.iter_mut().zip(sum) {
                    let mean = (sum / size as f64) as f32;
                    self.moved[c] |= mean != *x;
                    *x = mean;
                }
            }
        }
    }
}

/// k-means++: each next row with a chance in proportion to its squared distance from those chosen.
fn spread(rows: &Rows, wanted: usize, rng: &mut rand_chacha::ChaCha8Rng) -> Vec<usize> {
    const BLOCK: usize = 1024;
    let (d, copies) = (rows.cols(), &rows.distinct.copies);
    let mut weights: Vec<f64> = copies.iter().map(|&copies| f64::from(copies)).collect();
    let mut nearest = vec![f32::INFINITY; rows.len()];
    let mut chosen = Vec::with_capacity(wanted);
    while chosen.len() < wanted {
        let total: f64 = weights.iter().sum();
        let mut left = rng::next_unit(rng) * total;
        let drawn = weights.iter().position(|&weight| {
            left -= weight;
            left < 0.0
        });
        let pick = drawn.or_else(|| weights.iter().rposition(|&weight| weight > 0.0));
        let Some(pick) = pick.or_else(|| (0..rows.len()).find(|i| !chosen.contains(i))) else {
            break;
        };
        chosen.push(pick);
        let point = rows.shifted(pick);
        let blocks = nearest.par_chunks_mut(BLOCK).zip(weights.par_chunks_mut(BLOCK));
        let values = rows.all_shifted().par_chunks(BLOCK * d).zip(copies.par_chunks(BLOCK));
        blocks.zip(values).for_each(|((nearest, weights), (values, copies))| {
            nearer(values, d, point, nearest);
            for ((weight, &copies), &nearest) in weights.iter_mut().zip(copies).zip(&*nearest) {
                *weight = f64::from(copies) * f64::from(nearest);
            }
        });
    }
    chosen
}

/// The nearest of `centers` to each of the distinct rows `which`, which ascend; the lower index on ties.
fn nearest(rows: &Rows, which: &[u32], centers: &[f32]) -> Vec<Nearest> {
    const BLOCK: usize = 256;
    let d = rows.cols();
    let square = |row: &[f32]| row.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() as f32;
    let norms: Vec<f32> = centers.chunks_exact(d).map(square).collect();
    if norms.is_empty() {
        return vec![(u32::MAX, f32::INFINITY); which.len()];
    }
    let of_block = |which: &[u32]| {
        let (first, last) = (which[0] as usize, which[which.len() - 1] as usize);
        let mut gathered = Vec::new();
        let block = if last - first + 1 == which.len() {
            &rows.all_shifted()[first * d..(last + 1) * d]
        } else {
            which.iter().for_each(|&i| gathered.extend_from_slice(rows.shifted(i as usize)));
            &gathered
        };
        let mut products = vec![0.0; which.len() * norms.len()];
        rows_by_rows(block, centers, d, -2.0, &mut products);
        let least = products.chunks_exact(norms.len()).map(|row| least_sum(row, &norms));
        least.collect::<Vec<_>>()
    };
    which.par_chunks(BLOCK).flat_map_iter(of_block).collect()
}

/// Sum of squared distances in `f64`, in row order, in units of the rows as given.
fn inertia(rows: &Rows, labels: &[u32], centers: &[f32]) -> f64 {
    let d = rows.cols();
    let squared: Vec<f64> = labels
        .par_iter()
        .enumerate()
        .map(|(i, &label)| {
            let center = &centers[label as usize * d..(label as usize + 1) * d];
            let pairs = rows.shifted(i).iter().zip(center);
            pairs.map(|(&x, &c)| (f64::from(x) - f64::from(c)).powi(2)).sum()
        })
        .collect();
    let copies = &rows.distinct.copies;
    let total = squared.iter().zip(copies).map(|(squared, &copies)| squared * f64::from(copies));
    total.sum::<f64>() * rows.unit()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(xs: &[f32]) -> Matrix {
        Matrix::new(1, xs.to_vec()).unwrap()
    }

    #[test]
    fn separate_groups_are_found_with_their_means() {
        let rows = line(&[0.0, 100.0, 1.0, 101.0, 50.0, 2.0]);
        for start in [Start::Rows, Start::Spread] {
            let options = KMeansOptions { start, ..KMeansOptions::new(3) };
            let found = kmeans(&rows, &options).unwrap();
            let l = &found.labels;
            assert!(l[0] == l[2] && l[2] == l[5] && l[1] == l[3] && l[0] != l[1] && l[4] != l[0]);
            assert!((found.inertia - 2.5).abs() < 1e-6, "{found:?}");
            assert!((found.centers.row(l[0] as usize)[0] - 1.0).abs() < 1e-5, "{found:?}");
        }
    }

    #[test]
    fn equal_rows_share_a_cluster_even_where_clusters_are_plenty() {
        let found = kmeans(&line(&[3.0, 3.0, 3.0, 7.0, 7.0]), &KMeansOptions::new(4)).unwrap();
        assert!(found.labels[..3].iter().all(|&label| label == found.labels[0]));
        assert_ne!(found.labels[0], found.labels[3]);
        assert_eq!(found.inertia, 0.0);
        assert_eq!(kmeans(&line(&[5.0; 4]), &KMeansOptions::new(2)).unwrap().labels, [0; 4]);
    }

    #[test]
    fn a_seed_decides_and_training_rows_may_be_fewer() {
        let rows = line(&(0..400).map(|i| (i * i % 1009) as f32).collect::<Vec<_>>());
        let options = KMeansOptions { rows_per_cluster: Some(20), ..KMeansOptions::new(5) };
        let found = kmeans(&rows, &options).unwrap();
        assert_eq!(found, kmeans(&rows, &options).unwrap());
        assert_eq!(found.labels.len(), 400);
        let other = KMeansOptions { seed: 1, ..options };
        assert_ne!(found.centers, kmeans(&rows, &other).unwrap().centers);
    }

    #[test] // the definition: every center against every row, from one start
    fn rows_held_against_moved_centers_alone_end_where_all_comparisons_would() {
        let mut rng = rng::named(9, "k-means rows");
        let values = (0..6 * 900).map(|_| rng::next_below(&mut rng, 50) as f32).collect();
        let matrix = Matrix::new(6, values).unwrap();
        let rows = Rows::alone(&matrix);
        let options = KMeansOptions::new(40);
        let everyone: Vec<u32> = (0..rows.len() as u32).collect();
        let fresh = || Run::start(&rows, &options, &mut rng::named(0, "k-means start"));
        let (mut quick, mut plain) = (fresh(), fresh());
        quick.iterate(500);
        for _ in 0..quick.iterations {
            plain.assigned = nearest(&rows, &everyone, &plain.centers);
            plain.displaced.fill(true);
            plain.move_centers();
        }
        assert!(quick.iterations > 5, "{} iterations", quick.iterations);
        assert_eq!(quick.centers, plain.centers);
        assert_eq!(labels(&quick.assigned), labels(&nearest(&rows, &everyone, &plain.centers)));
    }

    #[test]
    fn clusters_are_at_most_as_many_as_rows() {
        let error = kmeans(&line(&[1.0]), &KMeansOptions::new(2)).unwrap_err();
        assert_eq!(error.to_string(), "2 clusters were asked for; 1 rows have 1 to 1");
    }
}
