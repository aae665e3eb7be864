use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
};

use super::*;

/// What a server heard: path, body, authorization.
type Heard = Arc<Mutex<Vec<(String, Value)>>>;

/// A server on loopback that answers as `answer` says, given the body and how many came before.
fn serve(
    answer: impl Fn(&Value, usize) -> (u16, String) + Send + Sync + 'static,
) -> (Server, Heard) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let heard = Heard::default();
    let (log, answer) = (heard.clone(), Arc::new(answer));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, log, answer) = (stream.unwrap(), log.clone(), answer.clone());
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut first = String::new();
                    if reader.read_line(&mut first).unwrap_or(0) == 0 {
                        return;
                    }
                    let mut length = 0;
                    loop {
                        let mut line = String::new();
                        reader.read_line(&mut line).unwrap();
                        let lower = line.to_lowercase();
                        if let Some(n) = lower.strip_prefix("content-length:") {
                            length = n.trim().parse().unwrap();
                        }
                        if line.trim().is_empty() {
                            break;
                        }
                    }
                    let mut body = vec![0; length];
                    reader.read_exact(&mut body).unwrap();
                    let body: Value = serde_json::from_slice(&body).unwrap();
                    let path = first.split(' ').nth(1).unwrap().to_owned();
                    let before = {
                        let mut log = log.lock().unwrap();
                        log.push((path, body.clone()));
                        log.len() - 1
                    };
                    let (status, text) = answer(&body, before);
                    let n = text.len();
                    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {n}\r\n\r\n");
                    if stream.write_all(format!("{head}{text}").as_bytes()).is_err() {
                        return;
                    }
                }
            });
        }
    });
    let mut server = Server::new(&url, "org/tiny").unwrap();
    server.pause = Duration::from_millis(1);
    (server, heard)
}

fn completion(text: &str, finish: &str) -> (u16, String) {
    let choice = json!({"text": text, "finish_reason": finish});
    (200, json!({"choices": [choice], "usage": {"completion_tokens": 7}}).to_string())
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
type Ended = (Vec<Completion>, Vec<(u64, String)>);

fn run(server: &Server, asks: Vec<Ask>) -> Result<Ended, LmError> {
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

#[test]
fn each_draw_is_a_request_with_its_own_seed_and_only_the_settings_that_are_set() {
    let (server, heard) = serve(|body, _| completion(&format!("seed {}", body["seed"]), "stop"));
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
    heard.sort_by_key(|(_, body)| body["top_p"].is_number());
    assert_eq!(heard[0].0, "/v1/completions");
    let mut body = heard[0].1.clone();
    body.as_object_mut().unwrap().remove("seed");
    let wanted = json!({"model": "org/tiny", "max_tokens": 12, "temperature": 0.7,
        "stop": ["\n#"], "prompt": "Once upon"});
    assert_eq!(body, wanted);
    let last = &heard[2].1;
    assert_eq!(
        (&last["top_p"], &last["top_k"], &last["min_p"]),
        (&json!(0.9), &json!(40), &json!(0.05))
    );
}

#[test]
fn every_knob_has_a_field_in_a_request_or_a_reason_why_there_is_none() {
    let server = Server::new("http://127.0.0.1:9/v1", "org/tiny").unwrap();
    let mut decoding = Decoding::default();
    KNOBS.iter().for_each(|knob| knob.set(&mut decoding, if knob.whole { 7.0 } else { 0.25 }));
    let (_, body) = server.body(&ask(0, decoding));
    for knob in KNOBS {
        let wanted = if knob.whole { json!(7) } else { json!(0.25) };
        match knob.server {
            Ok(field) => assert_eq!(body[field], wanted, "{field}"),
            Err(why) => assert!(!why.is_empty() && body.get(knob.column).is_none(), "{body}"),
        }
    }
}

#[test]
fn turns_go_to_the_chat_and_an_answer_that_is_begun_is_continued() {
    let (server, heard) = serve(|_, _| {
        let choice = json!({"message": {"content": "Ada."}, "finish_reason": "length"});
        (200, json!({"choices": [choice], "usage": {"completion_tokens": 1}}).to_string())
    });
    let turns =
        json!([{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "It"}]);
    let prompt = ServerPrompt::Turns(turns.to_string().into());
    let (done, _) = run(&server, vec![Ask { prompt, ..ask(0, Decoding::default()) }]).unwrap();
    assert_eq!((done[0].text.as_str(), done[0].finish_reason), ("Ada.", FinishReason::Length));
    let heard = heard.lock().unwrap();
    assert_eq!(heard[0].0, "/v1/chat/completions");
    assert_eq!(
        (&heard[0].1["messages"], &heard[0].1["continue_final_message"]),
        (&turns, &json!(true))
    );
}

#[test]
fn a_stop_string_left_in_the_text_is_cut() {
    let (server, _) = serve(|_, _| completion("Ada was born.\n# next", "length"));
    let (done, _) = run(&server, vec![ask(0, Decoding::default())]).unwrap();
    assert_eq!(
        (done[0].text.as_str(), done[0].finish_reason),
        ("Ada was born.", FinishReason::Stop)
    );
}

#[test]
fn a_busy_server_is_asked_again_and_one_that_stays_busy_ends_the_run() {
    let (server, heard) = serve(|_, before| match before {
        0 | 1 => (503, json!({"error": {"message": "loading"}}).to_string()),
        _ => completion("a", "stop"),
    });
    let (done, _) = run(&server, vec![ask(0, Decoding::default())]).unwrap();
    assert_eq!((done.len(), heard.lock().unwrap().len()), (1, 3));
    let (server, heard) = serve(|_, _| (429, "slow down".into()));
    let message = run(&server, vec![ask(0, Decoding::default())]).unwrap_err().to_string();
    assert!(message.contains("status 429") && message.contains("slow down, 5 times"), "{message}");
    assert_eq!(heard.lock().unwrap().len(), 5);
}

#[test]
fn a_refused_request_fails_alone_and_a_wrong_key_ends_the_run() {
    let (server, _) = serve(|body, _| match body["temperature"].as_f64() {
        Some(0.5) => (400, json!({"error": {"message": "context is 8 tokens"}}).to_string()),
        _ => completion("a", "stop"),
    });
    let half = Decoding { temperature: 0.5, ..Decoding::default() };
    let (done, failed) = run(&server, vec![ask(0, half), ask(1, Decoding::default())]).unwrap();
    assert_eq!((done.len(), failed.len(), failed[0].0), (1, 1, 0));
    assert!(failed[0].1.ends_with("context is 8 tokens"), "{}", failed[0].1);
    let (server, _) = serve(|_, _| (401, String::new()));
    let message = run(&server, vec![ask(0, half)]).unwrap_err().to_string();
    assert!(message.contains("status 401") && message.ends_with("no reason given"), "{message}");
}

#[test]
fn what_is_no_completion_is_said_and_nobody_there_is_too() {
    for (answer, wanted) in [
        ("hello", "no JSON"),
        ("{}", "no `choices[0].text`"),
        (
            r#"{"choices": [{"text": "a", "finish_reason": "stop"}]}"#,
            "no `usage.completion_tokens`",
        ),
        (r#"{"choices": [{"text": "a"}]}"#, "neither stop nor length"),
    ] {
        let (server, _) = serve(move |_, _| (200, answer.to_owned()));
        let (_, failed) = run(&server, vec![ask(0, Decoding::default())]).unwrap();
        assert!(failed[0].1.contains(wanted), "{}", failed[0].1);
    }
    let mut server = Server::new("http://127.0.0.1:9/v1", "a").unwrap();
    server.pause = Duration::from_millis(1);
    let message = run(&server, vec![ask(0, Decoding::default())]).unwrap_err().to_string();
    assert!(message.starts_with("`openai:http://127.0.0.1:9/v1#a`: "), "{message}");
    assert!(
        message.contains("refused") && message.contains("what is finished is kept"),
        "{message}"
    );
}

#[test]
fn a_callback_that_has_enough_ends_the_run() {
    let (server, heard) = serve(|_, _| completion("a", "stop"));
    let asks = (0..40).map(|tag| ask(tag, Decoding::default())).collect();
    let mut on_event = |event| match event {
        Event::Finished(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    };
    let totals = server.generate(asks, Some(2), &Interrupt::default(), &mut on_event).unwrap();
    assert!(totals.stopped && totals.finished < 40, "{totals:?}");
    assert!(heard.lock().unwrap().len() < 40);
}
