//! The command that repeats a run.

use std::ffi::OsString;

/// What was typed, quoted for a shell, with what it left to the environment and to chance: the adapter, and the seed of a
/// training.
pub fn command(arguments: impl Iterator<Item = OsString>, seed: Option<u64>) -> String {
    let typed: Vec<String> =
        arguments.skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let mut words = Vec::new();
    if let Some(adapter) = std::env::var(ADAPTER).ok().filter(|adapter| !adapter.is_empty()) {
        words.push(format!("{ADAPTER}={}", quoted(&adapter)));
    }
    words.push("lookalike".into());
    words.extend(typed.iter().map(|word| quoted(word)));
    let trains = typed.first().is_some_and(|command| command == "train");
    let says_seed = typed.iter().any(|word| word == "--seed" || word.starts_with("--seed="));
    if let (true, false, Some(seed)) = (trains, says_seed, seed) {
        words.push(format!("--seed {seed}"));
    }
    words.join(" ")
}

const ADAPTER: &str = "LOOKALIKE_ADAPTER";

/// A word as a POSIX shell takes it for one.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_@%+=:,./-".contains(letter);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str], seed: Option<u64>) -> String {
        let line = command(words.iter().map(OsString::from), seed);
        line.rsplit_once("lookalike").map_or(line.clone(), |(_, rest)| rest.trim().to_string())
    }

    #[test]
    fn words_stay_words() {
        assert_eq!(quoted("photos/a-b_1.jpg"), "photos/a-b_1.jpg");
        assert_eq!(quoted("my photos"), "'my photos'");
        assert_eq!(quoted("it's; rm $HOME"), r"'it'\''s; rm $HOME'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_seed_that_was_not_typed_is_added() {
        assert_eq!(of(&["x", "train", "a b", "-o", "m"], Some(1)), "train 'a b' -o m --seed 1");
        assert_eq!(of(&["x", "train", "p", "--seed", "3"], Some(3)), "train p --seed 3");
        assert_eq!(of(&["x", "evaluate", "m", "p"], Some(1)), "evaluate m p");
    }
}
