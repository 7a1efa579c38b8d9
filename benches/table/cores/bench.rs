//! The OS processes of the measurements.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use csp_benches::cores::{Work, steps_per_millisecond};
use csp_benches::go;

use super::rounds::{Round, wakeups};
use super::{CHILD, Cores, Go, Plain, Side};

/// A measurement that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// The programs, and what they need to know.
pub(super) struct Bench {
    with_cores: PathBuf,
    go: Option<go::Built>,
    cores: usize,
    /// The steps of arithmetic that take a millisecond.
    pub(super) steps: u64,
}

impl Bench {
    /// Builds the programs that are not this one.
    pub(super) fn new() -> Self {
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
        if !go::is_here() {
            eprintln!("go: not found, so it is not measured");
        }
        let this = std::env::current_exe().expect("this program is a file");
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            with_cores: this
                .with_file_name("cores")
                .with_extension(std::env::consts::EXE_EXTENSION),
            go: go::is_here().then(go::Built::new),
            cores,
            steps: steps_per_millisecond(),
        }
    }

    /// Measures each side once, in this order or the other way round.
    pub(super) fn round(&self, work: Work, mut sides: Vec<&Side>, forth: bool) -> Round {
        if !forth {
            sides.reverse();
        }
        let mut round = Round::new();
        for side in sides {
            let answer = answer(self.program(work, side)).unwrap_or_else(|reason| {
                eprintln!("{work}, {}: {reason}", side.name);
                String::new()
            });
            let mut figures = answer.split_whitespace().map(|text| text.parse().ok());
            round.insert(side.name.to_owned(), figures.next().flatten().unwrap_or(f64::NAN));
            if work.is_quiet() {
                round.insert(wakeups(side), figures.next().flatten().unwrap_or(f64::NAN));
            }
        }
        round
    }

    /// Returns the program of a measurement, with its arguments.
    fn program(&self, work: Work, side: &Side) -> Command {
        let mut command = match side.program {
            Plain(_) => {
                let this = std::env::current_exe().expect("this program is a file");
                let mut command = Command::new(this);
                command.arg(CHILD);
                command
            }
            Cores(_) => Command::new(&self.with_cores),
            Go => {
                let go = self.go.as_ref().expect("Go is here");
                let mut command = Command::new(go.program());
                command.arg("cores").args(work.words(self.steps));
                command
            }
        };
        if let Plain(library) | Cores(library) = side.program {
            command.args([library.name(), &work.to_string(), &self.steps.to_string()]);
        }
        let cores = if side.many { self.cores } else { 1 }.to_string();
        for variable in ["CSP_CORES", "GOMAXPROCS", "RAYON_NUM_THREADS", "TOKIO_WORKER_THREADS"] {
            command.env(variable, &cores);
        }
        command
    }
}

/// Runs a program to its end, and returns what it prints.
fn answer(mut command: Command) -> Result<String, String> {
    let running = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = running.map_err(|error| error.to_string())?;
    if !ends_in_time(&mut child) {
        let _ = child.kill();
        let _ = child.wait();
        return Err(format!("killed after {LIMIT:?}"));
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(output.status.to_string()),
    }
}

/// Waits for a child, with its input open. It prints little, so nobody needs to read before it ends.
fn ends_in_time(child: &mut Child) -> bool {
    let start = Instant::now();
    while start.elapsed() < LIMIT {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}
