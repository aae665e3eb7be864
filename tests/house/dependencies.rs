//! Licences and sources of all that is compiled in, by the lists of `deny.toml`.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use super::ROOT;

/// Every package that `Cargo.lock` names, by Cargo.
fn packages() -> Vec<Value> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let args = ["metadata", "--format-version", "1", "--all-features", "--locked", "--offline"];
    let out = Command::new(cargo).args(args).current_dir(ROOT).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let metadata: Value = serde_json::from_slice(&out.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

fn rules() -> toml::Table {
    table("deny.toml")
}

fn table(file: &str) -> toml::Table {
    std::fs::read_to_string(format!("{ROOT}/{file}")).unwrap().parse().unwrap()
}

/// Whether a licence expression can be met with allowed licences alone; `/` is the old way to write OR.
fn permits(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at, allowed);
    assert_eq!(at, words.len(), "not a licence expression: {expression}");
    met
}

fn either(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = both(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed);
    }
    met
}

fn both(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let mut met = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed);
    }
    met
}

fn one(words: &[&str], at: &mut usize, allowed: &dyn Fn(&str) -> bool) -> bool {
    let word = words[*at];
    *at += 1;
    if word == "(" {
        let met = either(words, at, allowed);
        assert_eq!(words.get(*at), Some(&")"), "an open parenthesis");
        *at += 1;
        return met;
    }
    if words.get(*at) == Some(&"WITH") {
        let full = format!("{word} WITH {}", words[*at + 1]);
        *at += 2;
        return allowed(&full) || allowed(word);
    }
    allowed(word)
}

#[test]
fn licences_are_allowed_and_sources_are_registries() {
    let rules = rules();
    let list = rules["licenses"]["allow"].as_array().unwrap();
    let allow: BTreeSet<&str> = list.iter().map(|name| name.as_str().unwrap()).collect();
    let allowed = |name: &str| allow.contains(name);
    let packages = packages();
    assert!(packages.len() > 100, "{} packages", packages.len());
    let mut refused = Vec::new();
    for package in &packages {
        let name = format!("{} {}", package["name"], package["version"]);
        match package["license"].as_str() {
            Some(licence) if permits(licence, &allowed) => {}
            licence => refused.push(format!("{name}: {licence:?}")),
        }
        match package["source"].as_str() {
            None | Some("registry+https://github.com/rust-lang/crates.io-index") => {}
            Some(other) => refused.push(format!("{name}: from {other}")),
        }
    }
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn an_expression_is_met_as_its_words_say() {
    let allowed = |name: &str| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&name);
    for met in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(permits(met, &allowed), "{met}");
    }
    for unmet in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "Apache-2.0"] {
        assert!(!permits(unmet, &allowed), "{unmet}");
    }
}

#[test]
fn every_direct_dependency_has_its_reason() {
    let manifest = table("Cargo.toml");
    let decisions = std::fs::read_to_string(format!("{ROOT}/docs/decisions.md")).unwrap();
    let direct = ["dependencies", "build-dependencies", "dev-dependencies"];
    let names = direct.iter().flat_map(|kind| manifest[*kind].as_table().unwrap().keys());
    let without: Vec<&String> =
        names.filter(|name| !decisions.contains(&format!("`{name}`"))).collect();
    assert!(without.is_empty(), "docs/decisions.md says no reason for {without:?}");
}

#[test]
fn an_exception_says_why_and_until_when() {
    let rules = rules();
    for exception in rules["advisories"]["ignore"].as_array().unwrap() {
        let reason = exception["reason"].as_str().unwrap();
        let date = reason.rsplit("by ").next().unwrap();
        let form = date.len() == 10 && date.split('-').all(|part| part.parse::<u32>().is_ok());
        assert!(form && reason.len() > 30, "{exception}");
    }
}

#[test]
fn both_tools_of_advisories_have_the_same_exceptions() {
    let (deny, audit) = (rules(), table(".cargo/audit.toml"));
    let of_deny = deny["advisories"]["ignore"].as_array().unwrap().iter();
    let of_deny: BTreeSet<&str> = of_deny.map(|one| one["id"].as_str().unwrap()).collect();
    let of_audit = audit["advisories"]["ignore"].as_array().unwrap().iter();
    assert_eq!(of_audit.map(|id| id.as_str().unwrap()).collect::<BTreeSet<&str>>(), of_deny);
}
