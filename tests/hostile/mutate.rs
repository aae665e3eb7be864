//! What is done to the bytes of a file.

/// A stream of random numbers (SplitMix64), so that a kind and a number make an input again.
pub struct Chance(u64);

impl Chance {
    pub fn new(kind: &str, number: u64) -> Self {
        // FNV-1a over the name.
        let hash = |h: u64, byte: u8| (h ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        let mut chance = Self(kind.bytes().fold(0xcbf2_9ce4_8422_2325, hash) ^ number);
        chance.next();
        chance
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn one_of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }

    /// A place in `length` bytes; half of the time among the first thousand, where headers are.
    fn place(&mut self, length: usize) -> usize {
        if self.once_in(2) { self.below(length.min(1000)) } else { self.below(length) }
    }

    /// A range of at most `most` bytes in `length`.
    fn range(&mut self, length: usize, most: usize) -> std::ops::Range<usize> {
        let from = self.place(length);
        let size = 1 + self.below(most.min(length - from).max(1));
        from..(from + size).min(length)
    }
}

/// Numbers at the edges of types and of sense.
pub const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    7,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 40,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

/// The same where they are written out.
pub const WRITTEN: [&str; 16] = [
    "0",
    "-1",
    "1",
    "4294967295",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "1e308",
    "1e999",
    "-0.0",
    "NaN",
    "Infinity",
    "1e-320",
    "0.1e",
    "99999999999999999999999999",
];

/// Words that mean something to some reader.
pub const WORDS: [&str; 22] = [
    "",
    "null",
    "true",
    "[]",
    "{}",
    "\"\"",
    "../",
    "../../../../etc/passwd",
    "/dev/zero",
    "\\u0000",
    "\\ud800",
    "\u{0}",
    "\u{feff}",
    "\r\n",
    "%s%n",
    "{{ x }}",
    "{% for",
    "\"\"\"",
    "𝕳\u{301}",
    "\u{202e}",
    "..",
    "C:\\x",
];

/// No file grows beyond this.
const LONGEST: usize = 1 << 18;

/// One to six changes of `bytes`; `others` are files of the kind, of which parts are taken.
pub fn mutated(chance: &mut Chance, bytes: &[u8], others: &[Vec<u8>], words: &[&str]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + chance.below(3) + chance.below(4) {
        change(chance, &mut bytes, others, words);
        bytes.truncate(LONGEST);
    }
    bytes
}

fn change(chance: &mut Chance, bytes: &mut Vec<u8>, others: &[Vec<u8>], words: &[&str]) {
    let length = bytes.len();
    let what = chance.below(18);
    if length == 0 {
        bytes.extend_from_slice(chance.one_of::<Vec<u8>>(others));
        return;
    }
    match what {
        0 | 1 => {
            let at = chance.place(length);
            bytes[at] ^= 1 << chance.below(8);
        }
        2 => {
            let at = chance.place(length);
            bytes[at] = *chance.one_of(&[
                0, 1, 0x7f, 0x80, 0xff, b'"', b'{', b'[', b',', b'-', b'9', b'\n', b'\\',
            ]);
        }
        3 => bytes.truncate(chance.below(length + 1)),
        4 => drop(bytes.drain(chance.range(length, length))),
        5 => drop(bytes.drain(chance.range(length, 16))),
        6 => {
            let part = bytes[chance.range(length, 4096)].to_vec();
            let times = *chance.one_of(&[1, 1, 2, 30]);
            let at = chance.place(length);
            bytes.splice(at..at, part.repeat(times));
        }
        7 => {
            let other = chance.one_of(others);
            let (at, from) = (chance.below(length), chance.below(other.len() + 1));
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        8 => {
            let at = chance.place(length);
            let noise: Vec<u8> = (0..1 + chance.below(24)).map(|_| chance.next() as u8).collect();
            bytes.splice(at..at, noise);
        }
        9 | 10 => number(chance, bytes),
        11 | 12 => written(chance, bytes),
        13 => {
            let at = chance.place(length);
            let bad: &[u8] = chance.one_of::<&[u8]>(&[
                &b"\xff"[..],
                b"\xc0\x80",
                b"\xed\xa0\x80",
                b"\xf4\x90\x80\x80",
                b"\xe2\x82",
            ]);
            bytes.splice(at..at, bad.iter().copied());
        }
        14 if chance.once_in(4) => nest(chance, bytes),
        14 => {
            let (a, b) = (chance.range(length, 64), chance.range(length, 64));
            let part = bytes[a].to_vec();
            bytes.splice(b, part);
        }
        15 => {
            let lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
            let line = chance.one_of(&lines).to_vec();
            let at: usize = lines[..chance.below(lines.len())].iter().map(|line| line.len()).sum();
            bytes.splice(at..at, line);
        }
        _ => {
            let all = if words.is_empty() || chance.once_in(3) { &WORDS[..] } else { words };
            let word = chance.one_of(all).as_bytes().to_vec();
            let at = chance.place(length);
            let end = if chance.once_in(2) {
                at
            } else {
                chance.range(length, word.len() + 1).end.max(at)
            };
            bytes.splice(at..end, word);
        }
    }
}

/// A binary number somewhere becomes another.
fn number(chance: &mut Chance, bytes: &mut [u8]) {
    let size = *chance.one_of(&[1, 2, 4, 8]);
    if bytes.len() < size {
        return;
    }
    let mut at = chance.place(bytes.len() - size + 1);
    if chance.once_in(2) {
        at -= at % size;
    }
    let length = bytes.len() as u64;
    let place = &mut bytes[at..at + size];
    let mut whole = [0; 8];
    whole[..size].copy_from_slice(place);
    let old = u64::from_le_bytes(whole);
    let new = match chance.below(4) {
        0 => old.wrapping_add(1 + chance.below(16) as u64),
        1 => old.wrapping_sub(1 + chance.below(16) as u64),
        2 => length.wrapping_add(chance.below(9) as u64).wrapping_sub(4),
        _ => *chance.one_of(&NUMBERS),
    };
    place.copy_from_slice(&new.to_le_bytes()[..size]);
    if chance.once_in(5) {
        place.reverse();
    }
}

/// A number that is written out becomes another.
fn written(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let from = chance.place(bytes.len());
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[from..].iter().position(digit).map(|at| from + at) else { return };
    let size = bytes[start..].iter().position(|byte| !digit(byte)).unwrap_or(bytes.len() - start);
    bytes.splice(start..start + size, chance.one_of(&WRITTEN).bytes());
}

/// Something stands in itself, deeper than anybody would write it.
fn nest(chance: &mut Chance, bytes: &mut Vec<u8>) {
    let depth = *chance.one_of(&[3, 60, 130, 3000, 40_000]);
    let (open, close) = *chance.one_of(&[
        ("[", "]"),
        ("{\"a\":", "}"),
        ("(", ")"),
        ("{{", "}}"),
        ("- ", ""),
        ("a.", ""),
        ("not ", ""),
    ]);
    let at = chance.place(bytes.len());
    let end = if close.is_empty() || chance.once_in(2) {
        at
    } else {
        at + chance.below(bytes.len() - at)
    };
    let inner = bytes[at..end].to_vec();
    let nested =
        [open.repeat(depth).into_bytes(), inner, close.repeat(depth).into_bytes()].concat();
    bytes.splice(at..end, nested);
}
