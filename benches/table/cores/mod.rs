//! The table of cores: each work on one core and on all, as a ratio.
//!
//! ```text
//! cargo run --release -p csp-benches -- --cores [OPTION ...] [PART OF A NAME ...]
//! ```
//! This program is built without the feature `cores`, and builds the program `cores` with it. Each measurement has an OS process of
//! its own. Those of one core and of all cores take turns, so that other load on the machine meets both.

mod bench;
mod rounds;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use csp_benches::cores::{self, Library, Work};
use csp_benches::go;

use bench::Bench;
use rounds::Rounds;

/// The first argument of a measurement by this program, which lacks the feature.
const CHILD: &str = "--child-cores";

const USAGE: &str = "--cores [--rounds N] [--seconds N] [--only COLUMN,...] [--keep FILE] [--write] [PART OF A NAME ...]
  --rounds N    how often each is measured, 5 by default
  --seconds N   begins no row after that time
  --only A,B    these columns only
  --keep FILE   takes what earlier runs have measured from the file, and adds to it
  --write       writes results/cores.md
With parts of names, it measures the works that they match.";

/// The program of a measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    /// This one, without the feature.
    Plain(Library),
    /// With the feature `cores`.
    Cores(Library),
    /// The one that is written in Go.
    Go,
}
use Program::{Cores, Go, Plain};

/// One measurement of a work.
struct Side {
    name: &'static str,
    program: Program,
    many: bool,
}

impl Side {
    const fn one(name: &'static str, program: Program) -> Self {
        Self { name, program, many: false }
    }

    const fn many(name: &'static str, program: Program) -> Self {
        Self { name, program, many: true }
    }

    fn does(&self, work: Work) -> bool {
        match self.program {
            Plain(library) | Cores(library) => library.does(work),
            Go => go::is_here(),
        }
    }
}

/// A side that is compared with others stands before them, so that they are measured one after the other.
const SIDES: &[Side] = &[
    Side::one("off", Plain(Library::Csp)),
    Side::many("compute", Plain(Library::Compute)),
    Side::one("one", Cores(Library::Csp)),
    Side::many("auto", Cores(Library::Csp)),
    Side::many("placed", Cores(Library::Placed)),
    Side::one("rayon 1", Plain(Library::Rayon)),
    Side::many("rayon", Plain(Library::Rayon)),
    Side::one("Go 1", Go),
    Side::many("Go", Go),
    Side::one("tokio 1", Plain(Library::Tokio)),
    Side::many("tokio", Plain(Library::Tokio)),
];

/// A column: how many times as fast a side is as another one.
struct Column {
    side: &'static str,
    over: &'static str,
}

const COLUMNS: &[Column] = &[
    Column { side: "off", over: "one" },
    Column { side: "auto", over: "one" },
    Column { side: "placed", over: "one" },
    Column { side: "compute", over: "off" },
    Column { side: "rayon", over: "rayon 1" },
    Column { side: "Go", over: "Go 1" },
    Column { side: "tokio", over: "tokio 1" },
];

/// The wishes of the command line.
struct Wishes {
    rounds: usize,
    until: Option<Instant>,
    columns: Vec<&'static Column>,
    keep: Option<PathBuf>,
    write: bool,
    works: Vec<Work>,
}

impl Wishes {
    fn new(arguments: &[String]) -> Result<Self, String> {
        let mut wishes = Self {
            rounds: 5,
            until: None,
            columns: COLUMNS.iter().collect(),
            keep: None,
            write: false,
            works: Vec::new(),
        };
        let mut parts = Vec::new();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            let number = |text: &String| text.parse().map_err(|_| format!("{text}: no number"));
            match argument.as_str() {
                "--rounds" => wishes.rounds = number(value()?)?,
                "--seconds" => {
                    let seconds = Duration::from_secs(number(value()?)? as u64);
                    wishes.until = Some(Instant::now() + seconds);
                }
                "--only" => {
                    wishes.columns = value()?.split(',').map(column).collect::<Result<_, _>>()?;
                }
                "--keep" => wishes.keep = Some(value()?.into()),
                "--write" => wishes.write = true,
                option if option.starts_with('-') => return Err(format!("{option} is no option")),
                part => parts.push(part),
            }
        }
        let fits = |work: &Work| {
            let name = work.to_string();
            parts.is_empty() || parts.iter().any(|part| name.contains(part))
        };
        wishes.works = Work::all().into_iter().filter(fits).collect();
        match wishes.works.is_empty() {
            true => Err("no work has such a name".to_owned()),
            false => Ok(wishes),
        }
    }

    /// Returns what has to be measured of a work.
    fn sides(&self, work: Work) -> Vec<&'static Side> {
        let is_asked = |side: &&Side| {
            let mut columns = self.columns.iter();
            side.does(work)
                && columns.any(|column| column.side == side.name || column.over == side.name)
        };
        SIDES.iter().filter(is_asked).collect()
    }

    /// Returns how often a work has to be measured. CPU time while nothing happens hardly varies.
    fn rounds(&self, work: Work) -> usize {
        if work.is_quiet() { self.rounds.min(1) } else { self.rounds }
    }

    fn is_time_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() > until)
    }
}

fn column(name: &str) -> Result<&'static Column, String> {
    let columns: Vec<_> = COLUMNS.iter().map(|column| column.side).collect();
    let found = COLUMNS.iter().find(|column| column.side == name);
    found.ok_or(format!("{name} is no column: there are {}", columns.join(", ")))
}

/// Returns true if this program is meant to measure once, or to make the table.
pub(crate) fn is_meant(arguments: &[String]) -> bool {
    matches!(arguments.first().map(String::as_str), Some(CHILD | "--cores"))
}

/// Does what the arguments ask for.
pub(crate) fn run(arguments: &[String]) {
    if arguments[0] == CHILD {
        return cores::serve(&arguments[1..]);
    }
    let wishes = Wishes::new(&arguments[1..]).unwrap_or_else(|error| {
        eprintln!("{error}\n\n{USAGE}");
        std::process::exit(2);
    });
    let is_well = table(&wishes);
    if !is_well {
        eprintln!("some measurements failed");
        std::process::exit(1);
    }
}

/// Measures, and prints the table. Returns false if a measurement has failed.
fn table(wishes: &Wishes) -> bool {
    let bench = Bench::new();
    let mut rounds = Rounds::new(wishes.keep.clone());
    let mut is_well = true;
    while let Some(work) = rounds.next(wishes) {
        if wishes.is_time_over() {
            eprintln!("the time is over");
            break;
        }
        let forth = rounds.of(work).len().is_multiple_of(2);
        let round = bench.round(work, wishes.sides(work), forth);
        is_well &= round.values().all(|figure| figure.is_finite());
        rounds.add(work, round);
    }
    let text = rounds.markdown(wishes, &bench);
    println!("{text}");
    if wishes.write {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/cores.md");
        std::fs::write(&file, text).expect("the results are written");
        println!("wrote {}", file.display());
    }
    is_well
}
