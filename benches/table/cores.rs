//! The table of cores: each work on one core and on all, as a ratio.
//!
//! ```text
//! cargo run --release -p csp-benches -- --cores [OPTION ...] [PART OF A NAME ...]
//! ```
//! This program is built without the feature `cores`, and builds the program `cores` with it. Each measurement has an OS process of
//! its own. Those of one core and of all cores take turns, so that other load on the machine meets both.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use csp_benches::cores::{self, Library, Work};
use csp_benches::measure;

use crate::report::{Machine, figure};

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
    Plain,
    /// With the feature `cores`.
    Cores,
}

/// What is measured of a work.
struct Side {
    name: &'static str,
    program: Program,
    library: Library,
    many: bool,
}

const fn side(name: &'static str, program: Program, library: Library, many: bool) -> Side {
    Side { name, program, library, many }
}

/// A side that is compared with others stands before them, so that they are measured one after the other.
const SIDES: &[Side] = &[
    side("off", Program::Plain, Library::Csp, false),
    side("compute", Program::Plain, Library::Compute, true),
    side("one", Program::Cores, Library::Csp, false),
    side("auto", Program::Cores, Library::Csp, true),
    side("placed", Program::Cores, Library::Placed, true),
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
        if wishes.works.is_empty() {
            return Err("no work has such a name".to_owned());
        }
        Ok(wishes)
    }

    /// Returns what has to be measured of a work.
    fn sides(&self, work: Work) -> Vec<&'static Side> {
        let is_asked = |side: &&Side| {
            let mut columns = self.columns.iter();
            side.library.does(work)
                && columns.any(|column| column.side == side.name || column.over == side.name)
        };
        SIDES.iter().filter(is_asked).collect()
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
    let bench = Bench::new();
    let mut table = Table::new(&wishes);
    // The row with the fewest rounds is next. So a run that ends early leaves no row behind.
    while let Some(work) = table.next(&wishes) {
        if wishes.until.is_some_and(|until| Instant::now() > until) {
            eprintln!("the time is over");
            break;
        }
        let forth = table.rounds(work).len() % 2 == 0;
        let round = bench.round(work, wishes.sides(work), forth);
        eprintln!("{}", line(work, &round).trim_end().replace('\t', "  "));
        table.add(work, round);
    }
    println!("{}", table.markdown(&wishes, &bench));
    if wishes.write {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/cores.md");
        std::fs::write(&file, table.markdown(&wishes, &bench)).expect("the results are written");
        println!("wrote {}", file.display());
    }
}

/// What one round has measured of a work: the nanoseconds of a unit, by the names of sides. A side that failed has no entry.
type Round = BTreeMap<String, f64>;

/// The programs, and what they need to know.
struct Bench {
    with_cores: PathBuf,
    cores: usize,
    steps: u64,
}

impl Bench {
    /// Builds the program that has the feature.
    fn new() -> Self {
        let profile = match crate::profile().as_str() {
            "debug" => "dev".to_owned(),
            other => other.to_owned(),
        };
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args(["build", "--quiet", "--package", "csp-benches", "--bin", "cores"])
            .args(["--features", "cores", "--profile", &profile])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status();
        assert!(built.expect("cargo can be run").success(), "the program `cores` cannot be built");
        let this = std::env::current_exe().expect("this program is a file");
        let with_cores =
            this.with_file_name("cores").with_extension(std::env::consts::EXE_EXTENSION);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self { with_cores, cores, steps: cores::steps_per_millisecond() }
    }

    /// Measures each side once, in this order or the other way round.
    fn round(&self, work: Work, mut sides: Vec<&Side>, forth: bool) -> Round {
        if !forth {
            sides.reverse();
        }
        let figures = sides.into_iter().filter_map(|side| match self.measure(work, side) {
            Ok(nanoseconds) => Some((side.name.to_owned(), nanoseconds)),
            Err(reason) => {
                eprintln!("{work}, {}: {reason}", side.name);
                None
            }
        });
        figures.collect()
    }

    fn measure(&self, work: Work, side: &Side) -> Result<f64, String> {
        let cores = if side.many { self.cores } else { 1 }.to_string();
        let mut command = match side.program {
            Program::Plain => {
                let this = std::env::current_exe().expect("this program is a file");
                let mut command = Command::new(this);
                command.arg(CHILD);
                command
            }
            Program::Cores => Command::new(&self.with_cores),
        };
        for variable in ["CSP_CORES", "GOMAXPROCS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"] {
            command.env(variable, &cores);
        }
        command.args([side.library.name(), &work.to_string(), &self.steps.to_string()]);
        let answer = answer(command)?;
        answer.trim().parse().map_err(|_| format!("no number: {answer}"))
    }
}

/// Runs a program to its end, and returns what it prints. It is killed if it takes too long.
fn answer(mut command: Command) -> Result<String, String> {
    const LIMIT: Duration = Duration::from_secs(60);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| error.to_string())?;
    let start = Instant::now();
    loop {
        match child.try_wait().map_err(|error| error.to_string())? {
            Some(_) => break,
            None if start.elapsed() > LIMIT => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("killed after {LIMIT:?}"));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(output.status.to_string()),
    }
}

/// All rounds of all works, of this run and of those before it.
struct Table {
    rounds: BTreeMap<String, Vec<Round>>,
    keep: Option<PathBuf>,
}

/// Prints a round as a line of the file: the work, then its figures.
fn line(work: Work, round: &Round) -> String {
    let mut line = work.to_string();
    for (side, nanoseconds) in round {
        let _ = write!(line, "\t{side}={nanoseconds:.2}");
    }
    line + "\n"
}

impl Table {
    fn new(wishes: &Wishes) -> Self {
        let mut rounds = BTreeMap::<_, Vec<_>>::new();
        let kept = wishes.keep.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
        for line in kept.unwrap_or_default().lines() {
            let mut parts = line.split('\t');
            let work = parts.next().unwrap_or_default().to_owned();
            let figures = parts.filter_map(|part| {
                let (side, nanoseconds) = part.split_once('=')?;
                Some((side.to_owned(), nanoseconds.parse().ok()?))
            });
            rounds.entry(work).or_default().push(figures.collect());
        }
        Self { rounds, keep: wishes.keep.clone() }
    }

    fn rounds(&self, work: Work) -> &[Round] {
        self.rounds.get(&work.to_string()).map_or(&[], Vec::as_slice)
    }

    /// Returns how many rounds have all that is asked for. Rounds in which a side failed count.
    fn complete(&self, work: Work, wishes: &Wishes) -> usize {
        let sides = wishes.sides(work);
        let has_most = |round: &&Round| {
            sides.iter().any(|side| side.many && round.contains_key(side.name)) || round.is_empty()
        };
        self.rounds(work).iter().filter(has_most).count()
    }

    /// Returns the work to measure next.
    fn next(&self, wishes: &Wishes) -> Option<Work> {
        let works = wishes.works.iter().copied();
        let next = works.min_by_key(|work| self.complete(*work, wishes))?;
        (self.complete(next, wishes) < wishes.rounds).then_some(next)
    }

    fn add(&mut self, work: Work, round: Round) {
        if let Some(file) = &self.keep {
            let mut text = std::fs::read_to_string(file).unwrap_or_default();
            text.push_str(&line(work, &round));
            std::fs::write(file, text).expect("the figures can be kept");
        }
        self.rounds.entry(work.to_string()).or_default().push(round);
    }

    /// Returns the ratios of a column, the best first.
    fn ratios(&self, work: Work, column: &Column) -> Vec<f64> {
        let ratio = |round: &Round| Some(round.get(column.over)? / round.get(column.side)?);
        let mut ratios: Vec<f64> = self.rounds(work).iter().filter_map(ratio).collect();
        ratios.sort_by(|a, b| b.total_cmp(a));
        ratios
    }

    fn markdown(&self, wishes: &Wishes, bench: &Bench) -> String {
        let mut text = format!(
            "<!-- written by `cargo run --profile {} -p csp-benches -- --cores --write` -->\n\n\
             {}. Speed-ups over one core of the same library: the best round, the median and the worst. \
             In each round one core and all cores take turns, each in an OS process of its own. The first column is the time of \
             this library's one core. *off* is the build without the feature `cores`. *auto* is the library as it is, *placed* has \
             `on = cores`, *compute* uses `csp::compute` without the feature. A microsecond is {} steps of xorshift.\n\n",
            crate::profile(),
            Machine::this(),
            bench.steps / 1_000,
        );
        let names: Vec<_> = wishes.columns.iter().map(|column| column.side).collect();
        let _ = writeln!(text, "| | one core, ns | {} | rounds |", names.join(" | "));
        let _ = writeln!(text, "| --- |{}", " ---: |".repeat(names.len() + 2));
        for &work in &wishes.works {
            let ones = self.rounds(work).iter().filter_map(|round| round.get("one").copied());
            let ones: Vec<f64> = ones.collect();
            let one = if ones.is_empty() { "–".into() } else { figure(measure::median(ones)) };
            let _ = write!(text, "| {work} | {one} |");
            for column in &wishes.columns {
                let _ = write!(text, " {} |", cell(&self.ratios(work, column)));
            }
            let _ = writeln!(text, " {} |", self.complete(work, wishes));
        }
        text
    }
}

fn cell(ratios: &[f64]) -> String {
    match ratios {
        [] => "–".to_owned(),
        [best, .., worst] => {
            format!("{best:.2} / {:.2} / {worst:.2}", measure::median(ratios.to_vec()))
        }
        [only] => format!("{only:.2}"),
    }
}
