//! Damaged copies of good files, for whatever reads files of strangers. A copy follows from its seed and the number
//! of its case alone, so the number of a failure repeats it.

use crate::ops::random;

/// What the files hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Fields, lengths, packed data.
    Bytes,
    /// Numbers, tags and nesting too.
    Text,
}

/// Bytes of the largest mutant.
pub const MAX_LEN: usize = 1 << 20;

/// A change to bytes that are not empty.
type Change = fn(&mut Vec<u8>, &mut Draws);

const TO_BYTES: [Change; 7] = [
    |bytes, draws| flip_bit(bytes, draws),
    |bytes, draws| set_byte(bytes, draws),
    |bytes, draws| set_integer(bytes, draws),
    cut,
    remove,
    repeat,
    insert,
];
/// The first one twice: most of a text goes on to be read only if its tags are left alone.
const TO_TEXT: [Change; 6] = [set_number, set_number, move_piece, nest, add_attributes, add_entities];

/// One of `seeds`, damaged.
pub fn mutant(seeds: &[Vec<u8>], kind: Kind, seed: u32, case: u32) -> Vec<u8> {
    let mut draws = Draws { seed, case, drawn: 0 };
    let mut bytes = draws.pick(seeds).clone();
    if draws.one_in(8) {
        splice(&mut bytes, &mut draws, seeds);
    }
    // Few: each change may hide what the others would have reached.
    for _ in 0..draws.size(3) {
        let change = match kind {
            Kind::Text if draws.one_in(2) => *draws.pick(&TO_TEXT),
            _ => *draws.pick(&TO_BYTES),
        };
        if !bytes.is_empty() {
            change(&mut bytes, &mut draws);
        }
    }
    bytes.truncate(MAX_LEN);
    bytes
}

/// The random numbers of one case.
struct Draws {
    seed: u32,
    case: u32,
    drawn: u32,
}

impl Draws {
    fn word(&mut self) -> u32 {
        self.drawn += 1;
        random::word(self.seed, const { random::stream("mutate") }, self.case, self.drawn)
    }

    /// In `0..end`; 0 if that is empty.
    fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.word()) * end as u64) >> 32) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// An index of `bytes`. Half of them are near the beginning, where a format's sizes stand.
    fn position(&mut self, bytes: &[u8]) -> usize {
        let end = if self.one_in(2) { bytes.len().min(64) } else { bytes.len() };
        self.below(end)
    }

    /// A part of `bytes`, mostly short.
    fn range(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.position(bytes);
        let longest = self.size(16);
        let length = 1 + self.below(longest);
        start..bytes.len().min(start + length)
    }

    /// From 1 to `2^(bits - 1)`, every order of magnitude as often.
    fn size(&mut self, bits: usize) -> usize {
        1 << self.below(bits)
    }
}

/// The beginning of one file and the end of another.
fn splice(bytes: &mut Vec<u8>, draws: &mut Draws, seeds: &[Vec<u8>]) {
    let other = draws.pick(seeds);
    bytes.truncate(draws.below(bytes.len() + 1));
    bytes.extend(&other[draws.below(other.len() + 1)..]);
}

fn flip_bit(bytes: &mut [u8], draws: &mut Draws) {
    let at = draws.position(bytes);
    bytes[at] ^= 1 << draws.below(8);
}

fn set_byte(bytes: &mut [u8], draws: &mut Draws) {
    let at = draws.position(bytes);
    let any = draws.word() as u8;
    bytes[at] = *draws.pick(&[0, 1, 0x7F, 0x80, 0xFE, 0xFF, any]);
}

/// What just fits into a number of bits, or just does not; the lowest byte or the highest first.
fn set_integer(bytes: &mut [u8], draws: &mut Draws) {
    let width = *draws.pick(&[2, 3, 4, 8]);
    let bits = *draws.pick(&[0, 7, 8, 14, 15, 16, 24, 31, 32, 63, 64]);
    let power = 1u64.checked_shl(bits).unwrap_or(0);
    let value = power.wrapping_sub(1).wrapping_add(draws.below(3) as u64);
    let little = value.to_le_bytes();
    let at = draws.position(bytes);
    let reversed = draws.one_in(2);
    for (i, byte) in bytes.iter_mut().skip(at).take(width).enumerate() {
        *byte = little[if reversed { width - 1 - i } else { i }];
    }
}

fn cut(bytes: &mut Vec<u8>, draws: &mut Draws) {
    bytes.truncate(draws.position(bytes));
}

fn remove(bytes: &mut Vec<u8>, draws: &mut Draws) {
    bytes.drain(draws.range(bytes));
}

fn repeat(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let part = bytes[draws.range(bytes)].to_vec();
    let times = draws.size(12).min(MAX_LEN / part.len());
    put(bytes, draws, &part.repeat(times));
}

fn insert(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let random = draws.one_in(2);
    let value = draws.word() as u8;
    let part: Vec<u8> =
        (0..draws.size(12)).map(|_| if random { draws.word() as u8 } else { value }).collect();
    put(bytes, draws, &part);
}

fn put(bytes: &mut Vec<u8>, draws: &mut Draws, part: &[u8]) {
    let at = draws.position(bytes);
    bytes.splice(at..at, part.iter().copied());
}

/// Another number in place of one.
fn set_number(bytes: &mut Vec<u8>, draws: &mut Draws) {
    const NUMBERS: [&str; 18] = [
        "",
        "-1",
        "0",
        "-0",
        "1",
        "3",
        "255",
        "256",
        "1024",
        "65536",
        "2147483648",
        "4294967295",
        "99999999999",
        "18446744073709551616",
        "1e39",
        "1e-46",
        "NaN",
        "-inf",
    ];
    let from = draws.below(bytes.len());
    let Some(start) = bytes[from..].iter().position(u8::is_ascii_digit).map(|at| from + at) else { return };
    let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    bytes.splice(start..start + length, draws.pick(&NUMBERS).bytes());
}

/// A tag, a quoted word or a line: dropped, doubled or moved.
fn move_piece(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let &[open, close] = draws.pick(&[*b"<>", *b"><", *b"\"\"", *b"\n\n"]);
    let from = draws.below(bytes.len());
    let find = |byte, from: usize| bytes[from..].iter().position(|b| *b == byte).map(|at| from + at);
    let Some(start) = find(open, from) else { return };
    let Some(end) = find(close, start + 1) else { return };
    let piece = bytes[start..=end].to_vec();
    if draws.one_in(2) {
        bytes.drain(start..=end);
    }
    if !bytes.is_empty() && draws.one_in(2) {
        put(bytes, draws, &piece);
    }
}

/// A part inside many brackets.
fn nest(bytes: &mut Vec<u8>, draws: &mut Draws) {
    const BRACKETS: [(&str, &str); 5] =
        [("<_>", "</_>"), ("<_>", ""), ("[", "]"), ("{\"a\":", "}"), ("(", ")")];
    let (open, close) = draws.pick(&BRACKETS);
    let depth = draws.size(17);
    let range = draws.range(bytes);
    let part = bytes[range.clone()].to_vec();
    let nested = [open.repeat(depth).as_bytes(), &part, close.repeat(depth).as_bytes()].concat();
    bytes.splice(range, nested);
}

/// Many attributes or namespaces in one tag.
fn add_attributes(bytes: &mut Vec<u8>, draws: &mut Draws) {
    let from = draws.below(bytes.len());
    let Some(at) = bytes[from..].iter().position(|byte| *byte == b'>').map(|at| from + at) else { return };
    let name = draws.pick(&["a", "xmlns:a"]);
    let text: String = (0..draws.size(16)).map(|i| format!(" {name}{i}=\"{i}\"")).collect();
    bytes.splice(at..at, text.bytes());
}

/// Entities that would expand to gigabytes, or to a file, and a place that names one.
fn add_entities(bytes: &mut Vec<u8>, draws: &mut Draws) {
    const DECLARATIONS: [&str; 2] = [
        "<!DOCTYPE x [<!ENTITY a \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"><!ENTITY b \
         \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \
         \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\"><!ENTITY x \"&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;\">]>",
        "<!DOCTYPE x [<!ENTITY x SYSTEM \"file:///dev/zero\">]>",
    ];
    put(bytes, draws, b"&x;");
    let after_first_line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.splice(after_first_line..after_first_line, draws.pick(&DECLARATIONS).bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    const XML: &str = "<?xml version=\"1.0\"?>\n<list size=\"2\"><_>12.5 -3</_>\n<_>7</_></list>";

    fn seeds() -> Vec<Vec<u8>> {
        vec![XML.into(), b"\x89PNG 0000000000000000".to_vec(), vec![7]]
    }

    #[test]
    fn a_case_is_repeated_by_its_number() {
        let all =
            |seed| -> Vec<_> { (0..300).map(|case| mutant(&seeds(), Kind::Text, seed, case)).collect() };
        let first = all(1);
        assert!(first == all(1) && first != all(2));
        let different: std::collections::HashSet<_> = first.iter().collect();
        assert!(different.len() > 200, "{} different mutants", different.len());
        assert!(first.iter().all(|mutant| mutant.len() <= MAX_LEN));
    }

    #[test]
    fn every_change_takes_any_bytes_and_changes_most() {
        let changed = |change: Change, bytes: &[u8], case| {
            let mut copy = bytes.to_vec();
            change(&mut copy, &mut Draws { seed: 1, case, drawn: 0 });
            copy != bytes
        };
        for (i, change) in TO_BYTES.into_iter().chain(TO_TEXT).enumerate() {
            for bytes in [&b"x"[..], b">", b"<", b"7", b"\"\"", &[0xFF; 70]] {
                (0..100).for_each(|case| _ = changed(change, bytes, case));
            }
            let count = (0..100).filter(|&case| changed(change, XML.as_bytes(), case)).count();
            assert!(count > 30, "change {i}: {count} of 100");
        }
    }

    #[test]
    fn text_is_changed_where_its_parser_looks() {
        let seeds = [XML.as_bytes().to_vec()];
        let mutants: Vec<String> = (0..2000)
            .map(|case| String::from_utf8_lossy(&mutant(&seeds, Kind::Text, 1, case)).into_owned())
            .collect();
        let nested = "<_>".repeat(1000);
        for part in ["99999999999", "NaN", "<!ENTITY", "&x;", " a1000=", " xmlns:a1=", nested.as_str()] {
            assert!(mutants.iter().any(|text| text.contains(part)), "{part:.20}");
        }
    }
}
