//! Which measures are asked for: whole families, and single measures.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::metric::{
    frontier::{FRONTIER_INTEGRAL_20, MAUVE_20},
    ngram::NGRAM_VENDI,
    spec::{Family, Measured, Parameter, Spec},
    vendi::VENDI_SCORE_OF_ORDER,
};

/// What is measured: families of measures, and single measures by their names. A measure alone has the value
/// that it has in its family, with the same interval, ceiling and p-value; curves and the warnings about them
/// come with whole families.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Metrics {
    /// In the order of the table.
    families: Vec<Family>,
    /// Those of no family above, in the order of the table.
    named: Vec<Named>,
}

/// A measure that is asked for by its name: with all its parameters, or with one of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Named {
    pub spec: &'static Spec,
    pub at: Option<f64>,
}

impl Named {
    fn has(&self, spec: &Spec) -> bool {
        self.spec.name == spec.name && self.spec.parameter == spec.parameter
    }
}

impl Metrics {
    /// Those of `families` and `named`, each once; `None` where there is none.
    pub(super) fn of(families: &[Family], mut named: Vec<Named>) -> Option<Self> {
        let families: Vec<Family> =
            Family::ALL.into_iter().filter(|family| families.contains(family)).collect();
        if families.is_empty() && named.is_empty() {
            return None;
        }
        let whole = Self { families, named: Vec::new() };
        named.retain(|named| !whole.asks(named.spec));
        named.dedup();
        Some(Self { named, ..whole })
    }

    /// Whether the whole of `family` is asked for.
    pub fn has(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    /// Whether a measure is asked for, alone or with its family, at any of its parameters.
    pub fn asks(&self, spec: &Spec) -> bool {
        self.named.iter().any(|named| named.has(spec)) || self.has_family_of(spec)
    }

    /// Whether any of these measures is asked for.
    pub fn asks_any(&self, specs: &[&Spec]) -> bool {
        specs.iter().any(|spec| self.asks(spec))
    }

    /// Whether a value is of a measure, and at a parameter, that is asked for.
    pub fn keeps(&self, value: &Measured) -> bool {
        let of_value =
            |named: &Named| named.has(value.spec) && named.at.is_none_or(|at| value.at == Some(at));
        self.named.iter().any(of_value) || self.has_family_of(value.spec)
    }

    /// The measures that are asked for by name.
    pub fn by_name(&self) -> impl Iterator<Item = &'static Spec> {
        self.named.iter().map(|named| named.spec)
    }

    /// `lambdas` with the slopes that are asked for by name.
    pub(super) fn slopes(&self, lambdas: &[f64]) -> Vec<f64> {
        let mut slopes = lambdas.to_vec();
        let of_slopes = |named: &&Named| named.spec.parameter == Some(Parameter::Slope);
        for at in self.named.iter().filter(of_slopes).filter_map(|named| named.at) {
            if !slopes.contains(&at) {
                slopes.push(at);
            }
        }
        slopes
    }

    fn has_family_of(&self, spec: &Spec) -> bool {
        // Some measures of other families come with the extra one.
        let is = |other: &Spec| spec.name == other.name && spec.parameter == other.parameter;
        let further = is(&VENDI_SCORE_OF_ORDER) || is(&NGRAM_VENDI);
        self.has(spec.family) && (!further || self.has(Family::Extra))
    }

    /// Measures asked for by name that there are only over 20 clusters.
    pub(super) fn over_20(&self) -> Option<&'static str> {
        let over_20 = [MAUVE_20.name, FRONTIER_INTEGRAL_20.name];
        self.by_name().map(|spec| spec.name).find(|name| over_20.contains(name))
    }
}

impl Default for Metrics {
    /// Everything but [`Family::Extra`].
    fn default() -> Self {
        let families = Family::ALL.into_iter().filter(|&family| family != Family::Extra);
        Self { families: families.collect(), named: Vec::new() }
    }
}

impl fmt::Display for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let families = self.families.iter().map(|family| family.name().to_owned());
        let named = self.named.iter().map(|named| named.spec.key(named.at));
        f.write_str(&families.chain(named).collect::<Vec<String>>().join(","))
    }
}

impl From<Metrics> for String {
    fn from(metrics: Metrics) -> Self {
        metrics.to_string()
    }
}
