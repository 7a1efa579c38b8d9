//! Counting words: a pipeline over a file, with a farm in it and a progress bar on it.
//!
//! ```text
//!                                        ┌─▶ counter[0] ─┐
//! read_lines ── lines ──▶ progress ──────┼─▶ counter[1] ─┼─── counts ──▶ merge
//!                                        └─▶     …      ─┘
//! ```
//!
//! `read_lines` comes from `csp::shell`. Another thread reads the file, so the other processes go on meanwhile.
//! `progress` passes on the lines that it reads, and shows how far it is. Each counter keeps a table of its own,
//! so no table is shared. It hands the table over when there are no more lines.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use csp::{Channel, Reader, Writer, parallel, process, shell};
use indicatif::{ProgressBar, ProgressStyle};

/// Counts the words of a file, and shows the most frequent.
#[derive(Parser)]
struct Arguments {
    /// The file
    #[arg(default_value = "README.md")]
    file: PathBuf,
    /// Words to show
    #[arg(long, default_value_t = 5)]
    show: usize,
    /// Counters that share the work
    #[arg(long, default_value_t = 4)]
    counters: usize,
}

type Counts = HashMap<String, u64>;

// The bar draws itself on a terminal and nowhere else.
#[process]
fn progress(lines: Reader<String>, out: Writer<String>, bytes: u64) -> csp::Result {
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} to go");
    let bar = ProgressBar::new(bytes).with_style(style.expect("a template"));
    for line in &lines {
        bar.inc(line.len() as u64 + 1);
        out.write(line)?;
    }
    bar.finish_and_clear();
    Ok(())
}

#[process]
fn counter(lines: Reader<String>, counts: Writer<Counts>) -> csp::Result {
    let mut table = Counts::new();
    for word in
        lines.iter().flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    {
        *table.entry(word).or_default() += 1;
    }
    Ok(counts.write(table)?)
}

#[process]
fn merge(counts: Reader<Counts>) -> Counts {
    counts.iter().flatten().fold(Counts::new(), |mut all, (word, count)| {
        *all.entry(word).or_default() += count;
        all
    })
}

/// Adds the name of a file or folder to the error about it.
fn about(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

#[csp::main]
fn main() -> io::Result<()> {
    let Arguments { file, show, counters } = Arguments::parse();
    let bytes = std::fs::metadata(&file).map_err(about(&file))?.len();

    // The buffers hold several lines, so that no process waits for each single line.
    let (lines, shown) = (Channel::buffered(64), Channel::buffered(64));
    let counts = Channel::new();
    let (read, _, _, counts) = parallel!(
        shell::read_lines(file.clone(), lines.writer()),
        progress(lines.reader(), shown.writer(), bytes),
        counters * counter(shown.reader(), counts.writer()),
        merge(counts.reader()),
    );

    println!(
        "{} words in {} lines of {}",
        counts.values().sum::<u64>(),
        read.map_err(about(&file))?,
        file.display()
    );
    let mut by_count: Vec<_> = counts.into_iter().collect();
    by_count.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    for (word, count) in by_count.iter().take(show) {
        println!("{count:6} {word}");
    }
    Ok(())
}
