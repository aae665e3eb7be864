//! Results in the form of lm-evaluation-harness, for what reads, merges and shows its files.
//!
//! `results` holds a task for each score, and in it `measure,none` and `measure_stderr,none`. A standard error is
//! that of a normal distribution with the measure's 95 % interval, `(high − low) / (2 × 1.96)`, and `"N/A"` where
//! there is no interval; undefined values are left out. What the form has no place for (intervals, ceilings,
//! p-values, warnings, signatures) stands whole under the key `llmpr`.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::record::{CellResult, Results};
use crate::{
    decode::knobs,
    metric::spec::Better,
    score::{
        catalog,
        record::{Estimate, Score},
    },
};

/// Standard normal quantile of the 95 % interval's ends.
const Z: f64 = 1.959963984540054;

/// A task of the form.
struct Task {
    shots: usize,
    /// What its prompts are, where that is known.
    version: Value,
    hash: Option<String>,
    config: Value,
    n: usize,
    values: Map<String, Value>,
    better: Map<String, Value>,
    whole: Value,
}

/// One score, of the task and the model called so.
pub fn score(score: &Score, task: &str, model: &str) -> Value {
    let own = Task {
        shots: 0,
        version: json!(env!("CARGO_PKG_VERSION")),
        hash: None,
        config: json!({"task": task, "num_fewshot": 0, "repeats": 1}),
        n: score.samples.n,
        values: values(task, &score.metrics),
        better: better(score.metrics.keys()),
        whole: json!(score),
    };
    document([(task.to_owned(), own)].into(), model, Map::new())
}

/// The models of results, in the order of their cells.
pub fn models(results: &Results) -> Vec<&str> {
    let mut models: Vec<&str> = Vec::new();
    for cell in &results.cells {
        if !models.contains(&cell.cell.model.as_str()) {
            models.push(&cell.cell.model);
        }
    }
    models
}

/// The cells of one model: the form has one model a file. A cell is a task of its own, called by the task and, where
/// the model has several cells, its settings: `bio T=0.7 shots=2`.
pub fn results(results: &Results, model: &str) -> Value {
    let cells: Vec<&CellResult> = results.cells.iter().filter(|c| c.cell.model == model).collect();
    let mut tasks = IndexMap::new();
    for result in &cells {
        let cell = &result.cell;
        let label = cell.label();
        let settings = label.strip_prefix(model).unwrap_or(&label).trim();
        let name = match cells.len() {
            1 => cell.task.clone(),
            _ => format!("{} {settings}", cell.task),
        };
        let mut drawn = Map::new();
        drawn.insert("temperature".into(), json!(cell.decoding.temperature));
        for knob in knobs::optional() {
            if let Some(value) = knob.get(&cell.decoding) {
                drawn.insert(knob.column.into(), json!(value));
            }
        }
        drawn.insert("do_sample".into(), json!(cell.decoding.temperature > 0.0));
        drawn.insert("max_gen_toks".into(), json!(cell.max_new_tokens));
        drawn.insert("until".into(), json!(cell.stop));
        drawn.insert("seed".into(), json!(cell.seed));
        let mut values = values(&name, &result.score.metrics);
        let truth: IndexMap<String, Estimate> =
            result.truth.iter().map(|(name, e)| (format!("true_{name}"), e.clone())).collect();
        values.extend(self::values(&name, &truth).into_iter().skip(1));
        let task = Task {
            shots: cell.shots,
            version: json!(env!("CARGO_PKG_VERSION")),
            hash: Some(cell.task_hash.clone()),
            config: json!({
                "task": name,
                "output_type": "generate_until",
                "num_fewshot": cell.shots,
                "repeats": 1,
                "generation_kwargs": drawn,
            }),
            n: result.texts.n,
            values,
            better: better(result.score.metrics.keys()),
            whole: json!(result),
        };
        tasks.insert(name, task);
    }
    let mut facts = Map::new();
    if let Some(first) = cells.first() {
        facts.insert("device".into(), json!(first.cell.device));
        facts.insert("model_dtype".into(), json!(first.cell.dtype));
    }
    document(tasks, model, facts)
}

/// The name of the file of a model below a folder, as lm-eval would choose it but for the date, which would differ
/// from run to run.
pub fn file_name(model: &str) -> String {
    format!("{}/results_llmpr.json", sanitized(model))
}

fn document(tasks: IndexMap<String, Task>, model: &str, facts: Map<String, Value>) -> Value {
    let of = |value: &dyn Fn(&Task) -> Value| -> Value {
        tasks.iter().map(|(name, task)| (name.clone(), value(task))).collect::<Map<_, _>>().into()
    };
    let hashes: Map<String, Value> = tasks
        .iter()
        .filter_map(|(name, task)| Some((name.clone(), json!(task.hash.as_ref()?))))
        .collect();
    let mut config = json!({"model": "llmpr", "model_args": format!("pretrained={model}")});
    if let Value::Object(config) = &mut config {
        config.extend(facts);
    }
    json!({
        "results": of(&|task| json!(task.values)),
        "group_subtasks": of(&|_| json!([])),
        "configs": of(&|task| task.config.clone()),
        "versions": of(&|task| task.version.clone()),
        "n-shot": of(&|task| json!(task.shots)),
        "higher_is_better": of(&|task| json!(task.better)),
        "n-samples": of(&|task| json!({"original": task.n, "effective": task.n})),
        "config": config,
        "task_hashes": hashes,
        "model_source": "llmpr",
        "model_name": model,
        "model_name_sanitized": sanitized(model),
        "llmpr_version": env!("CARGO_PKG_VERSION"),
        "llmpr": of(&|task| task.whole.clone()),
    })
}

/// The alias, then every defined value with its standard error.
fn values(alias: &str, estimates: &IndexMap<String, Estimate>) -> Map<String, Value> {
    let mut values = Map::new();
    values.insert("alias".into(), json!(alias));
    for (name, estimate) in estimates.iter().filter(|(_, e)| !e.value.is_nan()) {
        let error = match (estimate.low, estimate.high) {
            (Some(low), Some(high)) if (high - low).is_finite() => json!((high - low) / (2.0 * Z)),
            _ => json!("N/A"),
        };
        // JSON has no infinity; a word is shown as it is.
        let value = match estimate.value {
            value if value.is_finite() => json!(value),
            value => json!(value.to_string()),
        };
        values.insert(format!("{name},none"), value);
        values.insert(format!("{name}_stderr,none"), error);
    }
    values
}

fn better<'a>(names: impl Iterator<Item = &'a String>) -> Map<String, Value> {
    let way = |name: &String| {
        let higher = match catalog::spec(name)?.0.better {
            Better::Higher => true,
            Better::Lower => false,
            Better::Neither => return None,
        };
        Some((name.clone(), json!(higher)))
    };
    names.filter_map(way).collect()
}

/// A model's name as lm-eval makes it a folder's.
fn sanitized(model: &str) -> String {
    let odd =
        |c: char| matches!(c, '"' | '<' | '>' | ':' | '/' | '|' | '\\' | '?' | '*' | '[' | ']');
    let (mut out, mut before) = (String::new(), false);
    for c in model.chars() {
        match odd(c) {
            true if before => {}
            true => out.push_str("__"),
            false => out.push(c),
        }
        before = odd(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::record::tests::{cell, result, turned};

    #[test]
    fn values_stand_where_the_harness_has_them() {
        let mut one = result(cell("org/tiny", 0.7)).score;
        let precision = Estimate { low: Some(0.5), high: Some(0.9), ..Estimate::bare(0.75) };
        one.metrics.insert("precision".to_owned(), precision);
        one.metrics.insert("kl".to_owned(), Estimate::bare(f64::INFINITY));
        one.metrics.insert("mauve".to_owned(), Estimate::bare(f64::NAN));
        one.metrics.insert("frechet_distance".to_owned(), Estimate::bare(2.0));
        let json = score(&one, "bio", "org/tiny");
        let values = &json["results"]["bio"];
        assert_eq!(values["precision,none"], 0.75);
        let error = values["precision_stderr,none"].as_f64().unwrap();
        assert!((error - 0.4 / 3.919927969).abs() < 1e-9, "{error}");
        assert_eq!((&values["kl,none"], &values["kl_stderr,none"]), (&json!("inf"), &json!("N/A")));
        assert!(values.get("mauve,none").is_none());
        // Of precision neither way is better: above its ceiling it is no good news.
        let better = json!({"kl": false, "mauve": true, "frechet_distance": false});
        assert_eq!(json["higher_is_better"]["bio"], better);
        assert_eq!(json["llmpr"]["bio"]["metrics"]["precision"]["high"], 0.9);
        assert_eq!(json["model_name_sanitized"], "org__tiny");
    }

    #[test]
    fn a_cell_is_a_task_of_its_model() {
        let mut all = turned();
        all.cells[0].truth.insert("recall".to_owned(), Estimate::bare(0.5));
        assert_eq!(models(&all), ["tiny"]);
        let json = results(&all, "tiny");
        let names: Vec<&String> = json["results"].as_object().unwrap().keys().collect();
        assert_eq!(names.len(), 2);
        assert_eq!(names[0], "wikipedia-bio T=0.7 shots=2 top-p=0.9 seed=3");
        assert_eq!(json["results"][names[0]]["true_recall,none"], 0.5);
        assert_eq!(json["results"][names[0]]["alias"], names[0].as_str());
        assert_eq!(json["n-shot"][names[0]], 2);
        assert_eq!(json["configs"][names[0]]["generation_kwargs"]["top_p"], 0.9);
        all.cells.truncate(1);
        let json = results(&all, "tiny");
        assert!(json["results"].get("wikipedia-bio").is_some());
        assert_eq!(
            file_name("openai:http://x/v1#a/b"),
            "openai__http__x__v1#a__b/results_llmpr.json"
        );
    }
}
