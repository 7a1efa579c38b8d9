use csp::{Barrier, Channel, Reader, Writer, parallel, process};

/// Stays in step with the other cells: none begins a phase before all have ended the last one.
#[process]
fn cell(phases: Barrier, log: Writer<u32>) -> csp::Result {
    for phase in 0..3 {
        log.write(phase)?;
        phases.sync();
    }
    Ok(())
}

#[process]
fn reader(log: Reader<u32>) -> Vec<u32> {
    log.iter().collect()
}

#[csp::main]
fn main() {
    let log = Channel::new();
    let (_, log) = parallel!(4 * cell(Barrier::new(), log.writer()), reader(log.reader()));
    println!("{log:?}");
}
