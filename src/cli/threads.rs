//! How many threads compute.

/// Computes on as many cores as Slurm gave each task, where it did and nothing else is asked for. How many cores this
/// process may run on at all, by its affinity and its control group, is obeyed in any case.
pub fn obey_slurm() {
    if std::env::var_os("RAYON_NUM_THREADS").is_some() {
        return;
    }
    let Ok(given) = std::env::var("SLURM_CPUS_PER_TASK") else { return };
    let allowed = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    match threads(&given, allowed) {
        Some(threads) => {
            // Refused where threads exist already, which is never this early.
            let _ = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        }
        None => {
            say!("note: SLURM_CPUS_PER_TASK={given} is no number of cores, so {allowed} are used")
        }
    }
}

/// The smaller of what Slurm gave and what is allowed.
fn threads(given: &str, allowed: usize) -> Option<usize> {
    given.parse::<usize>().ok().filter(|&n| n > 0).map(|n| n.min(allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_what_is_given_and_allowed_counts() {
        assert_eq!(threads("4", 16), Some(4));
        assert_eq!(threads("64", 16), Some(16));
        assert_eq!(["0", "many", ""].map(|given| threads(given, 16)), [None; 3]);
    }
}
