//! Embedding: packed texts equal texts alone, pooling, log-probabilities.

use super::generate::stories;

use llmpr::lm::{
    check,
    embed::{Embedder, Pooling},
    engine::{kv::Want, network::Depth},
};

fn texts() -> Vec<Vec<u32>> {
    let text = |n: u32| (0..n).map(|i| 3 + (i * 31 + n) % 500).collect();
    [5, 200, 1, 17, 90, 5, 300].map(text).to_vec()
}

#[test]
fn a_vector_has_the_same_bits_whoever_shares_the_pass() {
    for pooling in [Pooling::Last, Pooling::Mean] {
        let Some(lm) = stories() else { return };
        let embedder = Embedder::new(lm, pooling, 512);
        let mut last = (0, 0);
        let together = embedder.embed_ids(&texts(), &mut |done, all| last = (done, all)).unwrap();
        assert_eq!(last, (613, 613), "the second text of 5 tokens is the first again");
        for (i, ids) in texts().into_iter().enumerate() {
            let alone = embedder.embed_ids(&[ids], &mut |_, _| {}).unwrap();
            assert_eq!(alone.row(0), together.row(i), "{pooling}, text {i}");
        }
    }
}

#[test]
fn vectors_are_final_states_of_the_last_token_or_their_mean() {
    let Some(lm) = stories() else { return };
    let d = lm.config().hidden;
    let ids = texts().swap_remove(4);
    let all =
        check::states(lm.network(), std::slice::from_ref(&ids), Want::All, Depth::Full).unwrap();
    let last = Embedder::new(lm, Pooling::Last, 512)
        .embed_ids(std::slice::from_ref(&ids), &mut |_, _| {})
        .unwrap();
    assert_eq!(last.row(0), &all[all.len() - d..]);
    let Some(lm) = stories() else { return };
    let mean = Embedder::new(lm, Pooling::Mean, 512)
        .embed_ids(std::slice::from_ref(&ids), &mut |_, _| {})
        .unwrap();
    for (j, x) in mean.row(0).iter().enumerate() {
        let expected: f64 = all.chunks(d).map(|row| f64::from(row[j])).sum::<f64>() / 90.0;
        assert!((f64::from(*x) - expected).abs() < 1e-6, "{x} against {expected}");
    }
}

#[test]
fn log_probabilities_at_every_temperature_come_from_the_logits() {
    let Some(lm) = stories() else { return };
    let ids = texts().swap_remove(4);
    let states =
        check::states(lm.network(), std::slice::from_ref(&ids), Want::All, Depth::Full).unwrap();
    let logits = check::logits(lm.network(), &states).unwrap();
    let temperatures = [0.3, 1.0, 2.0];
    let embedder = Embedder::new(lm, Pooling::Last, 512);
    let texts = [ids.clone(), ids.clone(), vec![7]];
    let (vectors, scores) =
        embedder.embed_and_score(&texts, &temperatures, &mut |_, _| {}).unwrap();
    assert_eq!(vectors, embedder.embed_ids(&texts, &mut |_, _| {}).unwrap());
    assert_eq!((&scores[0], &scores[2]), (&scores[1], &vec![0.0; 3]));
    for (t, found) in temperatures.iter().zip(&scores[0]) {
        let expected: f64 = logits
            .chunks(512)
            .zip(&ids[1..])
            .map(|(row, id)| {
                let total: f64 = row.iter().map(|x| (f64::from(*x) / t).exp()).sum();
                f64::from(row[*id as usize]) / t - total.ln()
            })
            .sum();
        assert!((found - expected).abs() < 1e-6, "T = {t}: {found} against {expected}");
    }
}
