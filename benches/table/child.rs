//! This program again, in an OS process of its own, to use another engine or to measure its peak of memory.

use std::fmt;
use std::io::{BufRead, BufReader, Write};
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use csp_benches::works::million::Taken;
use csp_benches::works::{self, million};

const WORKS: &str = "--child-works";
const MILLION: &str = "--child-million";

/// Returns true if this OS process is such a child.
pub(crate) fn is_meant(arguments: &[String]) -> bool {
    matches!(arguments.first().map(String::as_str), Some(WORKS | MILLION))
}

/// Does the work of such a child.
pub(crate) fn serve(arguments: &[String]) {
    if let [_, contender, way] = arguments {
        match million::run_twice(contender, way) {
            Ok(Taken { cold, peak, warm }) => {
                println!("{} {peak} {}", cold.as_nanos(), warm.as_nanos());
            }
            Err(reason) => println!("{reason}"),
        }
        return;
    }
    let works = works::all();
    for line in std::io::stdin().lines() {
        let line = line.expect("orders are text");
        let mut order = line.split(' ').map(|number| number.parse::<u64>().expect("a number"));
        let mut next = || order.next().expect("three numbers");
        let work = &works[next() as usize];
        let contender = &work.contenders[next() as usize];
        println!("{}", contender.run(next()).as_nanos());
    }
}

fn this_program() -> Command {
    Command::new(std::env::current_exe().expect("this program is a file"))
}

/// A child that does works on request, on an engine of its own.
pub(crate) struct Child {
    process: process::Child,
    /// `None` after it was told to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn with(engine: &str) -> Self {
        let mut process = this_program()
            .arg(WORKS)
            .env("CSP_ENGINE", engine)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts");
        let orders = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Self { process, orders, answers }
    }

    pub(crate) fn run(&mut self, work: usize, contender: usize, iterations: u64) -> Duration {
        let mut orders = self.orders.as_ref().expect("it is piped");
        writeln!(orders, "{work} {contender} {iterations}").expect("the child listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the child answers");
        Duration::from_nanos(answer.trim().parse().expect("the child has done it"))
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.orders.take());
        let _ = self.process.wait();
    }
}

/// The time and memory of a million processes of a contender.
pub(crate) struct Million {
    pub(crate) contender: String,
    pub(crate) way: &'static str,
    pub(crate) outcome: Result<Taken, String>,
}

impl Million {
    pub(crate) fn measure(contender: &str, engine: &str, way: &'static str) -> Self {
        let mut command = this_program();
        command.args([MILLION, contender, way]).stderr(Stdio::null());
        let contender = if engine.is_empty() {
            contender.to_owned()
        } else {
            command.env("CSP_ENGINE", engine);
            csp_benches::measure::with_engine(contender, engine)
        };
        let output = command.output().expect("this program starts");
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let numbers: Vec<u64> = answer.split(' ').filter_map(|n| n.parse().ok()).collect();
        let outcome = match numbers[..] {
            [cold, peak, warm] => Ok(Taken {
                cold: Duration::from_nanos(cold),
                peak,
                warm: Duration::from_nanos(warm),
            }),
            _ if output.status.success() => Err(answer),
            _ => Err(output.status.to_string()),
        };
        Self { contender, way, outcome }
    }

    pub(crate) fn megabytes(peak_kib: u64) -> f64 {
        peak_kib as f64 * 1024.0 / 1e6
    }
}

impl fmt::Display for Million {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1,000,000 {}: {} ", self.way, self.contender)?;
        match &self.outcome {
            Ok(Taken { cold, peak, warm }) => {
                let (cold, warm) = (cold.as_secs_f64(), warm.as_secs_f64());
                write!(f, "{cold:.2} s, {:.0} MB, again {warm:.2} s", Self::megabytes(*peak))
            }
            Err(reason) => f.write_str(reason),
        }
    }
}
