//! Santa Claus asleep: a barrier and a channel in one choice by priority (J. Trono's problem, 1994).
//!
//! ```text
//! reindeer[0] … reindeer[8] ══ stable ══▶ santa ◀── study ── waiting_room ◀── door ── elf[0] … elf[9]
//! ```
//!
//! Santa sleeps until all nine reindeer are back from their holiday, or three elves have a question. If both happen,
//! the reindeer come first. The stable is a `Barrier`, on which the nine and Santa are enrolled. The reindeer wait there for one
//! another and for Santa. The barrier is one of Santa's guards, so he waits there only while he has nothing else to do.
//!
//! The elves need no barrier. An extended read keeps its writer waiting until the value is dropped. In this way the waiting
//! room keeps three elves, and Santa keeps the waiting room, until his door opens again.
//!
//! After the last year Santa returns, and all other processes end in turn. The CSP forms of the problem are Welch and
//! Pedersen's ("Santa Claus: formal analysis of a process-oriented solution", 2010). This one is our own.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use clap::Parser;
use csp::{Barrier, Channel, Reader, Writer, parallel, pri_alt, process};

/// Tells of Santa Claus's work for some years.
#[derive(Parser)]
struct Arguments {
    /// Years, and so deliveries of toys
    #[arg(long, default_value_t = 4)]
    years: u32,
}

const REINDEER: usize = 9;
const ELVES: usize = 10;
const HOLIDAY: Duration = Duration::from_millis(200); // at most
const DELIVERY: Duration = Duration::from_millis(50);
const WORK: Duration = Duration::from_millis(200); // at most, between two questions of an elf
const CONSULTATION: Duration = Duration::from_millis(10);

type Group = [String; 3];

#[process]
fn santa(stable: Barrier, study: Reader<Group>, years: u32) -> csp::Result<u32> {
    let (mut year, mut consultations) = (0, 0);
    while year < years {
        pri_alt! {
            stable.sync() => {
                year += 1;
                println!("year {year}: delivering toys");
                csp::sleep(DELIVERY);
                stable.sync(); // and off to the south
            }
            group = study.begin() => {
                let [first, second, third] = &*group;
                println!("year {}: talking with {first}, {second} and {third}", year + 1);
                csp::sleep(CONSULTATION);
                consultations += 1;
            } // `group` is dropped: they may go
        }?;
    }
    Ok(consultations)
}

#[process]
fn reindeer(stable: Barrier, years: u32) {
    for _ in 0..years {
        csp::sleep(up_to(HOLIDAY));
        stable.sync(); // all are back, and Santa is awake
        stable.sync(); // all toys are delivered
    }
}

#[process]
fn waiting_room(door: Reader<String>, study: Writer<Group>) -> csp::Result {
    loop {
        let elves = [door.begin()?, door.begin()?, door.begin()?];
        study.write(elves.each_ref().map(|elf| elf.to_string()))?;
    } // `elves` is dropped: they go back to work
}

#[process]
fn elf(door: Writer<String>) -> csp::Result {
    loop {
        csp::sleep(up_to(WORK));
        door.write(csp::current().name().into())?; // returns when the question is answered
    }
}

/// Returns a random shorter duration.
fn up_to(longest: Duration) -> Duration {
    longest.mul_f64(RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64)
}

#[csp::main]
fn main() -> csp::Result {
    let years = Arguments::parse().years;

    let (stable, door, study) = (Barrier::new(), Channel::new(), Channel::new());
    let (consultations, ..) = parallel!(
        santa(stable.clone(), study.reader(), years),
        REINDEER * reindeer(stable, years),
        waiting_room(door.reader(), study.writer()),
        ELVES * elf(door.writer()),
    );
    println!("{years} deliveries and {} talks with three elves", consultations?);
    Ok(())
}
