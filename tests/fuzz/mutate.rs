//! Damage at random: every mutation keeps most of a good file, so that it gets past the first check.
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::ops::Range;

/// No input grows beyond this: readers may take time in proportion to their input.
const LONGEST: usize = 1 << 18;

const WHOLE: [i64; 14] = [
    0,
    -1,
    1,
    2,
    127,
    255,
    65_535,
    65_536,
    2_147_483_647,
    -2_147_483_648,
    4_294_967_295,
    1 << 40,
    i64::MAX,
    i64::MIN,
];

const NUMBERS: [&str; 22] = [
    "0",
    "-0",
    "-1",
    "1",
    "255",
    "65536",
    "2147483647",
    "2147483648",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "18446744073709551615",
    "1e308",
    "-1e308",
    "1e-320",
    "1e999",
    "nan",
    "inf",
    "0.5",
    "1e16",
    "99999999999999999999999999",
];

/// What is apt to go wrong, above all when repeated.
const SNIPPETS: [&str; 30] = [
    "(", "[", "[[", "{", "\"", "'''", "a.", "a=[", "-", "+", "^2", "2^", "*x", "sin(", "max(x,", "if(x,",
    "\0", "é", "\u{feff}", "\r\n", " ", "\n", "#", "$", "$End", "x+", "1,", "[a]\n", "]", ")",
];

/// The input of a case: the same for the same seed, number and corpus. HDF5 files (`in_place`) keep all their bytes
/// where they are.
pub fn mutated(seed: u64, number: u64, corpus: &[Vec<u8>], in_place: bool) -> Vec<u8> {
    let mut random = SmallRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ number);
    let good = &corpus[random.random_range(0..corpus.len())];
    let mut bytes = good.clone();
    for _ in 0..random.random_range(1..=4) {
        let other = &corpus[random.random_range(0..corpus.len())];
        once(&mut random, &mut bytes, other, if in_place { 5 } else { 13 });
        bytes.truncate(LONGEST);
    }
    if in_place {
        keep_heaps(good, &mut bytes);
    }
    bytes
}

/// Puts back the heaps in which HDF5 files have their texts: HDF5 1.10 believes the sizes in them, and reads beyond its
/// memory or for ever.
fn keep_heaps(good: &[u8], bytes: &mut [u8]) {
    let starts = good.windows(4).enumerate().filter(|(_, word)| *word == b"GCOL").map(|(at, _)| at);
    for start in starts {
        let size = good.get(start + 8..start + 16).and_then(|size| size.try_into().ok());
        let end = start.saturating_add(size.map_or(0, u64::from_le_bytes) as usize).min(good.len());
        if let Some(heap) = bytes.get_mut(start..end) {
            heap.copy_from_slice(&good[start..end]);
        }
    }
}

fn once(random: &mut SmallRng, bytes: &mut Vec<u8>, other: &[u8], kinds: usize) {
    if bytes.is_empty() {
        bytes.extend_from_slice(other);
        return;
    }
    let at = place(random, bytes);
    match random.random_range(0..kinds) {
        0 => bytes[at] ^= 1 << random.random_range(0..8),
        1 => bytes[at] = random.random(),
        2 | 3 => overwrite(random, bytes, at),
        4 => bytes.truncate(at),
        5 => {
            let range = stretch(random, at, bytes.len());
            bytes.drain(range);
        }
        6 => {
            let (range, to) = (stretch(random, at, bytes.len()), place(random, bytes));
            let part = bytes[range].to_vec();
            insert(bytes, to, &part);
        }
        7 => {
            bytes.truncate(at);
            bytes.extend_from_slice(&other[place(random, other).min(other.len())..]);
        }
        8 | 9 => {
            let number = NUMBERS[random.random_range(0..NUMBERS.len())].as_bytes();
            let range = run(bytes, at, |b| b.is_ascii_digit() || b"+-.e".contains(&b));
            bytes.splice(range, number.iter().copied());
        }
        10 => {
            // A line removed, or put elsewhere as well.
            let line = run(bytes, at, |b| b != b'\n');
            if random.random() {
                bytes.drain(line);
            } else {
                let mut text = bytes[line].to_vec();
                text.push(b'\n');
                let to = run(bytes, place(random, bytes), |b| b != b'\n').start;
                insert(bytes, to, &text);
            }
        }
        11 => {
            // A word in place of another one.
            let word = |text: &[u8], at| run(text, at, |b| b.is_ascii_alphanumeric() || b == b'_');
            let from = word(other, place(random, other));
            let range = word(bytes, at);
            bytes.splice(range, other[from].iter().copied());
        }
        _ => {
            let snippet = SNIPPETS[random.random_range(0..SNIPPETS.len())].as_bytes();
            let times = [1, 1, 2, 60, 5_000, 100_000][random.random_range(0..6)];
            let times = times.min(LONGEST / snippet.len() / 2);
            insert(bytes, at, &snippet.repeat(times));
        }
    }
}

/// A place in a text; zeros are mostly room that nobody reads, so what follows them is taken.
fn place(random: &mut SmallRng, bytes: &[u8]) -> usize {
    let at = random.random_range(0..bytes.len().max(1));
    bytes.iter().skip(at).position(|&byte| byte != 0).map_or(at, |more| at + more)
}

fn stretch(random: &mut SmallRng, at: usize, length: usize) -> Range<usize> {
    let most = [1, 4, 30, 1000][random.random_range(0..4)];
    at..(at + random.random_range(1..=most)).min(length)
}

/// The bytes around `at` that `belong` together.
fn run(bytes: &[u8], at: usize, belong: impl Fn(u8) -> bool) -> Range<usize> {
    let start = bytes[..at].iter().rposition(|&b| !belong(b)).map_or(0, |i| i + 1);
    let end = bytes[at..].iter().position(|&b| !belong(b)).map_or(bytes.len(), |i| at + i);
    start..end
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

/// A binary number replaced by an extreme one.
fn overwrite(random: &mut SmallRng, bytes: &mut [u8], at: usize) {
    let whole = WHOLE[random.random_range(0..WHOLE.len())];
    let real = [f64::NAN, f64::INFINITY, 1e308, -1e308, 1e-320][random.random_range(0..5)];
    let mut number = if random.random_range(0..4) == 0 { real.to_le_bytes() } else { whole.to_le_bytes() };
    let width = [2, 4, 8][random.random_range(0..3)];
    if random.random_range(0..6) == 0 {
        number[..width].reverse();
    }
    bytes.iter_mut().skip(at).zip(&number[..width]).for_each(|(byte, &new)| *byte = new);
}
