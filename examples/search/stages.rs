//! The processes, each with a test of its own at the end of the file.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use csp::{Channel, Reader, Writer, process};

use crate::index::{Document, Entry, Hit, Question, shard_of, words};

/// Writes the paths of all files below a folder, and returns how many there are.
#[process]
pub(crate) fn walk(folder: PathBuf, paths: Writer<PathBuf>) -> io::Result<usize> {
    let mut folders = vec![folder];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for path in listed(&folder)? {
            if path.is_dir() {
                folders.push(path);
            } else {
                files += 1;
                if paths.write(path).is_err() {
                    return Ok(files); // no loader is left
                }
            }
        }
    }
    Ok(files)
}

/// Lists a folder on a thread that may block, so that no other process waits for the disk.
fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let listed = || -> io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect()
    };
    csp::io(listed)
        .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", folder.display())))
}

/// Loads files. One that is no text is passed over.
#[process]
pub(crate) fn load(paths: Reader<PathBuf>, documents: Writer<Document>) -> csp::Result {
    for path in &paths {
        if let Ok(text) = csp::io(|| fs::read_to_string(&path)) {
            documents.write(Document { path, text })?;
        }
    }
    Ok(())
}

/// Splits documents into words, and sends each word to its shard.
#[process]
pub(crate) fn split(documents: Reader<Document>, shards: Vec<Writer<Entry>>) -> csp::Result {
    for Document { path, text } in &documents {
        for (word, count) in words(&text) {
            let hit = Hit { path: path.clone(), count };
            shards[shard_of(&word, shards.len())].write(Entry { word, hit })?;
        }
    }
    Ok(())
}

/// Keeps a part of the index: first collects its entries, then answers questions.
#[process]
pub(crate) fn shard(entries: Reader<Entry>, questions: Reader<Question>) {
    let mut table = HashMap::<String, Vec<Hit>>::new();
    for Entry { word, hit } in &entries {
        table.entry(word).or_default().push(hit);
    }
    for hits in table.values_mut() {
        hits.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.path.cmp(&b.path)));
    }
    for Question { word, answer } in &questions {
        // A process that has lost interest has dropped its reading end. That is no error here.
        let _ = answer.write(table.get(&word).cloned().unwrap_or_default());
    }
}

/// Asks for each word, and returns what the shards know.
#[process]
pub(crate) fn ask(asked: Vec<String>, shards: Vec<Writer<Question>>) -> Vec<(String, Vec<Hit>)> {
    let mut answers = Vec::new();
    for word in asked {
        let word = word.to_lowercase();
        let answer = Channel::new();
        let (question, hits) =
            (Question { word: word.clone(), answer: answer.writer() }, answer.reader());
        drop(answer); // its handle could make another writer
        let shard = &shards[shard_of(&word, shards.len())];
        if shard.write(question).is_ok() {
            answers.push((word, hits.read().unwrap_or_default()));
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use csp::parallel;

    use super::*;

    fn document(path: &str, text: &str) -> Document {
        Document { path: path.into(), text: text.into() }
    }

    // `#[csp::test]` ends a test that hangs with a report of the network, and fails one that leaves a process or a value behind.
    #[csp::test]
    fn a_shard_answers_when_it_has_all_entries() {
        #[process]
        fn documents(out: Writer<Document>) -> csp::Result {
            out.write(document("a", "to be or not to be"))?;
            Ok(out.write(document("b", "Be quick."))?)
        }
        let (texts, entries, questions) = (Channel::new(), Channel::new(), Channel::new());
        let (.., answers) = parallel!(
            documents(texts.writer()),
            split(texts.reader(), vec![entries.writer()]),
            shard(entries.reader(), questions.reader()),
            ask(vec!["be".into(), "Fish".into()], vec![questions.writer()]),
        );
        let hits = |path: &str, count| Hit { path: path.into(), count };
        assert_eq!(
            answers,
            [("be".into(), vec![hits("a", 2), hits("b", 1)]), ("fish".into(), vec![])]
        );
    }

    #[csp::test]
    fn a_walk_ends_when_no_loader_is_left() {
        let paths = Channel::new();
        let reader = paths.reader();
        drop(reader);
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let walk = walk(folder, paths.writer());
        drop(paths);
        assert_eq!(csp::sequence!(walk).0.expect("a folder"), 1);
    }

    #[csp::test]
    fn a_missing_file_is_passed_over() {
        #[process]
        fn nowhere(paths: Writer<PathBuf>) -> csp::Result {
            Ok(paths.write("no such file".into())?)
        }
        #[process]
        fn none(documents: Reader<Document>) -> usize {
            documents.iter().count()
        }
        let (paths, documents) = (Channel::new(), Channel::new());
        let (_, _, none) = parallel!(
            nowhere(paths.writer()),
            load(paths.reader(), documents.writer()),
            none(documents.reader())
        );
        assert_eq!(none, 0);
    }
}
