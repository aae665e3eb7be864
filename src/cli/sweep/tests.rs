//! Flags, files and presets become one set of settings.

use super::*;
use crate::{cloud::neighbors::Ties, decode::knobs, score::Unequal};

fn settings(flags: &str) -> anyhow::Result<SweepSettings> {
    let words: Vec<String> = flags.split_whitespace().map(str::to_owned).collect();
    flags::parse::<Args>("llmpr sweep", &words)?.settings()
}

#[test]
fn the_card_s_example_needs_nothing_else() {
    let settings = settings("--temps 0.2..1.5").unwrap();
    assert_eq!(settings.models, ["tiny-bio", "tiny-bio-chat"]);
    assert_eq!((settings.task.as_str(), settings.embedder.as_str()), (WORLD, "tiny-gpt2"));
    assert_eq!(settings.grid.points().unwrap().len(), 14 * 3);
}

#[test]
fn flags_go_before_the_file_and_the_file_before_the_preset() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    std::fs::write(&path, "n = 7\ntemps = [0.5, 1]\nmodels = ['a', 'b']\nties = 'inclusive'")
        .unwrap();
    let flags = format!("--preset acl2024-bio --config {} -n 9 --shots 1", path.display());
    let settings = settings(&flags).unwrap();
    assert_eq!(settings.n_samples, 9);
    assert_eq!(settings.models, ["a", "b"]);
    assert_eq!(settings.grid.temperatures.values(), [0.5, 1.0]);
    assert_eq!(settings.grid.shots.values(), [1]);
    assert_eq!(settings.score.ties, Ties::Inclusive);
    assert_eq!(settings.grid.points().unwrap()[0].decoding.top_k, Some(50));
}

#[test]
fn every_knob_s_flag_reaches_the_cells() {
    for knob in knobs::optional() {
        let range = match knob.flag {
            "p-less" => "1",
            "dry-base" => "1.25,1.5",
            _ if knob.whole => "7,9",
            _ => "0.25,0.5",
        };
        let of = knob.shapes.as_ref().map(|shapes| format!(" --{} 0.5", shapes.of.flag));
        let flags =
            format!("--temps 1 --shots 0 --{} {range}{}", knob.flag, of.unwrap_or_default());
        let settings = settings(&flags).unwrap();
        let points = settings.grid.points().unwrap();
        let values: Vec<_> = points.iter().map(|p| knob.text(&p.decoding)).collect();
        let wanted: Vec<_> = range.split(',').map(|value| Some(value.to_owned())).collect();
        assert_eq!(values, wanted, "--{}", knob.flag);
    }
}

#[test]
fn every_preset_is_a_sweep_once_its_models_are_named() {
    for name in presets::names() {
        let flags = format!("--preset {name} --models m --task webtext");
        let settings = settings(&flags).unwrap_or_else(|error| panic!("{name}: {error}"));
        settings.grid.points().unwrap();
    }
}

#[test]
fn a_file_s_mistake_is_said_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    for (text, wanted) in [
        ("n = 7\ntemps = '1.5..0.2'\n", ":2: range `1.5..0.2`, character 1"),
        ("n = 7\n\nwarmth = 1\n", ":3: unknown field `warmth`"),
        ("ties = 'loose'", ":1: ties `loose` is neither `strict` nor `inclusive`"),
        ("n = -1", ":1: `-1` for n: invalid digit"),
        ("dtype = {}", ":1: dtype is a word, a number or a list of them"),
        ("n = ", ":1: "),
    ] {
        std::fs::write(&path, text).unwrap();
        let flags = format!("--config {}", path.display());
        let message = settings(&flags).unwrap_err().to_string();
        assert!(message.contains(wanted), "{message}");
    }
}

#[test]
fn what_is_missing_is_asked_for() {
    let message = |flags| settings(flags).unwrap_err().to_string();
    assert!(message("--models m").contains("name the task with --task: wikipedia-bio"));
    assert!(message("--task webtext").contains("name the models with --models"));
    assert!(message("--preset none").contains("no preset `none`; there are acl2024-bio"));
    assert!(message("--temps 1.5..0.2").contains("write 0.2..1.5"));
    assert!(message("--k 0").contains("k = 0"));
}

#[test]
fn every_setting_of_a_score_is_one_of_a_sweep_by_flag_and_by_file() {
    let usual = settings("").unwrap().score;
    let flags = "--k 5 --pca none --normalize none --ties inclusive --unequal keep --metrics curve \
                 --clusters 30 --scaling 2 --lambdas 0.5,3 --resamples 7 --permutations 9";
    let given = settings(flags).unwrap().score;
    let json = |score: &ScoreOptions| serde_json::to_value(score).unwrap();
    for (name, value) in json(&given).as_object().unwrap() {
        let is_usual = &json(&usual)[name] == value;
        assert_eq!(is_usual, ["seed", "embedder"].contains(&name.as_str()), "{name}");
    }
    assert_eq!((given.lambdas.as_slice(), given.unequal), (&[0.5, 3.0][..], Unequal::Keep));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    std::fs::write(&path, "lambdas = [0.5, 3]\nunequal = 'keep'").unwrap();
    let file = settings(&format!("--config {} --lambdas 4", path.display())).unwrap().score;
    assert_eq!((file.lambdas.as_slice(), file.unequal), (&[4.0][..], Unequal::Keep));
    let wrong = settings("--lambdas 1,-2").unwrap_err().to_string();
    assert_eq!(wrong, "lambda = -2 is outside (0, ∞)");
}

#[test]
fn names_of_other_commands_and_of_old_are_understood_in_flags_and_in_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.toml");
    let old =
        "model = 'a'\ntask = 'webtext'\ntemperature = 0.7\nseed = 3\nmax-tokens = 9\nprompts = 4";
    std::fs::write(&path, old).unwrap();
    let by_file = settings(&format!("--config {}", path.display())).unwrap();
    let by_flags =
        settings("--model a --task webtext --temperature 0.7 --seed 3 --max-tokens 9 --prompts 4")
            .unwrap();
    let now = settings(
        "--models a --task webtext --temps 0.7 --seeds 3 --embed-tokens 9 --prompt-count 4",
    )
    .unwrap();
    assert_eq!((now.embed_tokens, now.prompts), (9, Some(4)));
    assert_eq!(now.grid.seeds.values(), [3]);
    assert_eq!(format!("{by_file:?}"), format!("{now:?}"));
    assert_eq!(format!("{by_flags:?}"), format!("{now:?}"));
}

#[test]
fn a_faithful_preset_has_the_faults_of_its_paper_s_code_and_a_sound_one_none() {
    let words = |flags: &str| settings(flags).unwrap().quirks.words().join(",");
    let of = |name: &str| words(&format!("--preset {name} --models m"));
    let faithful = |name: &str| words(&format!("--preset {name} --models m --faithful"));
    assert_eq!(faithful("acl2024-webtext"), "chars:370,penalized-eos,shared-texts");
    assert_eq!(faithful("acl2024-bio"), "penalized-eos,cut-prompts,shared-texts");
    assert_eq!(faithful("acl2024-creative"), "penalized-eos");
    for name in presets::with_code() {
        assert_eq!(of(name), "", "{name}");
    }
    let flags = "--preset acl2024-bio --models m --faithful --quirks none --seeds 4";
    let without = settings(flags).unwrap();
    assert_eq!((without.quirks.words().len(), without.grid.seeds.values()), (0, &[4][..]));
    assert_eq!(
        settings("--preset acl2024-bio --models m --faithful").unwrap().grid.seeds.values(),
        [1]
    );
}

#[test]
fn what_has_no_code_to_be_faithful_to_is_refused() {
    let message = |flags| settings(flags).unwrap_err().to_string();
    assert_eq!(
        message("--faithful"),
        "--faithful imitates the code of a paper; say whose with --preset: acl2024-bio, acl2024-creative, acl2024-webtext"
    );
    assert_eq!(
        message("--preset mauve2021-webtext --models m --faithful"),
        "nothing of the code behind preset `mauve2021-webtext` can be imitated further; leave out --faithful"
    );
    assert!(message("--preset quick --faithful").starts_with("nothing of the code behind"));
    assert!(
        message("--quirks loose").contains("chars:N, penalized-eos, cut-prompts and shared-texts")
    );
}

#[test]
fn a_preset_s_old_name_means_the_same() {
    let of =
        |name: &str| format!("{:?}", settings(&format!("--preset {name} --models m")).unwrap());
    assert_eq!(of("mauve-webtext"), of("mauve2021-webtext"));
}
