//! Keys and passwords go to the server that they are for, and nowhere else.

use super::*;

#[test]
fn a_key_that_is_quoted_back_is_hidden_wherever_it_is_shown() {
    const KEY: &str = "sk-live-0123456789";
    let quotes: [fn() -> Sent; 4] = [
        || {
            sent(
                401,
                json!({"error": {"message": format!("Incorrect API key: {KEY}")}}).to_string(),
            )
        },
        || sent(400, format!("{} {KEY}", "x ".repeat(146))),
        || completion(&format!("my key is {KEY}."), "stop"),
        || sent(200, format!("<html><title>no entry for Bearer {KEY}</title>")),
    ];
    for (at, quote) in quotes.into_iter().enumerate() {
        let (url, heard, _) = listen(move |_, _| quote());
        let mut server = Server::with_key(&url, "m", None, Some(KEY)).unwrap();
        server.first_pause = Duration::from_millis(1);
        server.patience.store(20, Ordering::Relaxed);
        let shown = match run(&server, vec![ask(0, Decoding::default())]) {
            Ok((done, failed)) => format!("{done:?} {failed:?}"),
            Err(error) => error.to_string(),
        };
        assert!(!shown.contains("0123456789") && !shown.contains("sk-live"), "{at}: {shown}");
        let head = heard.lock().unwrap()[0].head.to_lowercase();
        assert!(head.contains(&format!("authorization: bearer {KEY}")), "{head}");
    }
}

#[test]
fn user_and_password_are_sent_as_such_and_never_shown() {
    let (url, heard, _) = listen(|heard, _| sent(403, heard.head.clone()));
    let with = url.replace("http://", "http://me:p%40ssw0rd@");
    let server = Server::with_key(&with, "m", None, Some("sk-other")).unwrap();
    let message = run(&server, vec![ask(0, Decoding::default())]).unwrap_err().to_string();
    // `me:p@ssw0rd` in base64
    let coded = "bWU6cEBzc3cwcmQ=";
    assert!(heard.lock().unwrap()[0].head.contains(&format!("authorization: Basic {coded}")));
    for secret in ["p@ssw0rd", "p%40ssw0rd", coded, "sk-other"] {
        assert!(!message.contains(secret), "{message}");
    }
    let facts = serde_json::to_string(&server.bare_facts()).unwrap();
    assert!(!facts.contains("ssw0rd") && facts.contains(&url), "{facts}");
    let blank = Server::with_key(&url, "m", None, Some("two words")).err().unwrap().to_string();
    assert!(blank.contains("OPENAI_API_KEY") && !blank.contains("two words"), "{blank}");
}
