//! A search engine for a folder, in three files: this one wires the network, [`stages`] has its processes, [`index`] its data.
//!
//! ```text
//!                     ┌─▶ load[0] ─┐              ┌─ entries[0] ──▶ shard[0] ◀─ questions[0] ─┐
//! walk ─── paths ─────┼─▶ load[1] ─┼─ documents ──┼─ entries[1] ──▶ shard[1] ◀─ questions[1] ─┼─ ask
//!                     └─▶    …     ─┘   ▶ split  └─      …       ──▶    …    ◀─      …       ─┘
//! ```
//!
//! Each file passes through `load` and `split`. Each word has one shard, so no two processes share a table. When `walk` is done,
//! its end of `paths` retires, and the end of the files runs through the network by itself. A shard that has all its
//! entries answers questions until there are no more.

mod index;
mod stages;

use std::io;
use std::path::PathBuf;

use clap::Parser;
use csp::{Channel, parallel};

/// Finds the files of a folder that have a word most often.
#[derive(Parser)]
struct Arguments {
    /// The folder
    #[arg(default_value = "csp/src/guide")]
    folder: PathBuf,
    /// The words to look for
    #[arg(long, value_delimiter = ',', default_value = "channel,deadlock")]
    words: Vec<String>,
    /// Files to show for each word
    #[arg(long, default_value_t = 3)]
    show: usize,
    /// Processes that load files
    #[arg(long, default_value_t = 4)]
    loaders: usize,
    /// Parts of the index
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    shards: u64,
}

#[csp::main]
fn main() -> io::Result<()> {
    let Arguments { folder, words, show, loaders, shards } = Arguments::parse();
    let (paths, documents) = (Channel::new(), Channel::buffered(8));
    let entries: Vec<_> = (0..shards).map(|_| Channel::buffered(64)).collect();
    let questions: Vec<_> = (0..shards).map(|_| Channel::new()).collect();
    let parts: Vec<_> = entries
        .iter()
        .zip(&questions)
        .map(|(entries, questions)| stages::shard(entries.reader(), questions.reader()))
        .collect();

    let (walked, _, _, _, answers) = parallel!(
        stages::walk(folder, paths.writer()),
        loaders * stages::load(paths.reader(), documents.writer()),
        stages::split(documents.reader(), entries.iter().map(Channel::writer).collect()),
        parts,
        stages::ask(words, questions.iter().map(Channel::writer).collect()),
    );

    let files = walked?;
    println!("{files} files");
    for (word, hits) in answers {
        println!("{word}: in {} files", hits.len());
        for hit in hits.iter().take(show) {
            println!("{:6} {}", hit.count, hit.path.display());
        }
    }
    Ok(())
}
