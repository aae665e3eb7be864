//! The page in a real browser, with the network blocked.

use std::{path::Path, process::Command};

use super::{fabricate, report};

/// Runs in the page before it is judged: every control once, and what a reader then sees, in the title.
const DRIVER: &str = r##"
window.faults = [];
window.addEventListener("error", e => window.faults.push(String(e.message)));
document.addEventListener("securitypolicyviolation", e => window.faults.push("blocked " + e.blockedURI));
window.addEventListener("load", () => {
  const seen = {};
  const cards = () => document.querySelectorAll(".card").length;
  const set = (id, value, event) => {
    const node = document.getElementById(id);
    node.value = value;
    node.dispatchEvent(new Event(event));
  };
  seen.figures = document.querySelectorAll("figure svg").length;
  seen.rows = document.querySelectorAll("#table tbody tr").length;
  seen.cards = cards();
  seen.text = document.querySelector(".card .text").textContent.slice(0, 9);
  set("view", "missed", "change");
  seen.missed = cards();
  set("view", "all", "change");
  set("search", "no such words anywhere", "input");
  seen.none = cards();
  set("search", "ZÜRICH", "input");
  seen.marks = document.querySelectorAll("mark").length > 0;
  const first = () => document.querySelector("#table tbody td.num").dataset.v;
  const head = [...document.querySelectorAll("#table th")].find(h => h.textContent.trim() === "T");
  head.querySelector("button").click();
  seen.least = first();
  head.querySelector("button").click();
  seen.greatest = first();
  seen.images = document.images.length;
  seen.faults = window.faults;
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
"##;

fn chromium() -> Option<&'static str> {
    ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
}

fn dump(browser: &str, page: &Path, home: &Path) -> String {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        // No name resolves and every address is refused: the network is not there.
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9"])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=5000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", home.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = console.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(said.is_empty(), "the console says {said:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_page_works_in_a_browser_without_network() {
    let Some(browser) = chromium() else {
        eprintln!("skipped: no chromium (Debian: apt-get install chromium)");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let out = dir.path().join("out");
    let published = report(&[&run], &out).unwrap();
    let html = std::fs::read_to_string(&published.page).unwrap();
    let driven =
        html.replacen("<script type=", &format!("<script>{DRIVER}</script><script type="), 1);
    let page = out.join("driven.html");
    std::fs::write(&page, driven).unwrap();
    let dom = dump(browser, &page, &dir.path().join("home"));
    let seen = dom.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let seen: serde_json::Value =
        serde_json::from_str(seen.expect("the page's script ran")).unwrap();
    assert_eq!(seen["faults"], serde_json::json!([]), "{seen}");
    assert_eq!(seen["figures"].as_u64(), Some(published.figures as u64));
    assert_eq!((seen["rows"].as_u64(), seen["cards"].as_u64()), (Some(20), Some(10)), "{seen}");
    assert_eq!(seen["text"], "&lt;/script&gt;", "texts are shown as they are");
    assert!(seen["missed"].as_u64() > Some(0), "{seen}");
    assert_eq!((seen["none"].as_u64(), seen["marks"].as_bool()), (Some(0), Some(true)), "{seen}");
    assert_eq!((seen["least"].as_str(), seen["greatest"].as_str()), (Some("0.3"), Some("1.5")));
    assert_eq!(seen["images"].as_u64(), Some(0), "no text became markup");
}
