//! Distributions with known answers, and the published sanity checks, measured on this machine.

mod closed;
mod panel;

/// What one check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The case, such as two Gaussians one standard deviation apart.
    pub case: &'static str,
    /// The measure.
    pub measure: String,
    /// What it gave.
    pub got: f64,
    /// What it should be.
    pub expected: f64,
    /// How far off it may be.
    pub allowed: f64,
}

impl Check {
    fn new(case: &'static str, measure: &str, got: f64, expected: f64, allowed: f64) -> Self {
        Self { case, measure: measure.to_owned(), got, expected, allowed }
    }

    /// Whether the value is as near as it has to be.
    pub fn passed(&self) -> bool {
        self.got == self.expected || (self.got - self.expected).abs() <= self.allowed
    }
}

/// Exact values: closed forms of curves, divergences, frontiers and nulls. Milliseconds.
pub fn closed_forms() -> Vec<Check> {
    closed::checks()
}

/// Published sanity checks on clouds of 2000 rows in 64 dimensions: modes that are dropped or invented,
/// spread, shift, collapse, outliers. Seconds.
///
/// The expected values are closed forms of equal distributions, or were measured once at these sizes
/// and rounded to two digits. The bounds are four standard deviations of the difference of two draws,
/// from 24 seeds.
///
/// # Errors
///
/// [`crate::cloud::MetricError`], which the cases do not provoke.
pub fn sanity_panel(seed: u64) -> Result<Vec<Check>, crate::cloud::MetricError> {
    panel::checks(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_closed_form_holds() {
        let failed: Vec<Check> = closed_forms().into_iter().filter(|c| !c.passed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn the_panel_behaves_as_published() {
        let failed: Vec<Check> =
            sanity_panel(1).unwrap().into_iter().filter(|c| !c.passed()).collect();
        assert!(failed.is_empty(), "{failed:#?}");
    }

    #[test]
    fn a_wrong_value_fails() {
        assert!(!Check::new("", "", 0.5, 0.6, 0.05).passed());
        assert!(!Check::new("", "", f64::NAN, 0.6, 0.05).passed());
        assert!(Check::new("", "", f64::INFINITY, f64::INFINITY, 0.0).passed());
    }
}
