//! How long a server is waited for, and how long to pause between two tries.

use std::{
    str::FromStr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// First pause, before it is made uneven.
pub(super) const FIRST: Duration = Duration::from_secs(1);
/// Longest pause.
const LONGEST: Duration = Duration::from_secs(60);

/// The longest time without progress on one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(pub Duration);

impl Default for Patience {
    fn default() -> Self {
        Self(Duration::from_secs(15 * 60))
    }
}

/// Why a word is no [`Patience`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no time to wait; write 90s, 15m or 2h")]
pub struct PatienceError {
    /// The word.
    pub word: String,
}

impl FromStr for Patience {
    type Err = PatienceError;

    fn from_str(word: &str) -> Result<Self, PatienceError> {
        let no = || PatienceError { word: word.to_owned() };
        let (number, unit) = match word.char_indices().next_back() {
            Some((at, 's')) => (&word[..at], 1.0),
            Some((at, 'm')) => (&word[..at], 60.0),
            Some((at, 'h')) => (&word[..at], 3600.0),
            _ if word == "0" => (word, 1.0),
            _ => return Err(no()),
        };
        let number: f64 = number.parse().map_err(|_| no())?;
        Duration::try_from_secs_f64(number * unit).map(Self).map_err(|_| no())
    }
}

impl std::fmt::Display for Patience {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&spoken(self.0))
    }
}

/// `90s`, `15m`, `2h`, as they are written.
pub(super) fn spoken(time: Duration) -> String {
    match time.as_secs() {
        seconds if time.subsec_millis() > 0 && seconds < 10 => format!("{}s", time.as_secs_f64()),
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

/// Pauses that grow and are uneven, so that many clients do not come back together.
pub(super) struct Pauses {
    next: Duration,
    state: u64,
}

impl Pauses {
    /// Pauses from `first` on, made uneven by the clock and by `salt`.
    pub fn new(first: Duration, salt: u64) -> Self {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos() as u64);
        let process = u64::from(std::process::id()) << 32;
        Self { next: first, state: clock ^ process ^ salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) }
    }

    /// The next pause: between half and the whole of a time that doubles.
    pub fn next(&mut self) -> Duration {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let share = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        let pause = self.next.mul_f64(0.5 + share / 2.0);
        self.next = (self.next * 2).min(LONGEST);
        pause
    }
}

/// What `Retry-After` asks for: seconds, or the time until a date.
pub(super) fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let at = UNIX_EPOCH + Duration::from_secs(date(value)?);
    Some(at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// Seconds since 1970 of `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut words = text.split_once(", ")?.1.split([' ', '-']);
    let day: u64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let month = MONTHS.find(month).filter(|at| month.len() == 3 && at % 3 == 0)? as u64 / 3 + 1;
    let year: u64 = words.next()?.parse().ok()?;
    let mut clock = words.next()?.split(':').map(|part| part.parse::<u64>().ok());
    let (hours, minutes, seconds) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1970..10_000).contains(&year) || !(1..=31).contains(&day) {
        return None;
    }
    // Hinnant's days_from_civil: years counted from March.
    let shifted = year - u64::from(month <= 2);
    let of_era = shifted % 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = shifted / 400 * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year;
    Some((days - 719_468) * 86_400 + hours * 3600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_wait_are_read_as_they_are_written() {
        for (word, seconds) in [("90s", 90), ("15m", 900), ("2h", 7200), ("0", 0)] {
            let read: Patience = word.parse().unwrap();
            assert_eq!(read.0.as_secs(), seconds);
        }
        assert_eq!(Patience::default().to_string(), "15m");
        assert_eq!("90s".parse::<Patience>().unwrap().to_string(), "90s");
        for word in ["", "15", "m", "-1s", "nanm", "1d"] {
            let error = word.parse::<Patience>().unwrap_err().to_string();
            assert!(error.contains("write 90s, 15m or 2h"), "{error}");
        }
    }

    #[test] // RFC 9110, section 5.6.7; seconds by `date -d … +%s`
    fn a_date_is_as_good_as_seconds() {
        assert_eq!(date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(date("Thu, 29 Feb 2096 00:00:00 GMT"), Some(3_981_312_000));
        assert_eq!(date("soon"), None);
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert_eq!((retry_after("-3"), retry_after("later")), (None, None));
    }

    #[test]
    fn pauses_grow_and_no_two_clients_have_the_same() {
        let mut pauses = Pauses::new(FIRST, 1);
        let first: Vec<f64> = (0..12).map(|_| pauses.next().as_secs_f64()).collect();
        for (at, pause) in first.iter().enumerate() {
            let most = f64::min(2f64.powi(at as i32), 60.0);
            assert!((most / 2.0..=most).contains(pause), "{at}: {pause} of {most}");
        }
        let mut other = Pauses::new(FIRST, 2);
        assert_ne!(first[0], other.next().as_secs_f64());
    }
}
