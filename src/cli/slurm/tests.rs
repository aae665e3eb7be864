use super::*;
use crate::run::plan::Parts;
use script::{as_bash_reads, script};

fn args(words: &[&str]) -> Args {
    let all = words.iter().chain(&["--", "--models", "a b", "--task", "webtext"]);
    let all: Vec<String> = all.map(|&word| word.to_owned()).collect();
    flags::parse("llmpr slurm", &all).unwrap_or_else(|error| panic!("{error}"))
}

fn written(words: &[&str], parts: &[usize]) -> anyhow::Result<String> {
    let args = args(words);
    script(&args, &args.sweep, &Parts::new(parts.to_vec()).unwrap(), "0-2")
}

#[test]
fn the_script_has_the_array_the_shard_and_the_quoted_flags() {
    let script = written(&["--at-a-time", "2", "--gpus", "1"], &[2, 1]).unwrap();
    for wanted in [
        "#SBATCH --array=0-2%2\n",
        "#SBATCH --gres=gpu:1\n",
        "part=(--shard \"$SLURM_ARRAY_TASK_ID/2+1\")",
        " sweep --models 'a b' --task webtext \"${part[@]}\" &",
        "--dependency=afterany:",
    ] {
        assert!(script.contains(wanted), "{wanted}: {script}");
    }
    assert!(!script.contains("mail"), "{script}");
}

#[test]
fn options_of_sbatch_are_quoted_as_sbatch_reads_them_and_the_script_s_own_are_refused() {
    let all =
        ["--gres", "gpu:a100:2", "--qos", "long", "--constraint", "a&b", "--mail-user", "me@x.org"];
    let more =
        ["--sbatch", "comment=it's \"a\" #b\\", "--sbatch", "exclusive", "--sbatch=--nice=10"];
    let script = written(&[&all[..], &more[..]].concat(), &[3]).unwrap();
    for wanted in [
        "--gres=gpu:a100:2\n",
        "--qos=long\n",
        "--constraint=\"a&b\"\n",
        "--mail-user=me@x.org\n#SBATCH --mail-type=END,FAIL\n",
        "--comment=\"it's \\\"a\\\" #b\\\\\"\n",
        "#SBATCH --exclusive\n",
        "#SBATCH --nice=10\n",
    ] {
        assert!(script.contains(wanted), "{wanted}: {script}");
    }
    let message = written(&["--qos", "a\nb"], &[1]).unwrap_err().to_string();
    assert!(message.contains("line break"), "{message}");
    let refused = |word: &str| word.parse::<Directive>().unwrap_err();
    assert_eq!(refused("array=0-9"), "`array` is the script's own: --jobs and --at-a-time make it");
    assert!(refused("=3").contains("write KEY=VALUE") && refused("a b=3").contains("KEY=VALUE"));
}

#[test]
fn words_are_quoted_as_the_shell_reads_them() {
    assert_eq!(as_bash_reads("0.2..1.5"), "0.2..1.5");
    assert_eq!(as_bash_reads("it's"), r"'it'\''s'");
    assert_eq!(as_bash_reads(""), "''");
}

#[test]
fn times_are_those_of_sbatch() {
    for (text, wanted) in [
        ("90", 5400.0),
        ("1:30", 90.0),
        ("01:00:00", 3600.0),
        ("2-3", 2.0 * 86_400.0 + 3.0 * 3600.0),
        ("1-0:30", 86_400.0 + 1800.0),
        ("1-00:00:01", 86_401.0),
        ("UNLIMITED", f64::INFINITY),
    ] {
        assert_eq!(size::seconds(text).unwrap(), wanted, "{text}");
    }
    for text in ["", "0", "soon", "1:2:3:4", "1-", "-5", "1h"] {
        let message = size::seconds(text).unwrap_err().to_string();
        assert!(message.contains("is no time limit"), "{message}");
    }
}

#[test]
fn jobs_are_spread_over_models_by_their_cells_and_none_has_two() {
    assert_eq!(size::spread(4, &[6, 6]), [2, 2]);
    assert_eq!(size::spread(5, &[6, 6]), [3, 2]);
    assert_eq!(size::spread(1, &[6, 6, 6]), [1, 1, 1]);
    assert_eq!(size::spread(100, &[3, 2]), [3, 2]);
    assert_eq!(size::spread(4, &[9, 3]), [3, 1]);
}
