//! A run folder as a sweep leaves it, with scores of real clouds of points.

use indexmap::IndexMap;
use std::path::{Path, PathBuf};

use llmpr::{
    data::{matrix::Matrix, sides::Sides},
    decode::Decoding,
    npy::write_npy,
    report::record::{
        CELL_SCHEMA, CellRecord, CellResult, RESULT_SCHEMA, RESULTS_SCHEMA, Results, SampleRecord,
        TextFacts,
    },
    rng,
    run::{
        folder::{ModelRecord, RunFolder, Session, Shared},
        store::{make_folder, write_json, write_whole},
    },
    score::{
        Family, Metrics, Normalize, Reduce, ScoreOptions,
        record::{Curves, Estimate, FrontierCurve, PrCurve},
        score,
    },
    text::Text,
};

const N: usize = 80;
const PROMPTS: usize = 8;
const DIM: usize = 6;
const TEMPERATURES: [f64; 5] = [0.3, 0.6, 0.9, 1.2, 1.5];

/// Writes the run `name` with the models `model` and `model-chat`, whose clouds are `spread` times as
/// wide as the temperature says.
pub fn run(root: &Path, name: &str, model: &str, spread: f64) -> PathBuf {
    let folder = RunFolder::new(root.join(name));
    let options = ScoreOptions {
        resamples: 20,
        permutations: 0,
        normalize: Normalize::None,
        pca: Reduce::None,
        metrics: Metrics::new(&[Family::Support, Family::Frontier]).unwrap(),
        ..ScoreOptions::default()
    };
    let reference = cloud("reference", 1.0);
    let shared = Shared {
        task: "wikipedia-bio".into(),
        task_hash: "0123456789abcdef".into(),
        reference: "bios.jsonl".into(),
        reference_hash: "fedcba9876543210".into(),
        reference_n: N,
        embedder: "tiny-gpt2".into(),
        embedder_hash: "00112233445566".into(),
        pooling: "last".into(),
        embed_tokens: 256,
        n_samples: N,
        max_new_tokens: 64,
        prompts: PROMPTS,
        prompt_seed: 0,
    };
    let mut record = folder.begin(&shared).unwrap();
    let mut cells = Vec::new();
    for (chat, own) in [model.to_owned(), format!("{model}-chat")].into_iter().enumerate() {
        for shots in [0, 2] {
            for temperature in TEMPERATURES {
                let width = spread * temperature * (1.0 - 0.35 * chat as f64) + 0.03 * shots as f64;
                let record = cell(&own, chat == 1, shots, temperature);
                let features = cloud(&record.id, width);
                let sets = Sides { reference: &reference, model: &features };
                let mut score = score(sets, None, None, &options).unwrap();
                score.curves = curves(width);
                let samples = samples(&record);
                let path = |file| folder.cell(&record.id, file);
                make_folder(path("cell.json").parent().unwrap()).unwrap();
                write_json(&path("cell.json"), &record).unwrap();
                write_npy(&path("features.npy"), &features).unwrap();
                // Written as draws ended, which is not the order of the features.
                let lines = samples.iter().rev().map(|s| serde_json::to_string(s).unwrap() + "\n");
                write_whole(&path("samples.jsonl"), lines.collect::<String>().as_bytes()).unwrap();
                let result = result(record.clone(), score, width);
                write_json(&path("scores.json"), &result).unwrap();
                cells.push(result);
            }
        }
    }
    make_folder(folder.reference("x").parent().unwrap()).unwrap();
    write_npy(&folder.reference("features.npy"), &reference).unwrap();
    let lines =
        (0..N).map(|i| serde_json::to_string(&Text::new(prose("reference", i))).unwrap() + "\n");
    write_whole(&folder.reference("texts.jsonl"), lines.collect::<String>().as_bytes()).unwrap();
    record.scoring = serde_json::to_value(&options).unwrap();
    record.cells = cells.iter().map(|c| c.cell.id.clone()).collect();
    record.models = [model.to_owned(), format!("{model}-chat")]
        .map(|name| ModelRecord {
            name,
            hash: "abc".into(),
            tokenizer_hash: "def".into(),
            dtype: "f32".into(),
            device: "cpu".into(),
            server: None,
        })
        .to_vec();
    record.sessions.push(Session {
        directory: None,
        started: "2026-01-01T00:00:00Z".into(),
        host: "here".into(),
        pid: 1,
        command: ["llmpr", "sweep", "--temps", "0.3..1.5:0.3", "--shots", "0,2"]
            .map(String::from)
            .to_vec(),
        shard: None,
        seconds: 1.0,
        completions: 1600,
        tokens: 64_000,
        sampling_seconds: 0.5,
        torn_lines: 0,
        outcome: "done".into(),
    });
    folder.write(&record).unwrap();
    let results = Results {
        schema: RESULTS_SCHEMA.into(),
        task: shared.task,
        reference: shared.reference,
        reference_n: N,
        embedder: "tiny-gpt2, last token".into(),
        cells,
        failed: vec![],
    };
    write_json(&folder.root().join("results.json"), &results).unwrap();
    folder.root().to_path_buf()
}

/// Curves of two unit-variance bells `|ln width|` apart: only their shape matters here.
fn curves(width: f64) -> Curves {
    let off = width.ln().abs();
    let lambda: Vec<f64> = (-20..=20).map(|i| (f64::from(i) * 0.2).exp()).collect();
    let alpha: Vec<f64> =
        lambda.iter().map(|l| (1.0 - 0.5 * off).max(0.1) * l / (1.0 + l)).collect();
    let beta = alpha.iter().zip(&lambda).map(|(a, l)| a / l).collect();
    let x: Vec<f64> = (0..=20).map(|i| f64::from(i) / 20.0).collect();
    let y = x.iter().map(|x| (1.0 - x.powf(2.0 / (1.0 + off))).sqrt()).collect();
    Curves {
        pr: Some(PrCurve { lambda, alpha, beta }),
        frontier: Some(FrontierCurve { x, y }),
        ..Curves::default()
    }
}

fn cell(model: &str, chat: bool, shots: usize, temperature: f64) -> CellRecord {
    let plain = model.replace(|c: char| !c.is_alphanumeric(), "");
    CellRecord {
        schema: CELL_SCHEMA.into(),
        id: format!("{plain}{shots}{}", (temperature * 10.0).round()),
        model: model.into(),
        model_hash: model.into(),
        tokenizer_hash: "t".into(),
        task: "wikipedia-bio".into(),
        task_hash: "k".into(),
        prompts_hash: "p".into(),
        chat,
        shots,
        decoding: Decoding { temperature, ..Decoding::default() },
        seed: 0,
        n_samples: N,
        max_new_tokens: 64,
        stop: vec!["\n#".into()],
        engine: "1".into(),
        device: "cpu".into(),
        dtype: "f32".into(),
        ignored: Vec::new(),
        quirks: Vec::new(),
    }
}

/// Roughly normal points, `width` wide.
fn cloud(name: &str, width: f64) -> Matrix {
    let mut rng = rng::named(1, name);
    let values = (0..N * DIM).map(|_| {
        let sum: f64 = (0..12).map(|_| rng::next_unit(&mut rng)).sum();
        ((sum - 6.0) * width) as f32
    });
    Matrix::new(DIM, values.collect()).unwrap()
}

fn prose(name: &str, i: usize) -> String {
    let mut rng = rng::named(i as u64, name);
    let words = [
        "Ada",
        "was",
        "a",
        "painter",
        "from",
        "Zürich",
        "who",
        "travelled",
        "with",
        "her",
        "brother",
        "to",
        "the",
        "sea",
        "and",
        "won",
        "prize",
        "in",
        "1923",
        "for",
        "map",
        "of",
        "winds",
    ];
    let mut text = format!("</script><img src=x onerror=alert(1)> {name} {i}: ");
    for _ in 0..20 + rng::next_below(&mut rng, 60) {
        text.push_str(words[rng::next_below(&mut rng, words.len())]);
        text.push(' ');
    }
    text
}

fn samples(cell: &CellRecord) -> Vec<SampleRecord> {
    let ends = ["eos", "stop", "length"];
    (0..N)
        .map(|i| SampleRecord {
            id: format!("{}-{}", i % PROMPTS, i / PROMPTS),
            prompt_id: format!("wikipedia-bio/{}/{}", cell.shots, i % PROMPTS),
            prompt: "Write biographies.".into(),
            text: Some(if i == 7 { String::new() } else { prose(&cell.id, i) }),
            completion: None,
            tokens: vec![5; 30 + i % 30],
            n_tokens: None,
            finish_reason: ends[i % 3].into(),
            logprob: -40.0 - i as f64,
            logprob_model: -60.0 - i as f64,
            entropy: 30.0,
            decoding: cell.decoding,
            seed: 0,
            prompt_index: (i % PROMPTS) as u32,
            sample: (i / PROMPTS) as u32,
            shots_used: cell.shots,
        })
        .collect()
}

fn result(cell: CellRecord, score: llmpr::score::record::Score, width: f64) -> CellResult {
    let exact = |value: f64| Estimate {
        low: Some((value - 0.03).max(0.0)),
        high: Some((value + 0.03).min(1.0)),
        ..Estimate::bare(value)
    };
    let truth: IndexMap<String, Estimate> = [
        ("precision".to_owned(), exact(1.0 / (1.0 + (3.0 * (width - 1.1)).exp()))),
        ("recall".to_owned(), exact(1.0 - (-1.2 * width).exp())),
    ]
    .into_iter()
    .collect();
    let ended = [("eos", 27), ("stop", 27), ("length", 26)];
    let texts = TextFacts {
        n: N,
        unique: N,
        empty: 1,
        without_text: 0,
        mean_tokens: 44.0 + cell.decoding.temperature,
        ended: ended.into_iter().map(|(how, n)| (how.to_owned(), n)).collect(),
        shortened_prompts: 0,
        logprob_per_token: -1.5,
    };
    CellResult {
        schema: RESULT_SCHEMA.into(),
        cell,
        inputs: "i".into(),
        texts,
        score,
        truth,
        per_prompt: IndexMap::new(),
        examples: IndexMap::new(),
        prefixes: IndexMap::new(),
        reference_nll: IndexMap::new(),
        published: None,
    }
}
