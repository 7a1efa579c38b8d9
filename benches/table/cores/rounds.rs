//! Rounds of measurements, of this run and of those before it, and their tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use csp_benches::cores::Work;
use csp_benches::measure::{Machine, median};

use super::bench::Bench;
use super::{Column, SIDES, Side, Wishes};
use crate::report::figure;

/// The figures of one round of a work: the nanoseconds of a unit, by the names of sides. A side that failed has no number.
pub(super) type Round = BTreeMap<String, f64>;

/// Returns the name under which a round has the number of a side's wake-ups.
pub(super) fn wakeups(side: &Side) -> String {
    format!("{} wake-ups", side.name)
}

pub(super) struct Rounds {
    works: BTreeMap<String, Vec<Round>>,
    keep: Option<PathBuf>,
}

impl Rounds {
    /// Takes what the file has, if there is one. A line is a work, a tab, and its figures.
    pub(super) fn new(keep: Option<PathBuf>) -> Self {
        let mut works = BTreeMap::<_, Vec<_>>::new();
        let kept = keep.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        for line in kept.unwrap_or_default().lines() {
            let mut parts = line.split('\t');
            let work = parts.next().unwrap_or_default().to_owned();
            let figures = parts.filter_map(|part| {
                let (side, nanoseconds) = part.split_once('=')?;
                Some((side.to_owned(), nanoseconds.parse().ok()?))
            });
            works.entry(work).or_default().push(figures.collect());
        }
        Self { works, keep }
    }

    pub(super) fn of(&self, work: Work) -> &[Round] {
        self.works.get(&work.to_string()).map_or(&[], Vec::as_slice)
    }

    /// Returns how many rounds have all that is asked for.
    fn complete(&self, work: Work, wishes: &Wishes) -> usize {
        let sides = wishes.sides(work);
        let is_complete = |round: &&Round| sides.iter().all(|side| round.contains_key(side.name));
        self.of(work).iter().filter(is_complete).count()
    }

    /// Returns the work to measure next: that with the fewest rounds. So a run that ends early leaves no work behind.
    pub(super) fn next(&self, wishes: &Wishes) -> Option<Work> {
        let lacks = |work: &Work| self.complete(*work, wishes) < wishes.rounds(*work);
        let works = wishes.works.iter().copied().filter(lacks);
        works.min_by_key(|work| self.complete(*work, wishes))
    }

    /// Adds a round, and shows it.
    pub(super) fn add(&mut self, work: Work, round: Round) {
        let mut line = work.to_string();
        for (side, nanoseconds) in &round {
            let _ = write!(line, "\t{side}={nanoseconds:.2}");
        }
        eprintln!("{}", line.replace('\t', "  "));
        if let Some(file) = &self.keep {
            let before = std::fs::read_to_string(file).unwrap_or_default();
            std::fs::write(file, before + &line + "\n").expect("the figures can be kept");
        }
        self.works.entry(work.to_string()).or_default().push(round);
    }

    fn figures(&self, work: Work, side: &str) -> Vec<f64> {
        let figure = |round: &Round| round.get(side).copied().filter(|figure| figure.is_finite());
        self.of(work).iter().filter_map(figure).collect()
    }

    /// Returns the ratios of a column, the best first.
    fn ratios(&self, work: Work, column: &Column) -> Vec<f64> {
        let ratio = |round: &Round| Some(round.get(column.over)? / round.get(column.side)?);
        let ratios = self.of(work).iter().filter_map(ratio);
        let mut ratios: Vec<f64> = ratios.filter(|ratio| ratio.is_finite()).collect();
        ratios.sort_by(|a, b| b.total_cmp(a));
        ratios
    }

    pub(super) fn markdown(&self, wishes: &Wishes, bench: &Bench) -> String {
        let mut text = format!(
            "<!-- written by `cargo run --profile {} -p csp-benches -- --cores --write` -->\n\n\
             {}, profile {}. A microsecond is {} steps of xorshift, in each library and language. A job or a stage computes for so \
             long. If jobs are skewed, each 16th takes 16 times as long.\n",
            crate::profile(),
            Machine::this(),
            crate::profile(),
            bench.steps.div_ceil(1_000),
        );
        let (quiet, works): (Vec<_>, Vec<_>) =
            wishes.works.iter().copied().partition(|work| work.is_quiet());
        let columns: Vec<_> = wishes.columns.iter().map(|column| column.side).collect();
        if !works.is_empty() {
            text.push_str(
                "\n### All cores, as speed-up over one\n\n\
                 One core and all cores take turns, each in an OS process of its own. A cell has the best ratio of a round, \
                 the median, and the worst. *auto* is this library with the feature `cores` and no line changed, and *placed* \
                 has `on = cores`. *off* lacks the feature: it is compared with one core of a build that has it. *compute* \
                 gives the loads to `csp::compute`, and is compared with *off*. The other columns are compared with one core of \
                 themselves, tokio with `current_thread`.\n\n",
            );
            head(&mut text, columns.iter().copied().chain(["rounds"]));
            for &work in &works {
                let cells = wishes.columns.iter().map(|column| cell(&self.ratios(work, column)));
                row(&mut text, work, cells.chain([self.complete(work, wishes).to_string()]));
            }
            text.push_str(
                "\n### One core, ns\n\n\
                 A unit is a communication, a choice, a process, a job, or a stage that a value has passed. These are medians.\n\n",
            );
            let has_one =
                |side: &&str| works.iter().any(|work| !self.figures(*work, side).is_empty());
            let ones: Vec<_> =
                ["one", "off", "rayon 1", "Go 1", "tokio 1"].into_iter().filter(has_one).collect();
            head(&mut text, ones.iter().copied());
            for &work in &works {
                let cells = ones.iter().map(|side| match self.figures(work, side) {
                    figures if figures.is_empty() => "–".to_owned(),
                    figures => figure(median(figures)),
                });
                row(&mut text, work, cells);
            }
        }
        if !quiet.is_empty() {
            text.push_str(
                "\n### CPU time while nothing happens\n\n\
                 Milliseconds of an OS process in 3 s, and in brackets how often its threads went to sleep. Before, all cores \
                 have computed.\n\n",
            );
            let sides: Vec<_> =
                quiet.iter().flat_map(|work| wishes.sides(*work)).map(|side| side.name).collect();
            let sides: Vec<_> = SIDES.iter().filter(|side| sides.contains(&side.name)).collect();
            head(&mut text, sides.iter().map(|side| side.name));
            for &work in &quiet {
                let cells = sides.iter().map(|side| {
                    let (cpu, wakeups) =
                        (self.figures(work, side.name), self.figures(work, &wakeups(side)));
                    match cpu.is_empty() || wakeups.is_empty() {
                        true => "–".to_owned(),
                        false => format!("{:.2} ({:.0})", median(cpu) / 1e6, median(wakeups)),
                    }
                });
                row(&mut text, work, cells);
            }
        }
        text
    }
}

fn head<'a>(text: &mut String, names: impl Iterator<Item = &'a str>) {
    let names: Vec<_> = names.collect();
    let _ = writeln!(text, "| | {} |", names.join(" | "));
    let _ = writeln!(text, "| --- |{}", " ---: |".repeat(names.len()));
}

fn row(text: &mut String, work: Work, cells: impl Iterator<Item = String>) {
    let cells: Vec<_> = cells.collect();
    let _ = writeln!(text, "| {work} | {} |", cells.join(" | "));
}

fn cell(ratios: &[f64]) -> String {
    match ratios {
        [] => "–".to_owned(),
        [best, .., worst] => format!("{best:.2} / {:.2} / {worst:.2}", median(ratios.to_vec())),
        [only] => format!("{only:.2}"),
    }
}
