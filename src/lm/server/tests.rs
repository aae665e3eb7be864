//! A server on loopback that says what a test wants, and what the client makes of it.

mod patience;
mod probing;
mod secrets;

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use serde_json::json;

use super::*;
use crate::{
    decode::{Decoding, knobs::KNOBS},
    lm::generate::FinishReason,
    rng::Draw,
};

/// One request as a server heard it.
#[derive(Clone, Debug)]
struct Heard {
    path: String,
    head: String,
    body: Value,
}

/// What was heard, in order.
type Log = Arc<Mutex<Vec<Heard>>>;

/// What a server sends: status, further lines of the head, body. A status of 0 closes the connection instead, and
/// one of 1 sends the body as it is.
type Sent = (u16, String, String);

/// A server that answers as `answer` says, given the request and how many came before; its address, what it
/// heard, and how many connections it took.
fn listen(
    answer: impl Fn(&Heard, usize) -> Sent + Send + Sync + 'static,
) -> (String, Log, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (heard, count) = (Log::default(), Arc::new(AtomicUsize::new(0)));
    let (log, answer, counted) = (heard.clone(), Arc::new(answer), count.clone());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, log, answer) = (stream.unwrap(), log.clone(), answer.clone());
            counted.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while let Some(heard) = hear(&mut reader) {
                    let before = {
                        let mut log = log.lock().unwrap();
                        log.push(heard.clone());
                        log.len() - 1
                    };
                    let (status, more, text) = answer(&heard, before);
                    let n = text.len();
                    let sent = match status {
                        0 => return,
                        1 => text,
                        _ => format!(
                            "HTTP/1.1 {status} X\r\ncontent-length: {n}\r\n{more}\r\n{text}"
                        ),
                    };
                    if stream.write_all(sent.as_bytes()).is_err() || status == 1 {
                        return;
                    }
                }
            });
        }
    });
    (url, heard, count)
}

fn hear(reader: &mut impl BufRead) -> Option<Heard> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return None;
        }
        if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
            length = n.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let path = head.split(' ').nth(1)?.to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_default();
    Some(Heard { path, head, body })
}

/// A client of such a server that does not wait long between tries.
fn client(url: &str) -> Server {
    let mut server = Server::with_key(url, "org/tiny", None, None).unwrap();
    server.first_pause = Duration::from_millis(1);
    server
}

fn serve(answer: impl Fn(&Heard, usize) -> Sent + Send + Sync + 'static) -> (Server, Log) {
    let (url, heard, _) = listen(answer);
    (client(&url), heard)
}

fn sent(status: u16, text: impl Into<String>) -> Sent {
    (status, String::new(), text.into())
}

fn completion(text: &str, finish: &str) -> Sent {
    let choice = json!({"text": text, "finish_reason": finish});
    sent(200, json!({"choices": [choice], "usage": {"completion_tokens": 7}}).to_string())
}

fn ask(tag: u64, decoding: Decoding) -> Ask {
    Ask {
        tag,
        prompt: ServerPrompt::Text("Once upon".into()),
        decoding,
        seed: 5,
        draw: Draw { prompt: 0, sample: tag as u32 },
        max_new_tokens: 12,
        stop: vec!["\n#".to_owned()].into(),
    }
}

/// Completions and failures by tag.
type Finished = (Vec<Completion>, Vec<(u64, String)>);

fn run(server: &Server, asks: Vec<Ask>) -> Result<Finished, LmError> {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let mut on_event = |event| {
        match event {
            Event::Finished(completion) => done.push(completion),
            Event::Failed { tag, error } => failed.push((tag, error.to_string())),
            Event::Step { .. } => {}
        }
        ControlFlow::Continue(())
    };
    server.generate(asks, Some(3), &Interrupt::default(), &mut on_event)?;
    done.sort_by_key(|completion| completion.tag);
    Ok((done, failed))
}

fn one(server: &Server) -> Result<Completion, LmError> {
    let (mut done, failed) = run(server, vec![ask(0, Decoding::default())])?;
    assert!(failed.is_empty(), "{failed:?}");
    Ok(done.remove(0))
}

#[test]
fn each_draw_is_a_request_with_its_own_seed_and_only_the_settings_that_are_set() {
    let (server, heard) =
        serve(|heard, _| completion(&format!("seed {}", heard.body["seed"]), "stop"));
    let plain = Decoding { temperature: 0.7, ..Decoding::default() };
    let cut = Decoding { top_p: Some(0.9), top_k: Some(40), min_p: Some(0.05), ..plain };
    let (done, failed) = run(&server, vec![ask(0, plain), ask(1, cut), ask(2, plain)]).unwrap();
    assert!(failed.is_empty());
    assert_eq!(done.iter().map(|c| c.tag).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(done[0].text != done[1].text && done[0].text != done[2].text, "{done:?}");
    assert_eq!((done[0].count, done[0].finish_reason), (7, FinishReason::Eos));
    let (again, _) = run(&server, vec![ask(0, plain)]).unwrap();
    assert_eq!(again[0].text, done[0].text);
    let mut heard = heard.lock().unwrap().clone();
    heard.truncate(3);
    heard.sort_by_key(|heard| heard.body["top_p"].is_number());
    assert_eq!(heard[0].path, "/v1/completions");
    let mut body = heard[0].body.clone();
    body.as_object_mut().unwrap().remove("seed");
    let wanted = json!({"model": "org/tiny", "max_tokens": 12, "temperature": 0.7,
        "stop": ["\n#"], "prompt": "Once upon"});
    assert_eq!(body, wanted);
    let last = &heard[2].body;
    assert_eq!(
        (&last["top_p"], &last["top_k"], &last["min_p"]),
        (&json!(0.9), &json!(40), &json!(0.05))
    );
}

#[test]
fn every_knob_has_a_field_in_a_request() {
    let mut decoding = Decoding::default();
    KNOBS.iter().for_each(|knob| knob.set(&mut decoding, if knob.whole { 7.0 } else { 0.25 }));
    let body = ask(0, decoding).body("m", &Dialect::default());
    let body: Value = serde_json::from_slice(&body).unwrap();
    for knob in KNOBS {
        let wanted = if knob.whole { json!(7) } else { json!(0.25) };
        assert_eq!(body[Dialect::default().field(knob)], wanted, "{}", knob.column);
    }
}

#[test]
fn llama_cpp_is_told_what_has_to_stand_beside_a_setting() {
    let neutral = Dialect::neutral_of(Kind::LlamaCpp);
    let dialect = Dialect { kind: Kind::LlamaCpp, neutral, ..Dialect::default() };
    let said = |settings: &str| dialect.settings(&settings.parse().unwrap());
    let dry = said("dry-multiplier=0.8");
    assert_eq!((&dry["dry_base"], &dry["dry_allowed_length"]), (&json!(1.75), &json!(2)));
    assert!(dry["samplers"].as_array().unwrap().contains(&json!("dry")), "{dry:?}");
    let plain = said("top-p=0.9");
    assert!(!plain["samplers"].as_array().unwrap().contains(&json!("dry")), "{plain:?}");
    let mirostat = said("mirostat-tau=3");
    assert_eq!((&mirostat["mirostat"], &mirostat["mirostat_eta"]), (&json!(2), &json!(0.1)));
    assert_eq!(plain["mirostat"], json!(0));
}

#[test]
fn turns_go_to_the_chat_and_an_answer_that_is_begun_is_continued() {
    let (mut server, heard) = serve(|_, _| {
        let choice = json!({"message": {"content": "It was Ada."}, "finish_reason": "length"});
        sent(200, json!({"choices": [choice], "usage": {"completion_tokens": 1}}).to_string())
    });
    // llama.cpp repeats what the answer begins with.
    let dialect = Dialect { prefill: Some(Prefill::Repeated), ..Dialect::default() };
    server.met = OnceLock::from((dialect, ServerFacts::default()));
    let turns =
        json!([{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "It"}]);
    let prompt = ServerPrompt::Turns(turns.to_string().into());
    let (done, _) = run(&server, vec![Ask { prompt, ..ask(0, Decoding::default()) }]).unwrap();
    assert_eq!((done[0].text.as_str(), done[0].finish_reason), (" was Ada.", FinishReason::Length));
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0].path, "/v1/chat/completions");
    let body = &heard[0].body;
    assert_eq!((&body["messages"], &body["continue_final_message"]), (&turns, &json!(true)));
}

#[test]
fn a_stop_string_left_in_the_text_is_cut() {
    let (server, _) = serve(|_, _| completion("Ada was born.\n# next", "length"));
    let done = one(&server).unwrap();
    assert_eq!((done.text.as_str(), done.finish_reason), ("Ada was born.", FinishReason::Stop));
}

#[test]
fn an_answer_without_a_text_is_one_and_usage_is_optional() {
    for (choice, text, reason, without) in [
        (
            json!({"message": {"content": null}, "finish_reason": "content_filter"}),
            "",
            FinishReason::Filtered,
            true,
        ),
        (
            json!({"text": "Ada w", "finish_reason": "content_filter"}),
            "Ada w",
            FinishReason::Filtered,
            true,
        ),
        (
            json!({"message": {"content": null}, "finish_reason": "length"}),
            "",
            FinishReason::Length,
            true,
        ),
        (
            json!({"text": "Ada.", "finish_reason": "tool_calls"}),
            "Ada.",
            FinishReason::Unknown,
            false,
        ),
        (json!({"text": "Ada.", "finish_reason": "stop"}), "Ada.", FinishReason::Eos, false),
    ] {
        let answer = json!({"choices": [choice]}).to_string();
        let (server, _) = serve(move |_, _| sent(200, answer.clone()));
        let done = one(&server).unwrap();
        assert_eq!(
            (done.text.as_str(), done.finish_reason, done.without_text),
            (text, reason, without)
        );
        assert_eq!((done.count, done.logprob.is_nan()), (0, true));
    }
}

#[test]
fn log_probabilities_are_summed_and_kept_as_what_they_are() {
    let forms = [
        json!({"content": [{"logprob": -0.5}, {"logprob": -1.5}]}),
        json!({"token_logprobs": [-0.5, -1.5], "tokens": ["a", "b"]}),
    ];
    for form in forms {
        let choice = json!({"text": "ab", "finish_reason": "stop", "logprobs": form});
        let answer = json!({"choices": [choice]}).to_string();
        let (mut server, heard) = serve(move |_, _| sent(200, answer.clone()));
        let dialect = Dialect { logprobs: Some(Logprobs::Model), ..Dialect::default() };
        server.met = OnceLock::from((dialect, ServerFacts::default()));
        let plain = Decoding::default();
        let cold = Decoding { temperature: 0.5, ..plain };
        let (done, _) = run(&server, vec![ask(0, plain), ask(1, cold)]).unwrap();
        // Without any stage what is drawn from is the model.
        assert_eq!((done[0].logprob, done[0].logprob_model), (-2.0, -2.0));
        assert_eq!((done[1].logprob.is_nan(), done[1].logprob_model), (true, -2.0));
        assert_eq!((done[0].count, &heard.lock().unwrap()[0].body["logprobs"]), (2, &json!(1)));
    }
}

#[test]
fn a_refused_request_fails_alone_and_a_wrong_key_ends_the_run() {
    let (server, _) = serve(|heard, _| match heard.body["temperature"].as_f64() {
        Some(0.5) => sent(400, json!({"error": {"message": "context is 8 tokens"}}).to_string()),
        _ => completion("a", "stop"),
    });
    let half = Decoding { temperature: 0.5, ..Decoding::default() };
    let (done, failed) = run(&server, vec![ask(0, half), ask(1, Decoding::default())]).unwrap();
    assert_eq!((done.len(), failed.len(), failed[0].0), (1, 1, 0));
    assert!(failed[0].1.ends_with("context is 8 tokens"), "{}", failed[0].1);
    let (server, _) = serve(|_, _| sent(401, ""));
    let message = run(&server, vec![ask(0, half)]).unwrap_err().to_string();
    assert!(message.contains("status 401: no reason given; the key is taken"), "{message}");
    let (server, _) = serve(|_, _| sent(404, json!({"error": "no such model"}).to_string()));
    let message = run(&server, vec![ask(0, half)]).unwrap_err().to_string();
    assert!(message.contains("no such model; the address goes up to"), "{message}");
}

#[test]
fn what_is_no_completion_is_said() {
    for (answer, wanted) in [
        ("{}", "no `choices[0]`"),
        (r#"{"choices": [{}]}"#, "neither `choices[0].text` nor a `finish_reason`"),
    ] {
        let (server, _) = serve(move |_, _| sent(200, answer));
        let (_, failed) = run(&server, vec![ask(0, Decoding::default())]).unwrap();
        assert!(failed[0].1.contains(wanted), "{}", failed[0].1);
    }
}

#[test]
fn a_callback_that_has_enough_ends_the_run() {
    // Only the first is answered before the callback has had enough, however slow its thread is.
    let enough = Arc::new(AtomicBool::new(false));
    let (server, heard) = serve({
        let enough = enough.clone();
        move |_, before| {
            let start = std::time::Instant::now();
            while before > 0 && !enough.load(SeqCst) && start.elapsed().as_secs() < 30 {
                std::thread::yield_now();
            }
            completion("a", "stop")
        }
    });
    let asks = (0..40).map(|tag| ask(tag, Decoding::default())).collect();
    let mut on_event = |event| match event {
        Event::Finished(_) => {
            enough.store(true, SeqCst);
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    };
    let totals = server.generate(asks, Some(2), &Interrupt::default(), &mut on_event).unwrap();
    assert!(totals.stopped && totals.finished < 40, "{totals:?}");
    assert!(heard.lock().unwrap().len() < 40);
}

#[test]
fn every_worker_keeps_one_connection() {
    let (url, _, connections) = listen(|_, _| completion("a", "stop"));
    let asks = (0..60).map(|tag| ask(tag, Decoding::default())).collect();
    assert_eq!(run(&client(&url), asks).unwrap().0.len(), 60);
    assert!(connections.load(Ordering::Relaxed) <= 3, "{connections:?}");
}
