//! Lines on stdout and stderr whose reader may have gone away: `println!` and `eprintln!` would panic.

/// Writes a line to stderr; where nobody can read it, it is left unsaid.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

/// Writes a line to stdout and gives what became of it, see [`to_stdout`](super::to_stdout).
macro_rules! tell {
    ($($words:tt)*) => {
        $crate::cli::to_stdout(&(format!($($words)*) + "\n"))
    };
}
