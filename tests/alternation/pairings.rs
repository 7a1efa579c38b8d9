//! Every pairing of {plain, one guard, two guards, both ends} with itself and the others commits exactly once. On every backend
//! and for both sides, each value arrives once or stays with its writer.
//!
//! There are two channels, some writers and some readers. A plain writer, or a writer with one guard, chooses a channel each
//! time. A writer with two guards offers both channels. A writer with both ends also reads values that others write meanwhile,
//! and never its own offer. Readers do the same.

use csp::{Channel, Reader, Termination, Writer, alt};
use csp_tests::{
    Ledger, Placement, Random, Token, awaitable, in_place, laws, multiprocess, run, seed, start,
    wait_for,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    OneGuard,
    TwoGuards,
    BothEnds,
}

use Kind::{BothEnds, OneGuard, Plain, TwoGuards};

const KINDS: [Kind; 4] = [Plain, OneGuard, TwoGuards, BothEnds];

impl Kind {
    /// Returns true if it has to name one channel each time.
    fn is_narrow(self) -> bool {
        matches!(self, Plain | OneGuard)
    }
}

/// The account of a process: values to write, and values it has read.
#[derive(Serialize, Deserialize)]
struct Account {
    to_write: VecDeque<Token>,
    read: Vec<Token>,
}

#[cfg_attr(feature = "subprocess", derive(Serialize, Deserialize))]
struct Ends {
    readers: [Reader<Token>; 2],
    writers: [Writer<Token>; 2],
    /// The number of channels that a process may use if it has to name one.
    channels: usize,
}

#[awaitable]
fn write_all(kind: Kind, ends: Ends, account: &mut Account, random: &mut Random) -> csp::Result {
    let Ends { readers, writers: [wa, wb], channels } = ends;
    // Otherwise it would keep the channels from retiring.
    let readers = (kind == BothEnds).then_some(readers);
    while let Some(value) = account.to_write.pop_front() {
        if random.once_in(8) {
            csp::sleep(Duration::ZERO);
        }
        let which = if random.below(channels) == 0 { &wa } else { &wb };
        match kind {
            Plain => which.write(value)?,
            OneGuard if random.once_in(2) => alt! { which.write(value) => {} }?,
            OneGuard => alt! { which.write_with(|| value) => {} }?,
            TwoGuards => alt! {
                wa.write(value) => {}
                wb.write(value) => {}
            }?,
            BothEnds => {
                let [ra, rb] = readers.as_ref().expect("kept");
                let kept = alt! {
                    wa.write(value)   => None,
                    x = ra.read()     => { account.read.push(x); Some(value) }
                    x = rb.read()     => { account.read.push(x); Some(value) }
                    wb.write(value)   => None,
                }?;
                account.to_write.extend(kept);
            }
        }
    }
    Ok(())
}

#[awaitable]
fn read_all(
    kind: Kind,
    ends: Ends,
    writing: Reader<()>,
    account: &mut Account,
    random: &mut Random,
) -> csp::Result {
    let Ends { readers: [ra, rb], writers, channels } = ends;
    let mut writers = (kind == BothEnds).then_some(writers);
    loop {
        if random.once_in(8) {
            csp::sleep(Duration::ZERO);
        }
        let (first, second) = if random.below(channels) == 0 { (&ra, &rb) } else { (&rb, &ra) };
        let value = match kind {
            Plain => match first.read() {
                Err(_) => second.read(),
                read => read,
            },
            OneGuard => {
                let chosen = match random.once_in(2) {
                    true => alt! { x = first.read() => x },
                    false => alt! { x = first.begin() => x.into_inner() },
                };
                match chosen {
                    Err(_) => second.read(),
                    read => read,
                }
            }
            TwoGuards => alt! {
                x = ra.read() => x,
                x = rb.read() => x,
            },
            BothEnds => {
                if account.to_write.is_empty() {
                    writers = None;
                }
                let Some(value) = account.to_write.pop_front() else {
                    account.read.push(alt! {
                        x = ra.read() => x,
                        x = rb.read() => x,
                    }?);
                    continue;
                };
                let Some([wa, wb]) = &writers else { unreachable!("it has values left") };
                let mut over = false;
                let kept = alt! {
                    x = ra.read()    => { account.read.push(x); Some(value) }
                    wa.write(value)  => None,
                    wb.write(value)  => None,
                    x = rb.read()    => { account.read.push(x); Some(value) }
                    // Only readers are left, and they may all have ended, so the process keeps its value.
                    retired(writing) => { over = true; Some(value) }
                }?;
                if over {
                    account.read.extend(kept);
                    account.read.extend(account.to_write.drain(..));
                } else if let Some(kept) = kept {
                    account.to_write.push_front(kept);
                }
                continue;
            }
        }?;
        account.read.push(value);
    }
}

#[multiprocess]
fn works(
    kind: Kind,
    is_writer: bool,
    ends: Ends,
    mut account: Account,
    mut random: Random,
    keeps: Option<Writer<()>>,
    watches: Reader<()>,
) -> Vec<Token> {
    let end = if is_writer {
        wait_for!(write_all(kind, ends, &mut account, &mut random))
    } else {
        wait_for!(read_all(kind, ends, watches, &mut account, &mut random))
    };
    drop(keeps);
    assert!(account.to_write.is_empty(), "{kind:?} ends with values left: {end:?}");
    assert_eq!(end, if is_writer { Ok(()) } else { Err(Termination::Retired) });
    account.read
}

/// Runs one network. All of it is random except the kinds of its processes.
fn network(backend: &Placement, writers: &[Kind], readers: &[Kind], each: usize, seed: u64) {
    let mut random = Random::seeded(seed);
    let capacity = if random.once_in(4) { 1 + random.below(2) } else { 0 };
    let channels = [(); 2].map(|()| Channel::<Token>::buffered(capacity));
    let writing = Channel::<()>::new();
    // If all processes name one channel each, they have to name the same one.
    let narrow = |kinds: &[Kind]| kinds.iter().all(|kind| kind.is_narrow());
    let usable = if narrow(writers) && narrow(readers) { 1 } else { 2 };
    let total = each * (writers.len() + readers.iter().filter(|kind| **kind == BothEnds).count());
    let ledger = Ledger::new(total);
    let mut values = (0..total).map(|id| ledger.token(id));
    let mut processes = Vec::new();
    for (kind, is_writer) in
        writers.iter().map(|kind| (*kind, true)).chain(readers.iter().map(|kind| (*kind, false)))
    {
        let ends = Ends {
            readers: channels.each_ref().map(Channel::reader),
            writers: channels.each_ref().map(Channel::writer),
            channels: usable,
        };
        let count = if is_writer || kind == BothEnds { each } else { 0 };
        let to_write = values.by_ref().take(count).collect();
        let account = Account { to_write, read: Vec::new() };
        let (keeps, watches) = (is_writer.then(|| writing.writer()), writing.reader());
        let process = works(kind, is_writer, ends, account, random.fork(), keeps, watches);
        processes.push(process);
    }
    drop((channels, writing));
    // In any order, and so on any backend where there are two.
    for at in (1..processes.len()).rev() {
        processes.swap(at, random.below(at + 1));
    }
    let processes: Vec<_> = processes.into_iter().map(|process| backend.place(process)).collect();
    let read: Vec<_> = csp::spawn(processes).into_iter().flat_map(csp::Spawned::join).collect();
    let mut ids: Vec<_> = read.iter().map(Token::id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..total).collect::<Vec<_>>(), "each value was read once");
    drop(read);
    ledger.balance();
}

fn each_pairing(backend: &Placement, count: u64, writers: usize, readers: usize) {
    for writer in KINDS {
        for reader in KINDS {
            for seed in seed()..seed() + backend.rounds(count) {
                backend.note(format!("{writer:?} writes, {reader:?} reads, seed {seed}"));
                network(backend, &vec![writer; writers], &vec![reader; readers], 20, seed);
            }
        }
    }
}

laws! {
    fn one_writer_and_one_reader(backend) {
        each_pairing(backend, 60, 1, 1);
    }

    fn two_writers_and_two_readers(backend) {
        each_pairing(backend, 40, 2, 2);
    }

    fn one_of_each_kind_on_each_side(backend) {
        for seed in seed()..seed() + backend.rounds(200) {
            backend.note(format!("seed {seed}"));
            network(backend, &KINDS, &KINDS, 20, seed);
        }
    }

    fn many_with_both_ends(backend) {
        for seed in seed()..seed() + backend.rounds(60) {
            backend.note(format!("seed {seed}"));
            network(backend, &[BothEnds; 6], &[BothEnds; 6], 20, seed);
        }
    }

    fn between_two_schedulers(backend, here: "it is about two schedulers of one OS process") {
        // Half of the coroutines run on another thread.
        for seed in seed()..seed() + backend.rounds(20) {
            backend.note(format!("seed {seed}"));
            two_schedulers(backend, seed);
        }
    }

    fn two_choices_with_their_guards_in_opposite_order(backend) {
        let ledger = Ledger::new(4_000);
        let (a, b) = (Channel::new(), Channel::new());
        let writes = start!(
            backend,
            (a: Writer<Token> = a.writer(), b: Writer<Token> = b.writer(), ledger: Ledger = ledger.clone()) -> csp::Result {
                for id in 0..4_000 {
                    let value = ledger.token(id);
                    alt! {
                        a.write(value) => {}
                        b.write(value) => {}
                    }?;
                }
                Ok(())
            }
        );
        let reads = start!(
            backend,
            (a: Reader<Token> = a.reader(), b: Reader<Token> = b.reader()) -> usize {
                let mut next = 0;
                while let Ok(value) = alt! {
                    x = b.read() => x,
                    x = a.read() => x,
                } {
                    assert_eq!(value.id(), next);
                    next += 1;
                }
                next
            }
        );
        drop((a, b));
        assert_eq!(writes.join(), Ok(()));
        assert_eq!(reads.join(), 4_000);
        ledger.balance();
    }
}

fn two_schedulers(backend: &Placement, seed: u64) {
    let (a, b) = (Channel::<Token>::new(), Channel::<Token>::new());
    let ledger = Ledger::new(4 * 25);
    let mut random = Random::seeded(seed);
    // A build without threads has one scheduler for both.
    let threads = csp::Backend::Thread.is_compiled_in();
    let on = if threads { csp::Backend::Thread } else { csp::Backend::Coroutine };
    let hosts: Vec<_> = (0..2)
        .map(|host| {
            let (readers, writers) = ([a.reader(), b.reader()], [a.writer(), b.writer()]);
            let (place, ledger, mut random) = (backend.clone(), ledger.clone(), random.fork());
            run(move || {
                place.enter();
                let writes: Vec<_> = (0..2)
                    .map(|half| {
                        let first = 25 * (2 * host + half);
                        let account = (first..first + 25).map(|id| ledger.token(id)).collect();
                        let mut account = Account { to_write: account, read: Vec::new() };
                        let ends = Ends {
                            readers: readers.clone(),
                            writers: writers.clone(),
                            channels: 2,
                        };
                        let (kind, mut random) = (KINDS[random.below(4)], random.fork());
                        place.start(in_place!(move || {
                            wait_for!(write_all(kind, ends, &mut account, &mut random)).unwrap();
                            account.read
                        }))
                    })
                    .collect();
                let ([ra, rb], _) = (readers, drop(writers));
                let reads = place.start(in_place!(move || {
                    let mut read = Vec::new();
                    while let Ok(value) = alt! {
                        x = ra.read() => x,
                        x = rb.read() => x,
                    } {
                        read.push(value);
                    }
                    read
                }));
                let mut read = reads.join();
                read.extend(writes.into_iter().flat_map(csp::Spawned::join));
                read
            })
            .on(on)
        })
        .collect();
    drop((a, b));
    let read: Vec<_> = csp::spawn(hosts).into_iter().flat_map(csp::Spawned::join).collect();
    assert_eq!(read.len(), 100);
    drop(read);
    ledger.balance();
}
