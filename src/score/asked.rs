//! Lists of measures and families as people write them.

use std::str::FromStr;

use super::{
    catalog,
    metrics::{Metrics, Named},
    options::OptionsError,
};
use crate::metric::spec::{Family, Measured, Parameter};

impl Named {
    /// The measure behind `key`, such as `precision`, `alpha` or `alpha@2`.
    fn of(key: &str) -> Option<Self> {
        let (spec, at) = catalog::spec(key)?;
        let exists = match (spec.parameter, at) {
            // What a reading of the reference gives has a flag of its own.
            (Some(Parameter::Temperature), _) => false,
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(Parameter::Slope), Some(slope)) => slope > 0.0 && slope.is_finite(),
            (Some(Parameter::Order), Some(order)) => catalog::orders(spec).contains(&order),
        };
        exists.then_some(Self { spec, at })
    }
}

impl Metrics {
    /// All measures of `families`.
    ///
    /// # Errors
    ///
    /// [`OptionsError::NoMeasure`] when there is no family.
    pub fn new(families: &[Family]) -> Result<Self, OptionsError> {
        Self::of(families, Vec::new()).ok_or(OptionsError::NoMeasure)
    }

    /// Whether the value under a key such as `precision` or `alpha@2` is asked for.
    pub fn keeps_key(&self, key: &str) -> bool {
        let known = catalog::spec(key);
        known.is_some_and(|(spec, at)| self.keeps(&Measured { spec, at, value: 0.0 }))
    }

    /// The measures behind keys of a record; `None` where none of them is known.
    pub fn of_keys<'a>(keys: impl Iterator<Item = &'a str>) -> Option<Self> {
        Self::of(&[], keys.filter_map(Named::of).collect())
    }
}

impl FromStr for Metrics {
    type Err = OptionsError;

    /// `support,mauve,alpha@2`, or `all`.
    fn from_str(list: &str) -> Result<Self, OptionsError> {
        let (mut families, mut named) = (Vec::new(), Vec::new());
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let family = Family::NAMES.iter().position(|known| *known == name);
            match (family, Named::of(name)) {
                _ if name == "all" => families.extend(Family::ALL),
                (Some(at), _) => families.push(Family::ALL[at]),
                (None, Some(of)) => named.push(of),
                (None, None) => {
                    let (name, nearest) = (name.to_owned(), nearest(name));
                    return Err(OptionsError::UnknownMeasure { name, nearest });
                }
            }
        }
        named.sort_by_key(|named| catalog::place(named.spec));
        Self::of(&families, named).ok_or(OptionsError::NoMeasure)
    }
}

impl TryFrom<String> for Metrics {
    type Error = OptionsError;

    fn try_from(list: String) -> Result<Self, OptionsError> {
        list.parse()
    }
}

/// The names of measures and families that differ least from `name`, at most three: those with a parameter
/// with its place, as `renyi@order`.
fn nearest(name: &str) -> Vec<String> {
    const MOST: usize = 3;
    let bare = name.split('@').next().unwrap_or(name);
    let measures = specs_as_named().map(|(name, shown)| (edits(bare, name), shown));
    let families = Family::NAMES.map(|family| (edits(bare, family), family.to_owned()));
    let mut known: Vec<(usize, String)> = measures.chain(families).collect();
    known.sort_by_key(|&(edits, _)| edits);
    known.dedup();
    known.into_iter().take(MOST).map(|(_, shown)| shown).collect()
}

/// Every name, and how it is written with what may follow it.
fn specs_as_named() -> impl Iterator<Item = (&'static str, String)> {
    catalog::specs().map(|spec| match spec.parameter {
        None | Some(Parameter::Temperature) => (spec.name, spec.name.to_owned()),
        Some(Parameter::Slope) => (spec.name, format!("{}@λ", spec.name)),
        Some(Parameter::Order) => {
            let orders: Vec<String> = catalog::orders(spec).iter().map(f64::to_string).collect();
            (spec.name, format!("{}@{}", spec.name, orders.join("|")))
        }
    })
}

/// Letters that are added, left out, exchanged for another or for their neighbor, at least, from `a` to `b`.
fn edits(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut above: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let exchanged = last[j - 1] + usize::from(!a[i - 1].eq_ignore_ascii_case(&b[j - 1]));
            let mut least = exchanged.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(above[j - 2] + 1);
            }
            row.push(least);
        }
        above = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{
        curve::ALPHA,
        frontier::MAUVE,
        prdc::{PRECISION, RECALL},
        vendi::VENDI_SCORE_OF_ORDER,
    };

    fn parse(list: &str) -> Metrics {
        list.parse().unwrap()
    }

    #[test]
    fn families_and_measures_are_listed_once_in_the_order_of_the_table() {
        assert_eq!(parse("curve, support,curve").to_string(), "support,curve");
        assert_eq!(parse("mauve,alpha@2,recall,mauve").to_string(), "recall,mauve,alpha@2");
        assert_eq!(parse("precision,support").to_string(), "support");
        assert_eq!(parse("all").to_string(), Family::NAMES.join(","));
        assert!(!Metrics::default().has(Family::Extra));
        for list in ["vendi_score@inf,renyi", "support,mauve", "distinct_1"] {
            assert_eq!(parse(&parse(list).to_string()), parse(list));
        }
    }

    #[test]
    fn a_measure_is_asked_for_alone_or_with_its_family() {
        let some = parse("precision,frontier,alpha@2");
        assert!(some.asks(&PRECISION) && some.asks(&MAUVE) && some.asks(&ALPHA));
        assert!(!some.asks(&RECALL) && !some.has(Family::Support));
        assert!(some.keeps(&ALPHA.at(2.0, 0.1)) && !some.keeps(&ALPHA.at(1.0, 0.1)));
        assert!(parse("alpha").keeps(&ALPHA.at(1.0, 0.1)));
        assert_eq!(some.slopes(&[1.0]), [1.0, 2.0]);
        assert!(!parse("diversity").asks(&VENDI_SCORE_OF_ORDER));
        assert!(parse("vendi_score@2").asks(&VENDI_SCORE_OF_ORDER));
        assert!(parse("all").asks(&VENDI_SCORE_OF_ORDER));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let error = |list: &str| list.parse::<Metrics>().unwrap_err().to_string();
        assert_eq!(
            error("support,precison"),
            "there is no measure or family `precison`; the nearest names are precision, p_precision, \
             recall"
        );
        assert!(
            error("vendi_score@3")
                .contains("nearest names are vendi_score, vendi_score@0.5|2|inf, ")
        );
        assert!(error("aplha@-1").contains("alpha@λ"), "{}", error("aplha@-1"));
        assert_eq!(",".parse::<Metrics>().unwrap_err(), OptionsError::NoMeasure);
    }

    #[test] // by hand
    fn edits_are_counted() {
        let pairs =
            [("", "abc", 3), ("recal", "recall", 1), ("reclal", "recall", 1), ("tv", "js", 2)];
        for (a, b, want) in pairs {
            assert_eq!((edits(a, b), edits(b, a)), (want, want), "{a} {b}");
        }
    }
}
