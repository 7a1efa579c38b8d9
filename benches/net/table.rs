//! The figures, as a table and as a picture.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use csp_benches::chart::{Bar, Panel, Picture};
use csp_benches::measure::{Machine, median};

use crate::servers::Library;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Microseconds,
    Milliseconds,
    PerSecond,
    Kilobytes,
}

impl Unit {
    fn name(self) -> &'static str {
        match self {
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::PerSecond => "a second",
            Self::Kilobytes => "KB",
        }
    }

    fn figure(self, figure: f64) -> String {
        match self {
            Self::PerSecond => format!("{:.1} k", figure / 1e3),
            Self::Milliseconds => format!("{figure:.2}"),
            _ => format!("{figure:.1}"),
        }
    }
}

struct Row {
    name: String,
    unit: Unit,
    /// By the library's place in the table.
    figures: BTreeMap<usize, Vec<f64>>,
}

impl Row {
    fn median(&self, library: usize) -> Option<f64> {
        self.figures.get(&library).map(|figures| median(figures.clone()))
    }

    fn cell(&self, library: usize) -> String {
        let Some(figure) = self.median(library) else { return "–".to_owned() };
        match self.median(0) {
            Some(first) if library > 0 => {
                format!("{} ({:.2})", self.unit.figure(figure), figure / first)
            }
            _ => self.unit.figure(figure),
        }
    }
}

pub(crate) struct Table {
    libraries: Vec<Library>,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(libraries: &[Library]) -> Self {
        Self { libraries: libraries.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, work: &str, unit: Unit, library: Library, figure: f64) {
        let place = self.libraries.iter().position(|one| *one == library);
        let place = place.expect("it is one of those that are measured");
        let row = match self.rows.iter().position(|row| row.name == work) {
            Some(row) => row,
            None => {
                self.rows.push(Row { name: work.to_owned(), unit, figures: BTreeMap::new() });
                self.rows.len() - 1
            }
        };
        self.rows[row].figures.entry(place).or_default().push(figure);
    }

    /// Returns what is known of a work so far.
    pub(crate) fn line(&self, work: &str) -> String {
        let Some(row) = self.rows.iter().find(|row| row.name == work) else {
            return format!("{work}: nothing");
        };
        let mut line = format!("{}, {}:", row.name, row.unit.name());
        for (place, library) in self.libraries.iter().enumerate() {
            let _ = write!(line, "  {} {}", library.name(), row.cell(place));
        }
        line
    }

    pub(crate) fn markdown(&self) -> String {
        let mut text = format!(
            "<!-- written by `cargo run --release -p csp-benches --features net,cores --bin net -- --write` -->\n\n\
             {}. The load generator is one thread on the same machine. The figures are medians of the rounds, and in brackets the ratio to \
             the first column. *csp* is a coroutine for each connection on one core, *csp-cores* the same on all cores, and *csp-io* a \
             coroutine whose calls block threads of the pool of `io`. A message has 64 bytes. `k` is a thousand a second. The \
             memory is what the server holds more for each connection, without the kernel's buffers.\n\n| | |",
            Machine::this(),
        );
        for library in &self.libraries {
            let _ = write!(text, " {} |", library.name());
        }
        let _ = writeln!(text, "\n| --- | --- |{}", " ---: |".repeat(self.libraries.len()));
        for row in &self.rows {
            let _ = write!(text, "| {} | {} |", row.name, row.unit.name());
            for place in 0..self.libraries.len() {
                let _ = write!(text, " {} |", row.cell(place));
            }
            text.push('\n');
        }
        text
    }

    fn svg(&self) -> String {
        let panels: Vec<Panel> = self.rows.iter().map(|row| self.panel(row)).collect();
        let mut picture = Picture::default();
        picture.panels(&panels);
        picture.svg()
    }

    /// Draws one work. The scale ends at the largest figure.
    fn panel(&self, row: &Row) -> Panel {
        let bar = |(place, library): (usize, &Library)| {
            let length = row.median(place)?;
            Some(Bar { name: library.name().to_owned(), length, figure: row.unit.figure(length) })
        };
        let bars: Vec<Bar> = self.libraries.iter().enumerate().filter_map(bar).collect();
        let better = if row.unit == Unit::PerSecond { "longer" } else { "shorter" };
        let scale = bars.iter().map(|bar| bar.length).fold(f64::MIN_POSITIVE, f64::max);
        let unit = Some(format!("{}, {better} is better", row.unit.name()));
        Panel { title: row.name.clone(), unit, bars, scale }
    }

    /// Writes the files of `results/`.
    pub(crate) fn write(&self) {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        for (name, text) in [("net.md", self.markdown()), ("net.svg", self.svg())] {
            std::fs::write(results.join(name), text).expect("the results are written");
        }
    }
}
