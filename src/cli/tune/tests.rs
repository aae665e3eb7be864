use super::*;
use crate::{report::record::tests::turned, score::record::Estimate};

/// A cell whose precision is `value`, from `low` on, and its recall.
fn measured(value: f64, low: Option<f64>, recall: f64) -> CellResult {
    let mut cell = turned().cells.remove(0);
    let precision = Estimate { low, high: low.map(|_| 1.0), ..Estimate::bare(value) };
    cell.score.metrics.insert("precision".into(), precision);
    cell.score.metrics.insert("recall".into(), Estimate::bare(recall));
    cell
}

#[test]
fn a_requirement_is_kept_by_the_whole_interval_where_there_is_one() {
    let bound: Requirement = "precision>=0.9".parse().unwrap();
    let wide = measured(0.92, Some(0.85), 0.9);
    assert!(keeps(&wide, &bound, By::Value) && !keeps(&wide, &bound, By::Interval));
    let narrow = measured(0.92, Some(0.91), 0.5);
    assert!(keeps(&narrow, &bound, By::Interval));
    let bare = measured(0.92, None, 0.5);
    assert!(keeps(&bare, &bound, By::Interval));
    let below: Requirement = "precision<=0.95".parse().unwrap();
    assert!(keeps(&narrow, &below, By::Value) && !keeps(&narrow, &below, By::Interval));
}

#[test]
fn what_the_whole_interval_costs_is_said_with_the_way_back() {
    let cells = [measured(0.92, Some(0.85), 0.9), measured(0.95, Some(0.91), 0.5)];
    let args = crate::cli::flags::parse::<Args>(
        "tune",
        &["run", "--require", "precision>=0.9"].map(str::to_owned),
    );
    let args = args.unwrap();
    let by_value = [(0.9, &cells[0]), (0.5, &cells[1])];
    let said = given_up(&by_value[1..], &by_value, &args);
    assert!(said.starts_with("1 more cell keeps the requirements by precision alone"), "{said}");
    assert!(said.contains("reaches 0.9000 (tiny T=0.7") && said.contains("--by value"), "{said}");
    assert_eq!(given_up(&by_value, &by_value, &args), "");
    let results = Results { cells: cells.to_vec(), ..turned() };
    let none = nearest_miss(&results, &args, &by_value[..1]);
    assert!(none.contains("1 does by the values alone, the best of them tiny T=0.7"), "{none}");
}

#[test]
fn an_exact_value_that_breaks_what_the_estimate_keeps_is_said() {
    let mut cell = measured(0.97, Some(0.93), 0.5);
    cell.truth.insert("precision".into(), Estimate::bare(0.85));
    let bound: Requirement = "precision>=0.9".parse().unwrap();
    assert_eq!(breaks_exactly(&cell, &bound), Some(0.85));
    let args = ["run", "--require", "precision>=0.9"].map(str::to_owned);
    let args = crate::cli::flags::parse::<Args>("tune", &args).unwrap();
    let table = table(&[(0.5, &cell)], &args, Path::new("run"), 1);
    assert!(table.contains("precision 0.9700  0.9300 … 1.0000, exactly 0.8500"), "{table}");
    assert!(
        table.contains("precision is exactly 0.8500: the estimate keeps 0.9000 by its bias"),
        "{table}"
    );
}

#[test]
fn requirements_and_goals_are_read_or_refused_with_a_sentence() {
    let read: Requirement = "precision >= 0.6".parse().unwrap();
    assert_eq!(read, Requirement { measure: "precision".into(), at_least: true, bound: 0.6 });
    assert!("kl<=1".parse::<Requirement>().is_ok());
    let refused = "precision=0.6".parse::<Requirement>().unwrap_err().to_string();
    assert!(refused.contains("precision>=0.6"), "{refused}");
    assert_eq!("f:2".parse(), Ok(Goal::F(2.0)));
    assert!("f:zero".parse::<Goal>().is_err());
}
