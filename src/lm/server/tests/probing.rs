//! What a server does is found out by what it answers.

use super::*;
use crate::decode::knobs::{self, MIN_P, REPETITION_PENALTY, TOP_K, TOP_P, TYPICAL_P};

/// A server that draws from nothing but a hash, and knows the settings named here.
#[derive(Clone, Default)]
struct Toy {
    /// `owned_by` of its model.
    owner: &'static str,
    /// Fields that leave one token, and the penalty's.
    knows: Vec<&'static str>,
    ignores_seeds: bool,
    always_the_same: bool,
    /// Fields that are answered with 400.
    refuses: Vec<&'static str>,
    logprobs: Option<Logprobs>,
    prefill: Option<Prefill>,
}

impl Toy {
    fn answer(&self, heard: &Heard, before: usize) -> Sent {
        if heard.path == "/v1/models" {
            let model = json!({"id": "org/tiny", "owned_by": self.owner, "root": "/models/tiny"});
            return sent(200, json!({"data": [model]}).to_string());
        }
        let body = &heard.body;
        if let Some(field) = self.refuses.iter().find(|field| !body[**field].is_null()) {
            let message = format!("Unrecognized request argument supplied: {field}");
            return sent(400, json!({"error": {"message": message}}).to_string());
        }
        let knows = |field: &str| self.knows.contains(&field);
        let number = |field: &str| body[field].as_f64().filter(|_| knows(field));
        let one = number("top_k") == Some(1.0)
            || ["top_p", "typical_p"].iter().any(|f| number(f).is_some_and(|p| p < 1e-3))
            || number("min_p") == Some(1.0)
            || number("mirostat_tau").is_some_and(|tau| tau < 1e-3) && body["mirostat"] == 2
            || body["temperature"] == 0.0;
        let penalty = ["repeat_penalty", "repetition_penalty"].iter().find_map(|f| number(f));
        let seed = match (one, self.ignores_seeds) {
            (true, _) => 0,
            (false, true) => before as u64,
            (false, false) => body["seed"].as_u64().unwrap_or(0),
        };
        let seed = if self.always_the_same { 0 } else { seed };
        let mut text = format!(" draw {seed} penalty {}", penalty.unwrap_or(1.0));
        // What a list of samplers does not name has no effect.
        for (field, sampler) in [("dry_multiplier", "dry"), ("xtc_probability", "xtc")] {
            let listed = body["samplers"].as_array().is_none_or(|s| s.contains(&json!(sampler)));
            if let Some(value) = number(field).filter(|value| listed && *value > 0.0) {
                text = format!("{text} {sampler} {value}");
            }
        }
        if body["echo"] == true && knows("echo") {
            text = format!("{}{text}", body["prompt"].as_str().unwrap_or_default());
        }
        let start = body["messages"]
            .as_array()
            .and_then(|turns| turns.last())
            .filter(|t| t["role"] == "assistant");
        if let (Some(start), Some(prefill)) = (start, self.prefill) {
            text = match prefill {
                Prefill::Repeated => format!("{} 8, 9", start["content"].as_str().unwrap()),
                Prefill::Continued => " 8, 9".to_owned(),
                Prefill::Ignored => "Sure! 1, 2".to_owned(),
            };
        }
        let temperature = body["temperature"].as_f64().unwrap_or(1.0);
        let logprob = match self.logprobs {
            Some(Logprobs::Model) => Some(-0.7),
            Some(Logprobs::Sampling) => Some(-0.7 * temperature),
            None => None,
        };
        let logprobs = logprob.filter(|_| !body["logprobs"].is_null());
        let logprobs = logprobs.map(|l| json!({"content": [{"logprob": l, "top_logprobs": []}]}));
        let choice = match heard.path.as_str() {
            "/v1/completions" => {
                json!({"text": text, "finish_reason": "length", "logprobs": logprobs})
            }
            _ => {
                json!({"message": {"content": text}, "finish_reason": "length", "logprobs": logprobs})
            }
        };
        sent(200, json!({"choices": [choice], "system_fingerprint": "fp_1"}).to_string())
    }

    fn serve(self) -> (Server, Log) {
        serve(move |heard, before| self.answer(heard, before))
    }
}

fn wants(knobs: &[&'static crate::decode::knobs::Knob]) -> Wants {
    Wants { knobs: knobs.to_vec(), ..Wants::default() }
}

#[test]
fn a_server_that_does_everything_is_told_so_with_its_own_names() {
    let toy = Toy {
        owner: "llamacpp",
        knows: vec!["top_k", "top_p", "min_p", "typical_p", "repeat_penalty", "echo"],
        logprobs: Some(Logprobs::Model),
        ..Toy::default()
    };
    let (server, heard) = toy.serve();
    let wanted = wants(&[&TOP_K, &TOP_P, &MIN_P, &TYPICAL_P, &REPETITION_PENALTY]);
    let facts = server.meet(&wanted, ServerTerms::default()).unwrap().clone();
    assert_eq!(
        (facts.kind, facts.seed, facts.temperature),
        (Kind::LlamaCpp, Some(true), Some(true))
    );
    assert_eq!(facts.fields["repetition_penalty"], "repeat_penalty");
    assert_eq!((facts.logprobs, facts.echo), (Some(Logprobs::Model), Some(true)));
    assert_eq!(
        (facts.fingerprint.as_deref(), facts.weights.as_deref()),
        (Some("fp_1"), Some("root=tiny"))
    );
    assert!(heard.lock().unwrap().len() <= 30, "{}", heard.lock().unwrap().len());
    let sentence = facts.sentence();
    assert!(
        sentence.contains("honors seeds")
            && sentence.contains("repetition_penalty as repeat_penalty"),
        "{sentence}"
    );
    // What is off is said to be off, and what is set by the server's own name.
    let strict = Decoding { top_k: Some(5), repetition_penalty: Some(1.5), ..Decoding::default() };
    run(&server, vec![ask(0, strict)]).unwrap();
    let body = heard.lock().unwrap().last().unwrap().body.clone();
    assert_eq!(
        (&body["top_k"], &body["repeat_penalty"], &body["repeat_last_n"]),
        (&json!(5), &json!(1.5), &json!(-1))
    );
    assert_eq!((&body["min_p"], &body["top_p"]), (&json!(0.0), &json!(1.0)));
    assert_eq!(body["samplers"][2], "temperature");
    assert!(body["repetition_penalty"].is_null());
}

#[test]
fn a_setting_without_effect_is_named_and_put_up_with_only_when_that_is_said() {
    let toy = Toy { owner: "openai", knows: vec!["top_p"], ..Toy::default() };
    let (server, _) = toy.clone().serve();
    let wanted = wants(&[&TOP_K, &TOP_P, &REPETITION_PENALTY]);
    let message = server.meet(&wanted, ServerTerms::default()).unwrap_err().to_string();
    assert!(
        message.contains("no effect of top_k (`top_k` changes nothing there), repetition_penalty"),
        "{message}"
    );
    assert!(message.contains("--allow-ignored") && !message.contains("top_p"), "{message}");
    let (server, heard) = toy.serve();
    let terms = ServerTerms { allow_ignored: true, ..ServerTerms::default() };
    let facts = server.meet(&wanted, terms).unwrap();
    assert_eq!(facts.ignored, ["top_k", "repetition_penalty"]);
    let strict = Decoding { top_k: Some(5), top_p: Some(0.5), ..Decoding::default() };
    run(&server, vec![ask(0, strict)]).unwrap();
    let body = heard.lock().unwrap().last().unwrap().body.clone();
    assert_eq!((&body["top_k"], &body["top_p"]), (&json!(0), &json!(0.5)));
}

#[test]
fn later_methods_are_believed_where_they_show_and_what_shapes_them_with_them() {
    let knows = vec!["mirostat_tau", "dry_multiplier", "xtc_probability"];
    let toy = Toy { owner: "llamacpp", knows, ..Toy::default() };
    let (server, _) = toy.clone().serve();
    let known = [
        &knobs::MIROSTAT_TAU,
        &knobs::MIROSTAT_ETA,
        &knobs::XTC_PROBABILITY,
        &knobs::XTC_THRESHOLD,
        &knobs::DRY_MULTIPLIER,
        &knobs::DRY_BASE,
    ];
    let facts = server.meet(&wants(&known), ServerTerms::default()).unwrap();
    let fields: Vec<&str> = facts.fields.keys().map(String::as_str).collect();
    assert_eq!(fields, known.map(|knob| knob.column));
    let (server, _) = toy.serve();
    let other = wants(&[&knobs::P_LESS, &knobs::DYNATEMP_RANGE, &knobs::DYNATEMP_EXPONENT]);
    let message = server.meet(&other, ServerTerms::default()).unwrap_err().to_string();
    assert!(
        message.contains(
            "no effect of p_less (`p_less` changes nothing there), \
             dynatemp_range (`dynatemp_range` changes nothing there), \
             dynatemp_exponent (there is no `dynatemp_range` that it could shape)"
        ),
        "{message}"
    );
}

#[test]
fn a_field_that_is_refused_is_left_out_or_said() {
    let refuses = vec!["top_k", "min_p", "max_tokens"];
    let mut toy = Toy { knows: vec!["top_p"], refuses: refuses.clone(), ..Toy::default() };
    let message = toy.clone().serve().0.meet(&wants(&[]), ServerTerms::default()).unwrap_err();
    assert!(message.to_string().contains("refuses the simplest request"), "{message}");
    toy.refuses = refuses[..2].to_vec();
    let (server, heard) = toy.clone().serve();
    server.meet(&wants(&[&TOP_P]), ServerTerms::default()).unwrap();
    run(&server, vec![ask(0, Decoding::default())]).unwrap();
    let body = heard.lock().unwrap().last().unwrap().body.clone();
    assert_eq!(
        (&body["top_k"], &body["min_p"], &body["top_p"]),
        (&Value::Null, &Value::Null, &json!(1.0))
    );
    let message = toy.serve().0.meet(&wants(&[&TOP_K]), ServerTerms::default()).unwrap_err();
    assert!(
        message.to_string().contains("top_k (status 400: Unrecognized request argument"),
        "{message}"
    );
}

#[test]
fn a_seed_by_another_name_is_found_and_one_that_is_refused_is_left_out() {
    let toy = Toy { refuses: vec!["seed"], ignores_seeds: true, ..Toy::default() };
    let (server, heard) = toy.clone().serve();
    assert_eq!(server.meet(&wants(&[]), ServerTerms::default()).unwrap().seed, Some(false));
    run(&server, vec![ask(0, Decoding::default())]).unwrap();
    let body = heard.lock().unwrap().last().unwrap().body.clone();
    assert!(body["random_seed"].is_u64() && body["seed"].is_null(), "{body}");
    let (server, heard) = Toy { refuses: vec!["seed", "random_seed"], ..toy }.serve();
    server.meet(&wants(&[]), ServerTerms::default()).unwrap();
    run(&server, vec![ask(0, Decoding::default())]).unwrap();
    let body = heard.lock().unwrap().last().unwrap().body.clone();
    assert!(!body.to_string().contains("seed"), "{body}");
}

#[test]
fn seeds_that_are_ignored_are_said_and_one_text_for_all_is_refused() {
    let (server, _) = Toy { ignores_seeds: true, ..Toy::default() }.serve();
    let facts = server.meet(&wants(&[]), ServerTerms::default()).unwrap();
    assert_eq!(facts.seed, Some(false));
    assert!(facts.sentence().contains("cannot be drawn again"), "{}", facts.sentence());
    let (server, _) = Toy { always_the_same: true, ..Toy::default() }.serve();
    let message = server.meet(&wants(&[]), ServerTerms::default()).unwrap_err().to_string();
    assert!(
        message.contains("no effect of seed (it answers the same text under two seeds"),
        "{message}"
    );
}

#[test]
fn a_server_that_falls_over_what_it_does_not_know_offers_it_not() {
    let toy = Toy { knows: vec!["top_p"], ..Toy::default() };
    let (server, _) = serve(move |heard, before| {
        let odd = ["logprobs", "echo"].iter().any(|field| !heard.body[*field].is_null());
        if odd { sent(0, "") } else { toy.answer(heard, before) }
    });
    let patience = Patience(Duration::from_millis(300));
    let terms = ServerTerms { patience, ..ServerTerms::default() };
    let facts = server.meet(&wants(&[&TOP_P]), terms).unwrap();
    assert_eq!((facts.logprobs, facts.echo), (None, Some(false)));
}

#[test]
fn log_probabilities_that_move_with_the_temperature_are_those_of_the_draw() {
    for wanted in [None, Some(Logprobs::Model), Some(Logprobs::Sampling)] {
        let (server, _) = Toy { logprobs: wanted, ..Toy::default() }.serve();
        assert_eq!(server.meet(&wants(&[]), ServerTerms::default()).unwrap().logprobs, wanted);
    }
}

#[test]
fn an_answer_that_is_begun_is_continued_or_the_task_is_refused() {
    for prefill in [Prefill::Continued, Prefill::Repeated] {
        let (server, _) = Toy { prefill: Some(prefill), ..Toy::default() }.serve();
        let wants = Wants { chat: true, begun: true, knobs: Vec::new() };
        assert_eq!(server.meet(&wants, ServerTerms::default()).unwrap().prefill, Some(prefill));
    }
    let (server, _) = Toy { prefill: Some(Prefill::Ignored), ..Toy::default() }.serve();
    let wants = Wants { chat: true, begun: true, knobs: Vec::new() };
    let message = server.meet(&wants, ServerTerms::default()).unwrap_err().to_string();
    assert!(message.contains("`chat.start`") && message.contains("--chat never"), "{message}");
}

#[test]
fn a_server_is_its_model_and_not_its_address() {
    let met = |toy: Toy| {
        let (server, _) = toy.serve();
        server.meet(&wants(&[]), ServerTerms::default()).unwrap();
        server.identity()
    };
    let toy = Toy { owner: "vllm", ..Toy::default() };
    assert_eq!(met(toy.clone()), met(toy));
    let named = Server::with_key("http://a/v1", "x", Some("mine"), None).unwrap();
    let moved = Server::with_key("https://b:1/v1", "y", Some("mine"), None).unwrap();
    assert_eq!((named.identity(), named.name()), (moved.identity(), moved.name()));
    assert_eq!(named.name(), "openai:mine");
}
