//! Estimates in the order in which people read them.

use indexmap::IndexMap;

use super::{Metrics, catalog, estimate::Estimated, record::Estimate};
use crate::metric::spec::Spec;

/// Estimates as they are made, in any order.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Estimated>);

impl Table {
    /// Takes estimates in.
    pub fn extend(&mut self, found: impl IntoIterator<Item = Estimated>) {
        self.0.extend(found);
    }

    /// The estimate of `spec`, which has no parameter.
    pub fn get(&self, spec: &'static Spec) -> Option<&Estimate> {
        let wanted = spec.of(0.0);
        let found = self.0.iter().find(|estimated| estimated.measured.is_of(&wanted))?;
        Some(&found.estimate)
    }

    /// Those that are asked for by their keys, in the order of the catalog.
    pub fn metrics(mut self, asked: &Metrics) -> IndexMap<String, Estimate> {
        self.0.retain(|estimated| asked.keeps(&estimated.measured));
        self.0.sort_by_key(|estimated| catalog::place(estimated.measured.spec));
        self.0
            .into_iter()
            .map(|Estimated { measured, estimate }| (measured.key(), estimate))
            .collect()
    }
}
