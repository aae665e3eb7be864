//! A sweep against a real llama.cpp server, killed and restarted under it.
//!
//! `LLMPR_LLAMA_SERVER` is the command that serves a small instruction model and takes `--port N` behind, such as
//! `llama-server -m SmolLM2-135M-Instruct.gguf -c 4096 -np 2` or, with the package xllamacpp,
//! `python scripts/llama-cpp-server.py MODEL.gguf`. Without it the test is passed over.

use std::{
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{World, ids, samples, sorted};

/// A server that is killed when the test ends.
struct Llama(Child);

impl Llama {
    fn start(command: &str, port: u16) -> Self {
        let command = format!("exec {command} --port {port}");
        let child = Command::new("sh")
            .args(["-c", &command])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn wait_for(what: &str, until: impl Fn() -> bool) {
    let begun = Instant::now();
    while !until() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} took two minutes");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_llama_cpp_server_that_is_killed_and_restarted_under_a_sweep_costs_nothing() {
    let Ok(command) = std::env::var("LLMPR_LLAMA_SERVER") else {
        eprintln!("skipped: LLMPR_LLAMA_SERVER names no command that serves a model by llama.cpp");
        return;
    };
    let Some(world) = World::new() else { return };
    let port = free_port();
    let mut llama = Llama::start(&command, port);
    wait_for("the first start", || TcpStream::connect(("127.0.0.1", port)).is_ok());
    let model = format!("openai:http://127.0.0.1:{port}/v1#smol");
    let args = ["--models", &model, "--batch", "2", "--top-k", "40", "--repetition-penalty", "1.1"];
    let mut sweep = world.sweep("run", &args);
    let sweep = sweep.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let drawn = || samples(&world.out("run")).values().map(Vec::len).sum::<usize>();
    wait_for("the first completions", || drawn() >= 8);
    llama.kill();
    let before = drawn();
    std::thread::sleep(Duration::from_secs(2));
    assert!(before < 48 && drawn() <= before + 2, "killed in the middle");
    let _again = Llama::start(&command, port);
    let output = sweep.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains("trying again for 15m"), "{stderr}");
    assert!(stderr.contains("llama.cpp serving `"), "{stderr}");
    assert!(stderr.contains("repetition_penalty as repeat_penalty"), "{stderr}");
    for lines in samples(&world.out("run")).values() {
        assert_eq!((ids(lines).len(), sorted(ids(lines))), (24, ids(lines)));
        for line in lines {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["logprob_model"].as_f64().is_some_and(|sum| sum < 0.0), "{line}");
        }
    }
    let record = std::fs::read_to_string(world.out("run").join("run.json")).unwrap();
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    let server = &record["models"][0]["server"];
    assert_eq!((&server["kind"], &server["seed"]), (&"llama.cpp".into(), &true.into()), "{server}");
    assert!(server["weights"].as_str().unwrap().starts_with("n_params="), "{server}");
}
