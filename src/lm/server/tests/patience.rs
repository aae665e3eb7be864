//! Busy servers, broken answers, redirects.

use super::*;

fn short(server: &Server, milliseconds: u64) {
    server.patience.store(milliseconds, Ordering::Relaxed);
}

#[test]
fn whatever_may_go_better_later_is_tried_again() {
    let page = || "<html><head><title>502 Bad Gateway</title></head></html>".to_owned();
    let whole = completion("a", "stop").2;
    let half = whole[..whole.len() / 2].to_owned();
    let setbacks: Vec<Sent> = [408, 409, 425, 429, 500, 502, 503, 504, 520, 529]
        .into_iter()
        .map(|status| sent(status, json!({"error": {"message": "busy"}}).to_string()))
        .chain([
            sent(0, ""),
            sent(200, page()),
            (200, "content-type: text/html\r\n".into(), "one moment".into()),
            sent(200, half),
            sent(1, format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\n\r\n{{\"choi", whole.len())),
            sent(1, "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"cho"),
            sent(1, "220 smtp.example.org\r\n"),
            sent(200, json!({"error": {"message": "upstream is gone", "code": 502}}).to_string()),
            sent(200, json!({"choices": [{"text": "", "finish_reason": "abort"}]}).to_string()),
        ])
        .collect();
    for setback in setbacks {
        let first = setback.clone();
        let (server, heard) = serve(move |_, before| match before {
            0 => first.clone(),
            _ => completion("a", "stop"),
        });
        let done = one(&server).unwrap_or_else(|error| panic!("{setback:?}: {error}"));
        assert_eq!((done.text.as_str(), heard.lock().unwrap().len()), ("a", 2), "{setback:?}");
    }
}

#[test]
fn chunks_and_answers_until_the_end_of_the_connection_are_read() {
    let whole = completion("a", "stop").2;
    let (a, b) = whole.split_at(9);
    let chunks = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x};x=y\r\n{a}\r\n{:X}\r\n{b}\r\n0\r\nT: 1\r\n\r\n",
        a.len(),
        b.len()
    );
    let early = format!("HTTP/1.1 100 Continue\r\n\r\n{chunks}");
    let to_the_end = format!("HTTP/1.0 200 OK\r\n\r\n{whole}");
    for answer in [chunks, early, to_the_end] {
        let (server, _) = serve(move |_, _| sent(1, answer.clone()));
        assert_eq!(one(&server).unwrap().text, "a");
    }
}

#[test]
fn patience_ends_with_what_the_server_said_last() {
    let (server, heard) = serve(|_, _| sent(429, "slow down"));
    short(&server, 60);
    let message = one(&server).unwrap_err().to_string();
    assert!(message.contains("status 429: slow down, for 0"), "{message}");
    assert!(message.contains("--server-patience says how long"), "{message}");
    assert!(heard.lock().unwrap().len() >= 3);
    let (server, _) = serve(|_, _| sent(200, "<!DOCTYPE html><title>Welcome to nginx!</title>"));
    short(&server, 20);
    let message = one(&server).unwrap_err().to_string();
    assert!(
        message.contains("HTML instead of JSON") && message.contains("Welcome to nginx!"),
        "{message}"
    );
}

#[test]
fn nobody_there_is_said_with_the_address() {
    let server = client("http://127.0.0.1:9/v1");
    short(&server, 20);
    let message = one(&server).unwrap_err().to_string();
    assert!(
        message.starts_with("`openai:http://127.0.0.1:9/v1#org/tiny`: cannot be reached: "),
        "{message}"
    );
    assert!(
        message.contains("refused") && message.contains("what is finished is kept"),
        "{message}"
    );
}

#[test]
fn a_pause_that_is_asked_for_is_kept_by_all() {
    let (server, heard) = serve(|_, before| match before {
        0 => (429, "retry-after: 1\r\n".into(), String::new()),
        _ => completion("a", "stop"),
    });
    let begun = Instant::now();
    let asks = (0..6).map(|tag| ask(tag, Decoding::default())).collect();
    assert_eq!(run(&server, asks).unwrap().0.len(), 6);
    assert!(begun.elapsed() >= Duration::from_millis(950), "{:?}", begun.elapsed());
    assert_eq!(heard.lock().unwrap().len(), 7);
    let (server, heard) = serve(|_, _| (503, "Retry-After: 7200\r\n".into(), String::new()));
    let message = one(&server).unwrap_err().to_string();
    assert!(
        message
            .contains("asks for a pause of 2h, which is longer than the --server-patience of 15m"),
        "{message}"
    );
    assert_eq!(heard.lock().unwrap().len(), 1);
}

#[test]
fn a_stop_ends_a_wait_at_once() {
    let (server, _) = serve(|_, _| (503, "retry-after: 600\r\n".into(), String::new()));
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        raised.store(true, Ordering::Relaxed);
    });
    let begun = Instant::now();
    let asks = vec![ask(0, Decoding::default())];
    let totals =
        server.generate(asks, None, &Interrupt::on(flag), &mut |_| ControlFlow::Continue(()));
    assert!(totals.unwrap().stopped && begun.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_redirect_is_followed_on_its_host_alone_and_a_stranger_gets_nothing() {
    let (server, heard) = serve(|heard, _| match heard.path.as_str() {
        "/v1/completions" => (307, "location: /v2/completions?t=1\r\n".into(), String::new()),
        _ => completion("a", "stop"),
    });
    assert_eq!(one(&server).unwrap().text, "a");
    let paths: Vec<String> = heard.lock().unwrap().iter().map(|heard| heard.path.clone()).collect();
    assert_eq!(paths, ["/v1/completions", "/v2/completions?t=1"]);
    assert_eq!(heard.lock().unwrap()[1].body["prompt"], "Once upon");
    let (stranger, strangers, _) = listen(|_, _| completion("b", "stop"));
    let to = format!("location: {stranger}/completions?token=tok-12345678\r\n");
    let (server, _) = serve(move |_, _| (308, to.clone(), String::new()));
    let message = one(&server).unwrap_err().to_string();
    assert!(message.contains("nothing is sent to another host"), "{message}");
    assert!(!message.contains("tok-12345678"), "{message}");
    assert!(strangers.lock().unwrap().is_empty());
    let (server, _) = serve(|_, _| (302, "location: /v1/completions\r\n".into(), String::new()));
    let message = one(&server).unwrap_err().to_string();
    assert!(message.contains("redirects more than 5 times"), "{message}");
}

#[test] // 40 ms a request, where the kernel waits before it confirms the head
#[cfg(target_os = "linux")]
fn a_head_and_a_body_that_come_apart_cost_no_delay() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                while hear(&mut reader).is_some() {
                    let text = completion("a", "stop").2;
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", text.len());
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(text.as_bytes()).unwrap();
                }
            });
        }
    });
    let begun = Instant::now();
    let asks = (0..150).map(|tag| ask(tag, Decoding::default())).collect();
    assert_eq!(run(&client(&url), asks).unwrap().0.len(), 150);
    // 50 requests on each of 3 connections.
    assert!(begun.elapsed() < Duration::from_millis(1500), "{:?}", begun.elapsed());
}
