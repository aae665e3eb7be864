//! Whether main memory holds a score, told before anything is read.

use anyhow::bail;

use crate::{
    data::{
        memory::{Bytes, installed, reserve},
        sides::Sides,
    },
    score::{ScoreOptions, plan::Memory},
};

/// Says that a scratch file has no room, and ends the process.
pub fn full(said: &str) -> ! {
    say!("llmpr: {said}");
    std::process::exit(1)
}

/// What the program takes beside a score: its code, its threads and their buffers.
const PROGRAM: u64 = 128 << 20;

/// Refuses a score of so many rows of `dim` columns where `limit`, or the machine without one, cannot hold it.
///
/// # Errors
///
/// One sentence with the numbers and what to do.
pub fn check(
    rows: Sides<usize>,
    dim: usize,
    limit: Option<Bytes>,
    options: &ScoreOptions,
) -> anyhow::Result<()> {
    let Memory { rows: values, lists } = Memory::of(rows, dim, options);
    // Covariances of the columns and what they are decomposed by.
    let least = PROGRAM + lists;
    let Sides { reference: n, model: m } = rows;
    let fewer = "measure fewer rows (--unequal subsample draws the larger side down), or leave out intervals and p-values \
                 (--resamples 0 --permutations 0)";
    match limit {
        Some(limit) if least + reserve(limit).0 > limit.0 => {
            let enough = least + (least / 3).max(reserve(Bytes(0)).0);
            let enough = enough.next_multiple_of(64 << 20);
            bail!(
                "--memory {limit} is too little: lists for {n} and {m} rows take {}, the program {}, neither of which can lie \
                 in files, and {} are left for what is read; give --memory {}M, {fewer}",
                Bytes(lists),
                Bytes(PROGRAM),
                reserve(limit),
                enough >> 20
            )
        }
        None if installed().is_some_and(|all| least + values > all) => {
            let all = installed().unwrap_or_default();
            bail!(
                "{n} and {m} rows of {dim} columns take {} and their lists {}, and this machine has {}: give \
                 --memory {}M, and rows stay in files; or {fewer}",
                Bytes(values),
                Bytes(lists),
                Bytes(all),
                (all / 2) >> 20
            )
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_holds_no_lists_is_refused_with_the_numbers() {
        let many = Sides { reference: 1_000_000, model: 1_000_000 };
        let options = ScoreOptions::default();
        let said = |limit: &str| check(many, 64, Some(limit.parse().unwrap()), &options);
        let refused = said("1G").unwrap_err().to_string();
        assert!(
            refused.starts_with("--memory 1.0 GiB is too little: lists for 1000000 and"),
            "{refused}"
        );
        let (_, given) = refused.split_once("give --memory ").unwrap();
        let enough = given.split(',').next().unwrap();
        said(enough).unwrap();
    }

    #[test]
    fn rows_beyond_the_machine_need_a_limit() {
        let options =
            ScoreOptions { metrics: "frechet_distance".parse().unwrap(), ..Default::default() };
        let many = Sides { reference: 4_000_000_000, model: 2000 };
        let refused = check(many, 4096, None, &options).unwrap_err().to_string();
        assert!(refused.contains("this machine has") && refused.contains("--memory "), "{refused}");
        check(many, 4096, Some(Bytes(1 << 30)), &options).unwrap();
        check(Sides { reference: 500, model: 500 }, 16, None, &options).unwrap();
    }
}
