//! All works in a minute: a table of medians and of ratios to this library, written with a chart to `results/`.
//!
//! ```text
//! cargo run --release -p csp-benches [-- PART OF A NAME ...]      # or --profile lto
//! ```
//! With `--cores` it makes another table, of one core and all. See `cores.rs`. With names it measures only the works that they match, and writes no file.
//!
//! The contenders of a work take turns, so other load on the machine meets them all. Each coroutine engine of this
//! library is measured in an OS process of its own. So is each million of processes.

mod chart;
mod child;
mod cores;
mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use csp_benches::measure::{self, Contender, Machine};
use csp_benches::works::{self, million};
use csp_benches::{Scene, Work, go};

use child::{Child, Million};
use report::{Cell, Report, Row};

/// Returns how long a contender is measured at a time, and how often. The time of day is disturbed more, so it gets more turns.
fn turns(scene: Scene) -> (Duration, usize) {
    match scene {
        Scene::OneThread => (Duration::from_millis(20), 5),
        Scene::Threads => (Duration::from_millis(10), 11),
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if child::is_meant(&arguments) {
        return child::serve(&arguments);
    }
    if cores::is_meant(&arguments) {
        return cores::run(&arguments);
    }
    if !go::is_here() {
        eprintln!("go: not found, so it is not measured");
    }
    let fits = |name: &str| {
        arguments.is_empty() || arguments.iter().any(|part| name.contains(part.as_str()))
    };
    let mut engines: Vec<Child> =
        measure::ENGINES.iter().map(|engine| Child::with(engine)).collect();
    let mut report = Report::new(Machine::this(), profile());
    for (index, work) in works::all().into_iter().enumerate().filter(|(_, work)| fits(work.name)) {
        let row = measured(index, &work, &mut engines);
        eprintln!("{row}");
        report.rows.push(row);
    }
    for way in million::WAYS.iter().filter(|way| fits(way)) {
        let here =
            million::CONTENDERS.iter().filter(|(name, _)| *name != go::NAME || go::is_here());
        for &(contender, on_engine) in here {
            let engines = if on_engine { measure::ENGINES } else { &[""] };
            for engine in engines {
                let million = Million::measure(contender, engine, way);
                eprintln!("{million}");
                report.millions.push(million);
            }
        }
    }
    println!("{}", report.plain());
    if arguments.is_empty() {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("results");
        std::fs::create_dir_all(&results).expect("a folder for the results");
        let write = |file: PathBuf, text: String| {
            std::fs::write(&file, text).expect("the results are written");
            println!("wrote {}", file.display());
        };
        write(results.join(format!("{}.md", report.profile)), report.markdown());
        write(results.join(format!("{}.svg", report.profile)), chart::svg(&report));
    }
}

/// Returns `release` or `lto`: the folder in which cargo built this program.
fn profile() -> String {
    let this = std::env::current_exe().expect("this program is a file");
    let folder = this.parent().and_then(Path::file_name).expect("in a folder");
    folder.to_string_lossy().into_owned()
}

/// Measures the contenders of one work, turn by turn.
fn measured(index: usize, work: &Work, engines: &mut [Child]) -> Row {
    enum Seat<'a> {
        Here(&'a Contender),
        /// The contender and the engine, each by its number.
        On(usize, usize),
    }
    let seats: Vec<(String, Seat<'_>)> = work
        .contenders
        .iter()
        .enumerate()
        .flat_map(|(number, contender)| match contender.on_engine {
            false => vec![(contender.name.to_owned(), Seat::Here(contender))],
            true => measure::ENGINES
                .iter()
                .enumerate()
                .map(|(at, engine)| {
                    (measure::with_engine(contender.name, engine), Seat::On(number, at))
                })
                .collect(),
        })
        .collect();
    let mut run = |seat: &Seat<'_>, n| match *seat {
        Seat::Here(contender) => contender.run(n),
        Seat::On(number, engine) => engines[engine].run(index, number, n),
    };
    let (turn, turns) = turns(work.scene);
    let iterations: Vec<u64> =
        seats.iter().map(|(_, seat)| measure::iterations_for(turn, |n| run(seat, n))).collect();
    let mut nanoseconds = vec![Vec::new(); seats.len()];
    for _ in 0..turns {
        for (at, (_, seat)) in seats.iter().enumerate() {
            let took = run(seat, iterations[at]).as_nanos() as f64;
            nanoseconds[at].push(took / (iterations[at] * work.units) as f64);
        }
    }
    let cells = seats
        .into_iter()
        .zip(nanoseconds)
        .map(|((name, _), nanoseconds)| Cell { name, nanoseconds: measure::median(nanoseconds) })
        .collect();
    Row { name: work.name, scene: work.scene, cells }
}
