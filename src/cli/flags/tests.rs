//! The tree of commands speaks one dialect.

use std::collections::BTreeMap;

use clap::{Arg, Command};

use super::super::parser;

/// Flags that mean another thing in another command, and why they keep their name.
const OTHERS: [(&str, &str); 4] = [
    ("budget", "one in K that `refine` keeps, all texts that a race of `tune` may draw"),
    ("out", "what is written differs: a stream, a file that grows, features, a folder"),
    ("token-ids", "a contract: a switch of `embed`, a file of `models check`"),
    (
        "metrics",
        "measures and families where they are computed, keys of records where they are read",
    ),
];

/// What `sample` takes one of, `sweep` takes a range of.
const ONE_OR_RANGE: &str = "RANGE";

/// Every command that has flags, by its whole name.
fn commands() -> Vec<(String, Command)> {
    let mut parser = parser();
    parser.build();
    let mut found = Vec::new();
    let mut open = vec![parser];
    while let Some(command) = open.pop() {
        open.extend(command.get_subcommands().cloned());
        let name = command.get_bin_name().unwrap_or("llmpr").to_owned();
        if !name.split(' ').any(|word| word == "help") {
            found.push((name, command));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    found
}

fn own_flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()))
}

/// The help of a flag, and the default behind it.
fn help(arg: &Arg) -> (String, Option<String>) {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let clap_s = arg.get_default_values().first().map(|value| value.to_string_lossy().into_owned());
    match help.split_once(" [default: ") {
        Some((help, value)) => (help.to_owned(), Some(value.trim_end_matches(']').to_owned())),
        None => (help, clap_s),
    }
}

fn value_name(arg: &Arg) -> String {
    let names: Vec<&str> =
        arg.get_value_names().unwrap_or_default().iter().map(|name| name.as_str()).collect();
    names.join(" ")
}

#[test]
fn a_flag_of_one_name_has_one_help_one_value_and_one_default() {
    let mut seen: BTreeMap<String, Vec<(String, Arg)>> = BTreeMap::new();
    for (name, command) in commands() {
        for arg in own_flags(&command).filter(|arg| arg.get_long().is_some()) {
            let long = arg.get_long().unwrap_or_default().to_owned();
            seen.entry(long).or_default().push((name.clone(), arg.clone()));
        }
    }
    // Draws and halves of rows cost a sweep as often as it has cells, so that it takes fewer of them; and a
    // person who looks at prompts wants to see one. A report is a page unless it is asked for otherwise.
    let by_command = ["n", "resamples", "permutations", "embedder", "prompt-count", "format"];
    let mut shared = 0;
    for (long, uses) in &seen {
        if OTHERS.iter().any(|(name, _)| name == long) {
            continue;
        }
        let (first, one) = &uses[0];
        for (command, arg) in &uses[1..] {
            let which = format!("--{long} of `{first}` and `{command}`");
            let ((help_one, default_one), (help_arg, default)) = (help(one), help(arg));
            assert_eq!(help_one, help_arg, "{which}");
            assert_eq!(one.get_short(), arg.get_short(), "{which}");
            let (value_one, value) = (value_name(one), value_name(arg));
            if [&value_one, &value].iter().any(|name| *name == ONE_OR_RANGE) {
                continue;
            }
            assert_eq!(value_one, value, "{which}");
            if !by_command.contains(&long.as_str()) {
                assert_eq!(default_one, default, "{which}");
            }
            shared += 1;
        }
    }
    assert!(shared > 30, "only {shared} flags are shared");
}

#[test]
fn every_flag_has_a_help() {
    for (name, command) in commands() {
        for arg in own_flags(&command) {
            assert!(!help(arg).0.is_empty(), "{name}: {} has no help", arg.get_id());
        }
    }
}

#[test]
fn every_command_prints_its_help() {
    for (name, mut command) in commands() {
        let text = command.render_long_help().to_string();
        assert!(text.contains("Usage: llmpr"), "{name}: {text}");
    }
}

#[test]
fn old_and_other_names_are_understood_and_not_shown() {
    let names = [
        ("embed", "max-tokens", "embed-tokens"),
        ("refine", "max-tokens", "embed-tokens"),
        ("refine", "score-seed", "seed"),
        ("sample", "models", "model"),
        ("sample", "seeds", "seed"),
        ("sample", "temps", "temperature"),
        ("score", "max-tokens", "embed-tokens"),
        ("score", "score-seed", "seed"),
        ("sweep", "max-tokens", "embed-tokens"),
        ("sweep", "model", "models"),
        ("sweep", "prompts", "prompt-count"),
        ("sweep", "seed", "seeds"),
        ("sweep", "temperature", "temps"),
        ("tune", "max-tokens", "embed-tokens"),
        ("tune", "model", "models"),
        ("tune", "prompts", "prompt-count"),
        ("tune", "seed", "seeds"),
        ("tune", "temperature", "temps"),
        ("models bench", "batch", "rows"),
    ];
    let mut found = Vec::new();
    let commands = commands();
    for (command, parser) in &commands {
        for arg in own_flags(parser) {
            for alias in arg.get_all_aliases().unwrap_or_default() {
                let command = command.trim_start_matches("llmpr ").to_owned();
                found.push((
                    command,
                    alias.to_owned(),
                    arg.get_long().unwrap_or_default().to_owned(),
                ));
            }
            assert!(arg.get_visible_aliases().unwrap_or_default().is_empty(), "{}", arg.get_id());
        }
    }
    let mut wanted: Vec<_> =
        names.map(|(command, alias, name)| [command, alias, name].map(str::to_owned)).to_vec();
    let mut found: Vec<_> = found.into_iter().map(|(a, b, c)| [a, b, c]).collect();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted, "the table of cli/flags and this list say what is understood");
}

#[test]
fn what_writes_writes_where_o_says() {
    let writing =
        ["compare", "embed", "refine", "report", "sample", "score", "slurm", "sweep", "tune"];
    let commands = commands();
    for name in writing {
        let (_, command) = commands
            .iter()
            .find(|(full, _)| full.strip_prefix("llmpr ") == Some(name))
            .unwrap_or_else(|| panic!("no command {name}"));
        let out = own_flags(command).find(|arg| arg.get_long() == Some("out"));
        assert_eq!(out.and_then(Arg::get_short), Some('o'), "{name}");
    }
}

#[test]
fn help_shows_the_library_s_defaults() {
    let commands = commands();
    let said = |command: &str, flag: &str| {
        let (_, found) = commands.iter().find(|(name, _)| name.ends_with(command)).unwrap();
        own_flags(found).find(|arg| arg.get_long() == Some(flag)).and_then(|arg| help(arg).1)
    };
    assert_eq!(said("score", "resamples").as_deref(), Some("200"));
    assert_eq!(said("sweep", "resamples").as_deref(), Some("100"));
    assert_eq!(said("sweep", "n").as_deref(), Some("500; of the bundled world 200"));
    assert_eq!(said("sweep", "lambdas").as_deref(), Some("0.1,0.2,0.5,1,2,5,10"));
    assert_eq!(said("embed", "embed-tokens").as_deref(), Some("1024"));
}
