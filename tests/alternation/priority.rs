//! Choices by priority take the first guard that is ready at one moment. (`models/alternation/priority.rs` tries every interleaving.)

use csp::{Alternation, Channel, Reader, Writer, pri_alt};
use csp_tests::{awaitable, laws, start, wait_for};
use std::time::Duration;

const WAYS: usize = 4;

/// The value read from the first channel (`Ok`) or the second (`Err`), or `None`.
type Found = Option<Result<u64, u64>>;

#[awaitable]
fn choose(way: usize, first: &Reader<u64>, second: &Reader<u64>) -> csp::Result<Found> {
    match way {
        0 => pri_alt! {
            x = first.read()  => Some(Ok(x)),
            x = second.read() => Some(Err(x)),
        },
        1 => pri_alt! {
            x = first.read()                 => Some(Ok(x)),
            x = second.begin()               => Some(Err(x.into_inner())),
            after(Duration::from_secs(3600)) => unreachable!(),
        },
        2 => pri_alt! {
            x = first.read()  => Some(Ok(x)),
            x = second.read() => Some(Err(x)),
            skip              => None,
        },
        _ => {
            let mut choice = Alternation::by_priority();
            choice.read(first, |x| Some(Ok(x)));
            choice.read(second, |x| Some(Err(x)));
            choice.choose()
        }
    }
}

laws! {
    here: "a channel away is asked by a message, and has no moment in common with others";

    /// The first channel always has its value before the second has.
    fn what_was_ready_first_is_chosen_first(backend) {
        for way in 0..WAYS {
            let (one, other) = (Channel::buffered(1), Channel::buffered(1));
            let rounds = backend.rounds(2_000);
            let writes = start!(
                backend,
                (first: Writer<u64> = one.writer(), second: Writer<u64> = other.writer(), rounds: u64 = rounds) -> csp::Result {
                    for n in 1..=rounds {
                        first.write(n)?;
                        second.write(n)?;
                    }
                    Ok(())
                }
            );
            let reads = start!(
                backend,
                (way: usize = way, first: Reader<u64> = one.reader(), second: Reader<u64> = other.reader()) -> (u64, u64) {
                    let (mut last, mut overtaken) = (0, 0);
                    loop {
                        match wait_for!(choose(way, &first, &second)) {
                            Ok(Some(Ok(n))) => last = n,
                            Ok(Some(Err(n))) => overtaken += u64::from(n > last),
                            Ok(None) => {}
                            Err(_) => return (last, overtaken),
                        }
                    }
                }
            );
            drop((one, other));
            assert_eq!(writes.join(), Ok(()));
            assert_eq!(reads.join(), (rounds, 0));
        }
    }
}
