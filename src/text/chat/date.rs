//! A calendar day, and C's `strftime` of its first second.

use super::ChatError;

/// A calendar day, as templates that write a date see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
}

impl Default for Date {
    /// 26 July 2024, the day that Llama 3's own template falls back to: prompts do not change daily.
    fn default() -> Self {
        Self { year: 2024, month: 7, day: 26 }
    }
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

impl std::fmt::Display for Date {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

impl std::str::FromStr for Date {
    type Err = ChatError;

    /// `2024-07-26`.
    fn from_str(word: &str) -> Result<Self, ChatError> {
        let no = || ChatError::NoDate { word: word.to_owned() };
        let mut parts = word.split('-');
        let mut number = || parts.next().and_then(|part| part.parse::<u16>().ok());
        let (Some(year @ 1..=9999), Some(month @ 1..=12), Some(day @ 1..=31), None) =
            (number(), number(), number(), number())
        else {
            return Err(no());
        };
        let date = Self { year, month: month as u8, day: day as u8 };
        if date.day > date.days_of_month(date.month) { Err(no()) } else { Ok(date) }
    }
}

/// How a field is padded where its directive does not say.
#[derive(Clone, Copy)]
enum Pad {
    Zero,
    Space,
}

impl Date {
    fn is_leap(self) -> bool {
        self.year.is_multiple_of(4)
            && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400))
    }

    fn days_of_month(self, month: u8) -> u8 {
        match month {
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(self.is_leap()),
            _ => 31,
        }
    }

    /// The day of the year, 0 to 365.
    fn day_of_year(self) -> i32 {
        (1..self.month).map(|m| i32::from(self.days_of_month(m))).sum::<i32>() + i32::from(self.day)
            - 1
    }

    /// Days since 1 January of the year 1.
    fn ordinal(self) -> i32 {
        let before = i32::from(self.year) - 1;
        before * 365 + before / 4 - before / 100 + before / 400 + self.day_of_year()
    }

    /// 0 is Sunday.
    fn weekday(self) -> i32 {
        (self.ordinal() + 1) % 7
    }

    /// Year and week of ISO 8601, whose weeks begin on Monday and belong to the year of their Thursday.
    fn iso_week(self) -> (i32, i32) {
        let monday_first = (self.weekday() + 6) % 7;
        let thursday = self.day_of_year() - monday_first + 3;
        let length = |leap: bool| 365 + i32::from(leap);
        let year = i32::from(self.year);
        if thursday < 0 {
            let before = Self { year: self.year - 1, ..self };
            return (year - 1, (thursday + length(before.is_leap())) / 7 + 1);
        }
        if thursday >= length(self.is_leap()) {
            return (year + 1, 1);
        }
        (year, thursday / 7 + 1)
    }

    /// What `strftime` of C writes for midnight of this day without a time zone, in the C locale.
    ///
    /// Python's `datetime.strftime` is the same. A directive that does not exist stands as it is.
    pub fn format(self, format: &str) -> String {
        let mut out = String::new();
        let mut rest = format;
        while let Some(at) = rest.find('%') {
            out.push_str(&rest[..at]);
            let tail = &rest[at + 1..];
            let flags = tail.len() - tail.trim_start_matches(['-', '_', '0', '^', '#']).len();
            let width = tail[flags..].find(|c: char| !c.is_ascii_digit()).unwrap_or(0);
            let letters = tail[flags + width..].trim_start_matches(['E', 'O', ':']);
            let letter = letters.chars().next();
            let used = tail.len() - letters.len() + letter.map_or(0, char::len_utf8);
            let width = tail[flags..flags + width].parse::<usize>().ok().map(|w| w.min(1000));
            match letter.and_then(|letter| self.field(letter, &tail[..flags], width)) {
                Some(field) => out.push_str(&field),
                None => out.push_str(&rest[at..at + 1 + used]),
            }
            rest = &tail[used..];
        }
        out + rest
    }

    /// One directive; `None` for a letter that is none.
    fn field(self, letter: char, flags: &str, width: Option<usize>) -> Option<String> {
        let number = |value: i32, digits: usize, pad: Pad| {
            let pad = match flags.chars().rfind(|flag| "-_0".contains(*flag)) {
                Some('-') => None,
                Some('_') => Some(Pad::Space),
                Some(_) => Some(Pad::Zero),
                None => Some(pad),
            };
            let digits = width.unwrap_or(digits);
            match pad {
                None => value.to_string(),
                Some(Pad::Space) => format!("{value:digits$}"),
                Some(Pad::Zero) => format!("{value:0digits$}"),
            }
        };
        let two = |value: i32| number(value, 2, Pad::Zero);
        let text = |text: &str| {
            let cased = match flags {
                flags if flags.contains('^') => text.to_uppercase(),
                flags if flags.contains('#') && matches!(letter, 'p' | 'Z') => text.to_lowercase(),
                flags if flags.contains('#') => text.to_uppercase(),
                _ => text.to_owned(),
            };
            let room = width.unwrap_or(0).saturating_sub(cased.chars().count());
            let fill = if flags.contains('0') { "0" } else { " " };
            fill.repeat(room) + &cased
        };
        let (year, month, day) = (i32::from(self.year), i32::from(self.month), i32::from(self.day));
        let (name, of_week) = (MONTHS[usize::from(self.month.clamp(1, 12)) - 1], self.weekday());
        let weekday = DAYS[of_week as usize % 7];
        let (iso_year, iso_week) = self.iso_week();
        Some(match letter {
            'a' => text(&weekday[..3]),
            'A' => text(weekday),
            'b' | 'h' => text(&name[..3]),
            'B' => text(name),
            'c' => text(&self.format("%a %b %e 00:00:00 %Y")),
            'C' => two(year / 100),
            'd' => two(day),
            'D' | 'x' => text(&self.format("%m/%d/%y")),
            'e' => number(day, 2, Pad::Space),
            'f' => "000000".to_owned(),
            'F' => text(&self.format("%Y-%m-%d")),
            'g' => two(iso_year % 100),
            'G' => number(iso_year, 4, Pad::Zero),
            'H' | 'M' | 'S' => two(0),
            'I' => two(12),
            'j' => number(self.day_of_year() + 1, 3, Pad::Zero),
            'k' => number(0, 2, Pad::Space),
            'l' => number(12, 2, Pad::Space),
            'm' => two(month),
            'n' => "\n".to_owned(),
            'p' => text("AM"),
            'P' => text("am"),
            'r' => text("12:00:00 AM"),
            'R' => text("00:00"),
            's' => (i64::from(self.ordinal() - 719_162) * 86_400).to_string(),
            't' => "\t".to_owned(),
            'T' | 'X' => text("00:00:00"),
            'u' => number((of_week + 6) % 7 + 1, 1, Pad::Zero),
            'U' => two((self.day_of_year() + 7 - of_week) / 7),
            'V' => two(iso_week),
            'w' => number(of_week, 1, Pad::Zero),
            'W' => two((self.day_of_year() + 7 - (of_week + 6) % 7) / 7),
            'y' => two(year % 100),
            'Y' => number(year, 4, Pad::Zero),
            'z' | 'Z' => String::new(),
            '%' => "%".to_owned(),
            _ => return None,
        })
    }
}
