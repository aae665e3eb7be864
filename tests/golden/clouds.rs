//! Measures of two clouds of features.

use llmpr::metric::{
    Clouds,
    neighbors::Ties,
    prdc::{Prdc, prdc_at},
};

use super::case::{Case, cases};

const KS: [usize; 4] = [3, 4, 5, 10];

fn check_prdc(case: &Case, family: &str, clouds: Clouds<'_>) {
    for (ties, rule) in [(Ties::Strict, "exact_lt"), (Ties::Inclusive, "exact_le")] {
        for (k, got) in KS.iter().zip(prdc_at(clouds, &KS, ties).unwrap()) {
            let Prdc { precision, recall, density, coverage, .. } = got;
            let values = [
                ("precision", precision),
                ("recall", recall),
                ("density", density),
                ("coverage", coverage),
                ("comp_precision", got.comp_precision),
                ("sym_precision", got.sym_precision),
                ("sym_recall", got.sym_recall),
            ];
            for (name, value) in values {
                // Counts are exact; only the division may round.
                case.check(&format!("/{family}/{k}/{rule}/{name}"), value, 1e-12);
            }
        }
    }
}

#[test]
fn prdc_of_the_features_equals_exact_arithmetic() {
    for case in cases() {
        check_prdc(&case, "knn_raw", case.clouds());
    }
}
