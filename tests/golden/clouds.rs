//! Measures of two clouds of features.

use super::case::{Case, cases};

use llmpr::{
    cloud::{
        Clouds,
        neighbors::Ties,
        pca::{Keep, Pca},
    },
    data::{
        matrix::Matrix,
        sides::{Side, Sides},
    },
    metric::prdc::{Prdc, prdc_at},
};

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

/// The papers' reduction: L2, joint PCA, 90 % of the variance.
pub fn reduced(case: &Case) -> (Pca, Sides<Matrix>) {
    let sets = case.sets.as_ref().map(Matrix::l2_normalized);
    let pca = Pca::fit(&[&sets.model, &sets.reference], Keep::Share(0.9)).unwrap();
    let projected = sets.as_ref().map(|rows| pca.project(rows).unwrap());
    (pca, projected)
}

#[test]
fn prdc_of_the_reduced_features_equals_exact_arithmetic() {
    for case in cases() {
        let (_, projected) = reduced(&case);
        check_prdc(&case, "knn_pca", Clouds::new(projected.as_ref()).unwrap());
    }
}

fn distance(x: impl Iterator<Item = f64>, y: impl Iterator<Item = f64>) -> f64 {
    x.zip(y).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

#[test]
fn pca_keeps_the_same_components_and_distances() {
    for case in cases() {
        let (pca, projected) = reduced(&case);
        let close = |pointer: &str, got: f64| {
            let tolerance = 1e-9 * case.number(&format!("/pca/{pointer}")).abs();
            case.check(&format!("/pca/{pointer}"), got, tolerance);
        };
        assert_eq!(pca.components() as f64, case.number("/pca/n_components_090"), "{}", case.name);
        close("cumulative_at", pca.explained());
        close("total_variance", pca.total_variance());
        let ratios = pca.explained_ratios();
        let count = case.get("/pca/explained_variance_ratio").unwrap().as_array().unwrap().len();
        for (i, &ratio) in ratios.iter().enumerate().take(count) {
            // Variances beyond the rank are rounding noise.
            let tolerance =
                1e-9 * case.number(&format!("/pca/explained_variance_ratio/{i}")) + 1e-15;
            case.check(&format!("/pca/explained_variance_ratio/{i}"), ratio, tolerance);
        }
        for i in 0..case.get("/pca/first_eigenvalues").unwrap().as_array().unwrap().len() {
            close(&format!("first_eigenvalues/{i}"), pca.variances()[i]);
        }
        for (name, side) in [("p", Side::Reference), ("q", Side::Model)] {
            let rows = projected.get(side);
            let all = (0..rows.rows()).flat_map(|i| rows.row_f64(i));
            close(&format!("projected_sum_sq_{name}"), all.map(|x| x * x).sum());
        }
        for at in 0..8 {
            let pair = format!("/pca/projected_pq_distances/{at}");
            let [i, j] = ["i", "j"].map(|name| case.number(&format!("{pair}/{name}")) as usize);
            let got = distance(projected.reference.row_f64(i), projected.model.row_f64(j));
            close(&format!("projected_pq_distances/{at}/d"), got);
        }
        let joint = case.sets.as_ref().map(Matrix::l2_normalized);
        for share in ["0.5", "0.8", "0.9", "0.95", "0.99"] {
            let keep = Keep::Share(share.parse().unwrap());
            let kept = Pca::fit(&[&joint.model, &joint.reference], keep).unwrap().components();
            let pointer = format!("/pca/n_components/{share}");
            assert_eq!(kept as f64, case.number(&pointer), "{}{pointer}", case.name);
        }
    }
}
