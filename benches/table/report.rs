//! The measurements as text.

use std::fmt::{self, Write as _};

use csp_benches::Scene;
use csp_benches::measure::Machine;
use csp_benches::works::million::Taken;

use crate::child::Million;
use crate::turns;

pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) profile: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) millions: Vec<Million>,
}

/// One work.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) scene: Scene,
    pub(crate) cells: Vec<Cell>,
}

/// One contender's median at a work.
pub(crate) struct Cell {
    pub(crate) name: String,
    pub(crate) nanoseconds: f64,
}

impl Row {
    /// A contender's median, and how many times that of the first of ours.
    fn get(&self, name: &str) -> Option<(f64, f64)> {
        let cell = self.cells.iter().find(|cell| cell.name == name)?;
        Some((cell.nanoseconds, cell.nanoseconds / self.cells[0].nanoseconds))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}:", self.name, self.scene)?;
        for (at, Cell { name, nanoseconds }) in self.cells.iter().enumerate() {
            let (_, ratio) = self.get(name).expect("it is one of them");
            write!(f, " {name} {}", figure(*nanoseconds))?;
            if at > 0 {
                write!(f, " ({})", times(ratio))?;
            }
        }
        Ok(())
    }
}

/// Prints the significant digits of a figure.
pub(crate) fn figure(value: f64) -> String {
    if value < 99.95 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

fn times(ratio: f64) -> String {
    if ratio < 9.95 { format!("{ratio:.1}×") } else { format!("{ratio:.0}×") }
}

impl Report {
    pub(crate) fn new(machine: Machine, profile: String) -> Self {
        Self { machine, profile, rows: Vec::new(), millions: Vec::new() }
    }

    pub(crate) fn rows_of(&self, scene: Scene) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |row| row.scene == scene)
    }

    /// Returns the contenders in the rows of the scene: this library's, then the peers, in the order of their first appearance.
    pub(crate) fn contenders(&self, scene: Scene) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for cell in self.rows_of(scene).flat_map(|row| &row.cells) {
            if !names.contains(&cell.name.as_str()) {
                names.push(&cell.name);
            }
        }
        names.sort_by_key(|name| !name.starts_with("csp"));
        names
    }

    /// Returns one table for each scene, as rows of cells. The first row holds the column names.
    fn tables(&self) -> Vec<(&'static str, Vec<Vec<String>>)> {
        let mut tables = Vec::new();
        for (scene, title) in
            [(Scene::OneThread, "One thread, ns"), (Scene::Threads, "OS threads, ns")]
        {
            let names = self.contenders(scene);
            let head = std::iter::once("").chain(names.iter().copied()).map(str::to_owned);
            let mut table = vec![head.collect::<Vec<_>>()];
            for row in self.rows_of(scene) {
                let first = &row.cells[0].name;
                let cells = names.iter().map(|name| match row.get(name) {
                    None => "–".to_owned(),
                    Some((nanoseconds, _)) if name == first => figure(nanoseconds),
                    Some((nanoseconds, ratio)) => {
                        format!("{} ({})", figure(nanoseconds), times(ratio))
                    }
                });
                table.push(std::iter::once(row.name.to_owned()).chain(cells).collect());
            }
            if table.len() > 1 {
                tables.push((title, table));
            }
        }
        if !self.millions.is_empty() {
            let head =
                ["1,000,000 processes", "", "seconds", "the second million", "peak memory, MB"];
            let mut table = vec![head.map(str::to_owned).to_vec()];
            for million in &self.millions {
                let mut row = vec![million.way.to_owned(), million.contender.clone()];
                row.extend(match &million.outcome {
                    Ok(Taken { cold, peak, warm }) => [
                        format!("{:.2}", cold.as_secs_f64()),
                        format!("{:.2}", warm.as_secs_f64()),
                        figure(Million::megabytes(*peak)),
                    ],
                    Err(_) => ["refused", "–", "–"].map(str::to_owned),
                });
                table.push(row);
            }
            tables.push(("A million", table));
        }
        tables
    }

    fn conditions(&self) -> String {
        let [one, many] = [Scene::OneThread, Scene::Threads].map(|scene| {
            let (turn, turns) = turns(scene);
            format!("{turns} turns of about {} ms", turn.as_millis())
        });
        format!(
            "{}, profile `{}`. The figures are medians. The figure in brackets is the ratio to the first contender. On one thread: \
             {one}, CPU time of that thread. On OS threads: {many}, time of day. The contenders take turns. On one thread, kanal, \
             flume and async-channel run on tokio's `current_thread`. In `choice`, flume and crossbeam run without it. \
             `csp (…)` on OS threads means coroutines of two schedulers. tokio and async-channel have no rendezvous and get room \
             for one. may's channels are unbounded. Go, if it is installed, is an OS process of its own. On one thread it runs with \
             `GOMAXPROCS=1`, and its CPU time counts.",
            self.machine, self.profile
        )
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "<!-- written by `cargo run --profile {} -p csp-benches` -->\n\n{}\n",
            self.profile,
            self.conditions()
        );
        for (title, table) in self.tables() {
            let _ = write!(text, "\n### {title}\n\n");
            for (at, row) in table.iter().enumerate() {
                let _ = writeln!(text, "| {} |", row.join(" | "));
                if at == 0 {
                    let _ = writeln!(text, "| --- |{}", " ---: |".repeat(row.len() - 1));
                }
            }
        }
        text
    }

    /// Returns the report for a terminal.
    pub(crate) fn plain(&self) -> String {
        let mut text = self.conditions() + "\n";
        for (title, table) in self.tables() {
            let width = |column: usize| {
                table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
            };
            let _ = write!(text, "\n{title}\n");
            for row in &table {
                let _ = write!(text, "{:<1$}", row[0], width(0));
                for (column, cell) in row.iter().enumerate().skip(1) {
                    let _ = write!(text, "  {cell:>0$}", width(column));
                }
                text.push('\n');
            }
        }
        text
    }
}
