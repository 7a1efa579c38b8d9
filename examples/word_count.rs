//! Counting words: a pipeline over a file, with a farm in it and a progress bar on it.
//!
//! ```text
//!                                                  ┌─▶ counter[0] ─┐
//! read_lines ── lines ──▶ progress ──── pages ─────┼─▶ counter[1] ─┼─── counts ──▶ merge
//!                                                  └─▶     …      ─┘
//! ```
//!
//! `read_lines` comes from `csp::shell`. Another thread reads the file, so the other processes go on meanwhile.
//! `progress` makes pages of the lines that it reads, and shows how far it is. Each counter keeps a table of its own,
//! so no table is shared. It hands the table over when there are no more pages.
//!
//! A counter is a `#[multiprocess]`, and `--on` chooses its backend. `--hosts node1,node2` runs the counters on other machines,
//! which `ssh` reaches. A page has many lines, because a value that goes to another machine takes as long as thousands here.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use clap::Parser;
use csp::{Backend, Channel, Reader, Writer, multiprocess, parallel, process, shell};
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
    /// Backend of a counter: coroutine, cores, thread or subprocess
    #[arg(long, default_value_t = Backend::Coroutine)]
    on: Backend,
    /// Hosts of the counters, which `ssh` reaches: node1,node2
    #[cfg(feature = "hosts")]
    #[arg(long, value_delimiter = ',', conflicts_with = "on")]
    hosts: Vec<String>,
}

/// Bytes at which a page is full.
const PAGE: usize = 64 * 1024;

type Counts = HashMap<String, u64>;

// The bar draws itself on a terminal and nowhere else.
#[process]
fn progress(lines: Reader<String>, pages: Writer<String>, bytes: u64) -> csp::Result {
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} to go");
    let bar = ProgressBar::new(bytes).with_style(style.expect("a template"));
    let mut page = String::new();
    for line in &lines {
        bar.inc(line.len() as u64 + 1);
        page.push_str(&line);
        page.push('\n');
        if page.len() >= PAGE {
            pages.write(std::mem::take(&mut page))?;
        }
    }
    bar.finish_and_clear();
    Ok(pages.write(page)?)
}

#[multiprocess]
fn counter(pages: Reader<String>, counts: Writer<Counts>) -> csp::Result {
    let mut table = Counts::new();
    for page in &pages {
        for word in page.split_whitespace() {
            *table.entry(word.to_owned()).or_default() += 1;
        }
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
    let arguments = Arguments::parse();
    let Arguments { file, show, counters, on, .. } = &arguments;
    let bytes = std::fs::metadata(file).map_err(about(file))?.len();

    // Buffers hold several lines and a page for each counter, so that no process waits for each single one.
    let (lines, pages) = (Channel::buffered(64), Channel::buffered(*counters));
    let counts = Channel::new();
    let farm = *counters * counter(pages.reader(), counts.writer()).on(*on);
    #[cfg(feature = "hosts")]
    let farm = match &*arguments.hosts {
        [] => farm,
        hosts => farm.at(&csp::Hosts::ssh(hosts)),
    };
    let (read, _, _, counts) = parallel!(
        shell::read_lines(file.clone(), lines.writer()),
        progress(lines.reader(), pages.writer(), bytes),
        farm,
        merge(counts.reader()),
    );

    println!(
        "{} words in {} lines of {}",
        counts.values().sum::<u64>(),
        read.map_err(about(file))?,
        file.display()
    );
    let mut by_count: Vec<_> = counts.into_iter().collect();
    by_count.sort_by(|(a, m), (b, n)| n.cmp(m).then(a.cmp(b)));
    for (word, count) in by_count.iter().take(*show) {
        println!("{count:6} {word}");
    }
    Ok(())
}
