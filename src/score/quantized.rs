//! The two sets as counts over bins.

use super::{ScoreError, calibrate::Subsample, estimate::mean, family::Rows};
use crate::{
    data::sides::Sides,
    metric::{
        histogram::{self, HistogramError},
        spec::Measured,
    },
};

/// One assignment of the rows of both sets to bins.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    /// The bin of each row.
    labels: Sides<Vec<u32>>,
    /// Rows per bin, empty bins included.
    counts: Sides<Vec<u64>>,
}

impl Partition {
    /// The rows with these labels, all below `bins`.
    ///
    /// # Errors
    ///
    /// [`HistogramError::Label`].
    pub fn new(labels: Sides<Vec<u32>>, bins: usize) -> Result<Self, HistogramError> {
        let counts = histogram::counts(labels.as_ref().map(Vec::as_slice), bins)?;
        Ok(Self { labels, counts })
    }

    /// Counts without rows: they have values, and nothing can be drawn from them.
    pub fn counted(counts: Sides<&[u64]>) -> Self {
        let labels = Sides { reference: Vec::new(), model: Vec::new() };
        Self { labels, counts: counts.map(<[u64]>::to_vec) }
    }

    /// The rows that `counts` stand for, bin after bin.
    pub fn of_counts(counts: Sides<&[u64]>) -> Self {
        let labels = counts.map(|counts| {
            let bin =
                |(bin, &count): (usize, &u64)| std::iter::repeat_n(bin as u32, count as usize);
            counts.iter().enumerate().flat_map(bin).collect()
        });
        Self { labels, counts: counts.map(<[u64]>::to_vec) }
    }

    /// The partition as the first `at` rows of the model and as the others see it.
    ///
    /// # Errors
    ///
    /// Those of [`Self::new`].
    fn split_model(&self, at: usize) -> Result<[Self; 2], HistogramError> {
        let bins = self.counts.reference.len();
        let (first, second) = self.labels.model.split_at(at);
        let part = |model: &[u32]| {
            let reference = self.labels.reference.clone();
            Self::new(Sides { reference, model: model.to_vec() }, bins)
        };
        Ok([part(first)?, part(second)?])
    }

    /// The counts of some rows alone; `rows` index the reference's rows followed by the model's.
    fn select(&self, rows: Sides<&[usize]>) -> Self {
        let Sides { reference, model } = &self.labels;
        let counts = rows.map(|rows| {
            let mut counts = vec![0u64; self.counts.reference.len()];
            for &row in rows {
                let label = match row.checked_sub(reference.len()) {
                    None => reference[row],
                    Some(row) => model[row],
                };
                counts[label as usize] += 1;
            }
            counts
        });
        Self { labels: Sides { reference: Vec::new(), model: Vec::new() }, counts }
    }
}

/// Several assignments of the same rows, over which values are averaged.
#[derive(Clone, Debug)]
pub(super) struct Partitions(pub Vec<Partition>);

impl Partitions {
    /// The counts of each.
    pub fn counts(&self) -> impl Iterator<Item = Sides<&[u64]>> {
        self.0.iter().map(|partition| partition.counts.as_ref().map(Vec::as_slice))
    }

    /// The mean over the assignments of the values that `of` gives for the counts of one.
    ///
    /// # Errors
    ///
    /// Those of `of`.
    pub fn mean(
        &self,
        of: impl FnMut(Sides<&[u64]>) -> Result<Vec<Measured>, HistogramError>,
    ) -> Result<Vec<Measured>, ScoreError> {
        let values: Result<Vec<Vec<Measured>>, HistogramError> = self.counts().map(of).collect();
        Ok(mean(&values?))
    }
}

impl Partitions {
    /// The partitions as the first `at` rows of the model and as the others see them.
    ///
    /// # Errors
    ///
    /// Those of [`Partition::new`].
    pub fn split_model(&self, at: usize) -> Result<[Self; 2], HistogramError> {
        let split = self.0.iter().map(|partition| partition.split_model(at));
        let pairs = split.collect::<Result<Vec<[Partition; 2]>, _>>()?;
        let (first, second) = pairs.into_iter().map(|[first, second]| (first, second)).unzip();
        Ok([Self(first), Self(second)])
    }
}

impl Rows for Partitions {
    const EXCHANGED: bool = true;

    fn sizes(&self) -> Sides<usize> {
        let none = Sides { reference: 0, model: 0 };
        self.0.first().map_or(none, |partition| partition.labels.as_ref().map(Vec::len))
    }

    fn select(&self, rows: &Sides<Vec<usize>>) -> Self {
        let rows = rows.as_ref().map(Vec::as_slice);
        Self(self.0.iter().map(|partition| partition.select(rows)).collect())
    }

    fn variance_factor(&self, _at: Subsample) -> f64 {
        // That of halves, to one row in n.
        1.0
    }

    fn views(&self) -> Vec<Self> {
        if self.0.len() < 2 {
            return Vec::new();
        }
        self.0.iter().map(|partition| Self(vec![partition.clone()])).collect()
    }
}
