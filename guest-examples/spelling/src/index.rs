//! Finds words that are a few letters away from another.
//!
//! Each known word is entered under every remainder of it after up to
//! [`EDITS_MAX`] letters are deleted. Two words that differ by so many edits
//! share at least one such remainder, so a look-up costs the same however many
//! words there are. Making the entries is the expensive part.

use std::collections::{HashMap, HashSet};

/// Most letters inserted, deleted, changed or swapped with their neighbor.
const EDITS_MAX: usize = 2;

/// Words, one a line.
const WORDS: &str = include_str!("words.txt");

pub struct Index {
    words: Vec<&'static str>,
    entries: HashMap<String, Vec<u16>>,
}

impl Index {
    /// Enters every known word.
    pub fn build() -> Self {
        let words: Vec<_> = WORDS.lines().collect();
        let mut entries: HashMap<String, Vec<u16>> = HashMap::new();
        for (number, word) in (0..).zip(&words) {
            for remainder in remainders(word) {
                entries.entry(remainder).or_default().push(number);
            }
        }
        Self { words, entries }
    }

    /// Returns how many entries there are.
    pub fn entries(&self) -> usize {
        self.entries.len()
    }

    /// Whether a word in lower case is known.
    pub fn knows(&self, word: &str) -> bool {
        self.words.binary_search(&word).is_ok()
    }

    /// Returns the known words nearest to one that is not, at most `max`.
    pub fn nearest(&self, word: &str, max: usize) -> Vec<&'static str> {
        let mut found: Vec<_> = remainders(word)
            .iter()
            .filter_map(|remainder| self.entries.get(remainder))
            .flatten()
            .collect::<HashSet<_>>()
            .into_iter()
            .map(|&number| self.words[usize::from(number)])
            .map(|known| (edits(word, known), known))
            .filter(|(edits, _)| *edits <= EDITS_MAX)
            .collect();
        found.sort_unstable();
        found
            .into_iter()
            .take(max)
            .map(|(_, known)| known)
            .collect()
    }
}

/// Returns the remainders of a word after up to [`EDITS_MAX`] letters are deleted.
fn remainders(word: &str) -> HashSet<String> {
    let mut all = HashSet::from([word.to_owned()]);
    let mut longest: Vec<String> = vec![word.to_owned()];
    for _ in 0..EDITS_MAX {
        let shorter: HashSet<String> = longest
            .iter()
            .flat_map(|word| word.char_indices().map(|(at, _)| without(word, at)))
            .collect();
        all.extend(shorter.iter().cloned());
        longest = shorter.into_iter().collect();
    }
    all
}

fn without(word: &str, at: usize) -> String {
    let mut rest = word.to_owned();
    rest.remove(at);
    rest
}

/// Counts the edits between two words (optimal string alignment).
fn edits(one: &str, other: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (one.chars().collect(), other.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (rows[i - 1][j] + 1)
                .min(row[j - 1] + 1)
                .min(rows[i - 1][j - 1] + changed);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
