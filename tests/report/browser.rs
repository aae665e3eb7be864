//! The page in a real browser, with the network blocked.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{fabricate, report};

/// In front of the page's own scripts: what goes wrong, and short names for what a reader does.
const BEFORE: &str = r##"
window.faults = [];
addEventListener("error", e => faults.push(String(e.message)));
addEventListener("unhandledrejection", e => faults.push(String(e.reason)));
document.addEventListener("securitypolicyviolation", e => faults.push("blocked " + e.blockedURI));
const id = name => document.getElementById(name);
const all = query => [...document.querySelectorAll(query)];
const set = (name, value, event) => { id(name).value = value; id(name).dispatchEvent(new Event(event)); };
const press = key => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const cards = () => all(".card").length;
const shows = node => node.getClientRects().length > 0;
const until = async (what, test) => { for (let i = 0; i < 200 && !test(); i++) await new Promise(go => setTimeout(go, 25)); if (!test()) faults.push("never: " + what); };
const tell = seen => {
  const out = document.createElement("pre");
  out.id = "seen";
  out.textContent = JSON.stringify({...seen, faults, images: document.images.length});
  document.body.append(out);
};
"##;

pub fn chromium() -> Option<&'static str> {
    let found = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok());
    if found.is_none() {
        eprintln!("skipped: no chromium (Debian: apt-get install chromium)");
    }
    found
}

/// The page at `address` after its scripts, with nothing said on the console.
pub fn dump(browser: &str, address: &str, home: &Path, more: &[&str]) -> String {
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"])
        // No name resolves and every address but this machine is refused: the network is not there.
        .args([
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
            "--proxy-server=127.0.0.1:9",
        ])
        .args(["--enable-logging=stderr", "--v=0", "--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", home.display()))
        .args(more)
        .arg(address)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let console = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = console.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(said.is_empty(), "the console says {said:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What `script`, run once the page stands, tells of it.
fn drive(browser: &str, page: &Path, home: &Path, hash: &str, script: &str) -> Value {
    let html = std::fs::read_to_string(page).unwrap();
    let driver = format!("{BEFORE}addEventListener(\"load\", async () => {{ {script} }});");
    let driven =
        html.replacen("<script type=", &format!("<script>{driver}</script><script type="), 1);
    let path = page.with_file_name("driven.html");
    std::fs::write(&path, driven).unwrap();
    let dom = dump(browser, &format!("file://{}{hash}", path.display()), home, &[]);
    seen(&dom)
}

fn seen(dom: &str) -> Value {
    let told = dom.split("<pre id=\"seen\">").nth(1).and_then(|rest| rest.split("</pre>").next());
    let told = told.unwrap_or_else(|| panic!("the page's script did not run: {dom:.2000}"));
    let plain = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let seen: Value = serde_json::from_str(&plain).unwrap();
    assert_eq!(seen["faults"], json!([]), "{seen}");
    assert_eq!(seen["images"], 0, "no text became markup");
    seen
}

#[test]
fn each_control_of_the_page_does_what_it_says() {
    let Some(browser) = chromium() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let published = report(&[&run], &dir.path().join("out")).unwrap();
    let seen = drive(
        browser,
        &published.page,
        &dir.path().join("home"),
        "",
        r##"
        const seen = {};
        seen.first = document.querySelector("main h2").textContent;
        seen.wanted = all("#recommended tbody tr").map(row => row.textContent).length;
        seen.intervals = all("#recommended .iv").length;
        seen.figures = all("figure svg").length;
        seen.rows = all("#table tbody tr").length;
        seen.cards = cards();
        seen.text = document.querySelector(".card .text").textContent.slice(0, 9);
        // Which texts, of a hot cell.
        set("cell", "4", "change");
        set("view", "out", "change");
        seen.out = [all(".badge.in").length, all(".badge.out").length > 0, location.hash.includes("show=out")];
        set("cell", "0", "change");
        set("view", "missed", "change");
        seen.missed = cards();
        seen.reached = all(".card .facts").every(node => /reached by (no cell|\d+ of the other cells, first by )/.test(node.textContent));
        seen.topics = all("#topic-rows tr").length;
        document.querySelector("#topic-rows button").click();
        seen.topic = [id("view").value, id("topic").value !== "", all(".card").length > 0];
        set("topic", "", "change");
        set("view", "all", "change");
        const before = all(".card .facts").map(node => node.textContent).join();
        id("others").click();
        seen.others = before !== all(".card .facts").map(node => node.textContent).join();
        set("search", "no such words anywhere", "input");
        seen.none = cards();
        set("search", "ZÜRICH", "input");
        seen.marks = all("mark").length > 0;
        const here = Number(id("found").textContent);
        id("everywhere").click();
        seen.everywhere = Number(id("found").textContent) > here;
        id("everywhere").click();
        set("search", "", "input");
        // The table.
        const head = name => all("#table th").find(h => h.textContent.trim() === name);
        const first = () => document.querySelector("#table tbody td.num").dataset.v;
        head("T").querySelector("button").click();
        seen.least = first();
        head("T").querySelector("button").click();
        seen.greatest = [first(), head("T").getAttribute("aria-sort")];
        set("filter", "T=0.6 tiny-chat", "input");
        seen.filtered = all("#table tbody tr").length;
        set("filter", "", "input");
        document.querySelectorAll("#table tbody a")[1].click();
        await until("a link chooses a cell", () => id("cell").value === "9");
        seen.kept = location.hash.includes("sort=T");
        // Legends and points.
        const key = document.querySelector("figure .key"), figure = key.closest("figure");
        const lines = () => [...figure.querySelectorAll(`[data-k="${key.dataset.k}"]:not(.key)`)].filter(shows).length;
        const drawn = lines();
        key.dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true}));
        seen.toggled = [drawn > 0, lines(), key.getAttribute("aria-pressed")];
        key.dispatchEvent(new MouseEvent("click", {bubbles: true}));
        seen.back = lines() === drawn;
        const point = [...figure.querySelectorAll("path.p[aria-label]")][0], box = point.getBoundingClientRect();
        figure.querySelector("svg").dispatchEvent(new PointerEvent("pointermove", {clientX: box.x + 2, clientY: box.y + 2, bubbles: true}));
        seen.tip = [id("tip").hidden, id("tip").textContent];
        // Colors and keys.
        const paper = () => getComputedStyle(document.body).backgroundColor;
        id("theme").click();
        const dark = paper();
        id("theme").click();
        seen.colors = [dark !== paper(), dark, paper()];
        const at = id("cell").value;
        press("n");
        seen.next = Number(id("cell").value) - Number(at);
        press("/");
        seen.focus = document.activeElement.id;
        document.activeElement.blur();
        press("j"); press("j");
        seen.walked = all(".card").indexOf(document.activeElement);
        press("?");
        seen.help = id("help").open;
        press("?");
        tell(seen);
    "##,
    );
    assert_eq!(seen["first"], "Recommended settings");
    assert_eq!((&seen["wanted"], &seen["intervals"]), (&json!(3), &json!(9)), "{seen}");
    assert_eq!(seen["figures"].as_u64(), Some(published.figures as u64));
    assert_eq!((&seen["rows"], &seen["cards"]), (&json!(20), &json!(10)), "{seen}");
    assert_eq!(seen["text"], "</script>", "texts are shown as they are");
    assert_eq!(seen["out"], json!([0, true, true]), "{seen}");
    assert!(seen["missed"].as_u64() > Some(0) && seen["reached"] == true, "{seen}");
    assert!(seen["topics"].as_u64() > Some(1), "{seen}");
    assert_eq!(seen["topic"], json!(["missed", true, true]), "{seen}");
    assert_eq!((&seen["others"], &seen["everywhere"]), (&json!(true), &json!(true)), "{seen}");
    assert_eq!((&seen["none"], &seen["marks"]), (&json!(0), &json!(true)), "{seen}");
    assert_eq!((&seen["least"], &seen["greatest"]), (&json!("0.3"), &json!(["1.5", "descending"])));
    assert_eq!(seen["filtered"], 2, "{seen}");
    assert_eq!(seen["kept"], true, "a link to a cell keeps how the table is sorted: {seen}");
    assert_eq!(seen["toggled"], json!([true, 0, "false"]), "{seen}");
    assert_eq!((&seen["back"], &seen["tip"][0]), (&json!(true), &json!(false)), "{seen}");
    let tip = seen["tip"][1].as_str().unwrap();
    assert!(tip.contains(", T = 0.3: precision ") && tip.contains(" to "), "{seen}");
    assert_eq!(seen["colors"], json!([true, "rgb(18, 23, 30)", "rgb(255, 255, 255)"]), "{seen}");
    assert_eq!((&seen["next"], &seen["focus"]), (&json!(1), &json!("search")), "{seen}");
    assert_eq!((&seen["walked"], &seen["help"]), (&json!(1), &json!(true)), "{seen}");
}

#[test]
fn a_link_restores_what_was_looked_at() {
    let Some(browser) = chromium() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let published = report(&[&run], &dir.path().join("out")).unwrap();
    let hash = "#cell=tinychat29&show=missed&q=painter&sort=precision&filter=chat&off=pr_curves.0";
    let seen = drive(
        browser,
        &published.page,
        &dir.path().join("home"),
        hash,
        r##"
        const values = all("#table tbody tr").map(row => Number(row.cells[all("#table th").findIndex(h => h.textContent.trim() === "precision")].dataset.v));
        tell({
            cell: id("cell").selectedOptions[0].textContent, view: id("view").value, search: id("search").value,
            rows: values.length, sorted: values.every((v, i) => !i || values[i - 1] <= v),
            gone: document.querySelector("#pr_curves .gone") !== null,
        });
    "##,
    );
    assert_eq!(seen["cell"], "tiny-chat T=0.9 shots=2", "{seen}");
    assert_eq!((&seen["view"], &seen["search"]), (&json!("missed"), &json!("painter")), "{seen}");
    assert_eq!((&seen["rows"], &seen["sorted"]), (&json!(10), &json!(true)), "{seen}");
    assert_eq!(seen["gone"], true, "{seen}");
}

#[test]
fn runs_on_one_page_are_shown_and_hidden_by_name() {
    let Some(browser) = chromium() else { return };
    let dir = tempfile::tempdir().unwrap();
    let a = fabricate::run(dir.path(), "first", "tiny", 1.0);
    let b = fabricate::run(dir.path(), "second", "other", 1.3);
    let published = report(&[&a, &b], &dir.path().join("out")).unwrap();
    let seen = drive(
        browser,
        &published.page,
        &dir.path().join("home"),
        "",
        r##"
        const boxes = all("input[data-run]");
        const names = boxes.map(box => box.parentNode.textContent.trim());
        boxes[0].click();
        const left = all("#table tbody tr").map(row => row.cells[0].textContent);
        tell({names, left: left.length, other: left.every(name => name.startsWith("other"))});
    "##,
    );
    assert_eq!(seen["names"], json!(["first 20 cells", "second 20 cells"]), "{seen}");
    assert_eq!((&seen["left"], &seen["other"]), (&json!(20), &json!(true)), "{seen}");
}

#[test]
fn the_page_fits_a_phone_and_paper() {
    let Some(browser) = chromium() else { return };
    let dir = tempfile::tempdir().unwrap();
    let run = fabricate::run(dir.path(), "run", "tiny", 1.0);
    let published = report(&[&run], &dir.path().join("out")).unwrap();
    let html = std::fs::read_to_string(&published.page).unwrap();
    // A frame as wide as a phone.
    let phone = published.page.with_file_name("phone.html");
    let script = "const f = document.querySelector('iframe'); addEventListener('load', () => { \
                  const d = f.contentDocument, out = document.createElement('pre'); out.id = 'seen'; \
                  out.textContent = JSON.stringify({wide: d.documentElement.scrollWidth, faults: [], images: 0, \
                  cards: d.querySelectorAll('.card').length}); document.body.append(out); });";
    let frame = html.replace('&', "&amp;").replace('"', "&quot;");
    let page = format!(
        "<iframe srcdoc=\"{frame}\" width=360 height=700></iframe><script>{script}</script>"
    );
    std::fs::write(&phone, page).unwrap();
    let dom = dump(browser, &format!("file://{}", phone.display()), &dir.path().join("home"), &[]);
    let seen = seen(&dom);
    assert_eq!(seen["cards"], 10, "{seen}");
    assert!(seen["wide"].as_u64() <= Some(360), "the page is wider than a phone: {seen}");
    let pdf = dir.path().join("page.pdf");
    let print = format!("--print-to-pdf={}", pdf.display());
    dump(
        browser,
        &format!("file://{}", published.page.display()),
        &dir.path().join("home"),
        &[&print],
    );
    assert!(std::fs::read(&pdf).unwrap().starts_with(b"%PDF"));
}
