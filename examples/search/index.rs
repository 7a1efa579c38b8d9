//! The data that travels: documents, entries of the index, questions and their answers.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use csp::Writer;

/// A file and its text.
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// How often a file has a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub(crate) path: PathBuf,
    pub(crate) count: usize,
}

/// A word, and one file that has it.
pub(crate) struct Entry {
    pub(crate) word: String,
    pub(crate) hit: Hit,
}

/// A word, and the way for its answer: a channel end travels like any other value.
pub(crate) struct Question {
    pub(crate) word: String,
    pub(crate) answer: Writer<Vec<Hit>>,
}

/// Counts the words of a text, without regard to case.
pub(crate) fn words(text: &str) -> HashMap<String, usize> {
    let mut counts = HashMap::new();
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    counts
}

/// Returns the shard that keeps a word: always the same one.
pub(crate) fn shard_of(word: &str, shards: usize) -> usize {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish() as usize % shards
}
