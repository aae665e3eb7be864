//! Times one measure on two feature files: `clouds prdc|support|pca|mauve|vendi|FAMILIES P.npy Q.npy`,
//! where `FAMILIES` is what `llmpr score --metrics` takes: the whole score of these, intervals included.
//!
//! Prints one JSON object: the values, the seconds of the computation alone by the clock and of the
//! processors, and the most memory the process held (the last two where `/proc` says).

use serde_json::{Value, json};
use std::time::Instant;

use llmpr::{
    cloud::{
        Clouds,
        kmeans::{KMeansOptions, kmeans},
        neighbors::Ties,
        pca::{Keep, Pca},
    },
    data::{rows::UnitRows, sides::Sides},
    metric::{
        frontier::{Settings, auto_clusters, mauve},
        prdc::prdc,
        support::{SupportOptions, support},
        vendi::vendi,
    },
    npy::read_features,
    score::{ScoreOptions, score},
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [measure, p, q] = args.as_slice() else {
        return Err("usage: clouds prdc|support-family|pca|mauve|vendi|FAMILIES P.npy Q.npy".into());
    };
    let sets = Sides { reference: p, model: q }.try_join(|path| read_features(path))?;
    let clouds = Clouds::new(sets.as_ref())?;
    let (start, cpu) = (Instant::now(), cpu_seconds());
    let values: Value = match measure.as_str() {
        "prdc" => {
            let got = prdc(clouds, 5, Ties::Strict)?;
            json!({
                "precision": got.precision, "recall": got.recall,
                "density": got.density, "coverage": got.coverage,
            })
        }
        "support-family" => {
            let got = support(clouds, &SupportOptions::default())?;
            json!({ "precision": got.prdc[0].precision, "recall": got.prdc[0].recall })
        }
        "pca" => {
            let rows = sets.as_ref().map(UnitRows::of);
            let pca = Pca::fit(&[&rows.model, &rows.reference], Keep::Share(0.9))?;
            json!({ "components": pca.components(), "fit": start.elapsed().as_secs_f64() })
        }
        "mauve" => {
            let rows = sets.as_ref().map(UnitRows::of);
            let pca = Pca::fit(&[&rows.model, &rows.reference], Keep::Share(0.9))?;
            let reduced = pca.project_all(&[&rows.model, &rows.reference])?;
            let reduction = start.elapsed().as_secs_f64();
            let (n, m) = (sets.reference.rows(), sets.model.rows());
            let clusters = auto_clusters(n, m);
            let found = kmeans(&reduced, &KMeansOptions::new(clusters))?;
            let count = |labels: &[u32]| {
                let mut counts = vec![0u64; clusters];
                labels.iter().for_each(|&label| counts[label as usize] += 1);
                counts
            };
            let counts =
                Sides { reference: count(&found.labels[m..]), model: count(&found.labels[..m]) };
            let scores = mauve(counts.as_ref().map(Vec::as_slice), &Settings::default())?;
            json!({
                "mauve": scores.mauve, "components": pca.components(), "clusters": clusters, "inertia": found.inertia,
                "reduction": reduction, "clustering": start.elapsed().as_secs_f64() - reduction,
            })
        }
        "vendi" => json!({ "vendi": vendi(clouds.model(), &[1.0])?[0] }),
        families => {
            let options = ScoreOptions { metrics: families.parse()?, ..ScoreOptions::default() };
            let got = score(sets.as_ref(), None, None, &options)?;
            json!({ "signature": got.signature, "metrics": got.metrics })
        }
    };
    let seconds = start.elapsed().as_secs_f64();
    let cpu = cpu_seconds().zip(cpu).map(|(end, start)| end - start);
    let report =
        json!({ "values": values, "seconds": seconds, "cpu": cpu, "peak_mib": peak_mib() });
    println!("{report}");
    Ok(())
}

/// Processor seconds of all threads, to a hundredth.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

/// The most memory this process held, in MiB.
fn peak_mib() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}
