//! The fate of a value whose channel was lost with the OS process that decides about it.

use std::time::Duration;

use csp::{
    Channel, Fate, Reader, Spawned, TryWriteError, WriteError, Writer, multiprocess, process, spawn,
};
use rustix::process::Signal;

use crate::killed::{signal, stop};
use crate::{here, tests};

/// Makes a channel, and so decides about it. It keeps each writer by an extended rendezvous, and passes the value on.
#[multiprocess]
fn passes_on(
    gift: Writer<(u32, Writer<u64>)>,
    seen: Writer<u64>,
    never: Reader<()>,
) -> csp::Result {
    let channel = Channel::new();
    gift.write((here(), channel.writer()))?;
    let reader = channel.reader();
    let held = reader.begin()?;
    seen.write(*held)?;
    never.read()
}

/// The value that came back, and whether nobody knows its fate. No value: it was written.
type Came = Option<(u64, bool)>;

fn came(written: Result<(), WriteError<u64>>) -> Came {
    let error = written.err()?;
    let fate = error.fate();
    Some((error.into_inner(), fate == Fate::Unknown))
}

#[process]
fn writes(out: Writer<u64>, value: u64) -> Came {
    came(out.write(value))
}

#[process]
fn writes_in_time(out: Writer<u64>, value: u64) -> Came {
    let written = out.write_timeout(value, Duration::from_secs(600));
    came(written.map_err(|error| match error {
        TryWriteError::Ended(error) => error,
        TryWriteError::Full(_) => panic!("it has time"),
    }))
}

#[process]
async fn awaits(out: Writer<u64>, value: u64) -> Came {
    came(out.write_async(value).await)
}

#[process]
async fn awaits_in_time(out: Writer<u64>, value: u64) -> Came {
    let written = out.write_timeout_async(value, Duration::from_secs(600)).await;
    came(written.map_err(|error| match error {
        TryWriteError::Ended(error) => error,
        TryWriteError::Full(_) => panic!("it has time"),
    }))
}

#[process]
async fn sends(out: Writer<u64>, value: u64) -> Came {
    came(out.sink().send(value).await)
}

const FORMS: usize = 5;

/// Starts a write in one of its forms.
fn write(form: usize, out: Writer<u64>, value: u64) -> Spawned<Came> {
    match form {
        0 => spawn(writes(out, value)),
        1 => spawn(writes_in_time(out, value)),
        2 => spawn(awaits(out, value)),
        3 => spawn(awaits_in_time(out, value)),
        _ => spawn(sends(out, value)),
    }
}

tests! {
    fn a_write_that_a_lost_home_had_heard_of_has_an_unknown_fate() {
        for form in 0..FORMS {
            let (gift, seen, never) = (Channel::new(), Channel::new(), Channel::new());
            let home = spawn(passes_on(gift.writer(), seen.writer(), never.reader()));
            let (pid, out) = gift.reader().read().expect("an end");
            let writing = write(form, out, 7);
            assert_eq!(seen.reader().read(), Ok(7));
            signal(pid, Signal::KILL);
            // A sink was told at once that its value has a reader.
            let expected = if form == FORMS - 1 { None } else { Some((7, true)) };
            assert_eq!(writing.join(), expected, "form {form}");
            assert!(home.try_join().is_err());
            drop(never);
        }
    }

    fn a_write_that_a_lost_home_had_not_heard_of_comes_back() {
        for form in 0..FORMS {
            let (gift, seen, never) = (Channel::new(), Channel::new(), Channel::new());
            let home = spawn(passes_on(gift.writer(), seen.writer(), never.reader()));
            let (pid, out) = gift.reader().read().expect("an end");
            stop(pid);
            let late = out.clone();
            let writing = write(form, out, 8);
            signal(pid, Signal::KILL);
            assert_eq!(writing.join(), Some((8, false)), "form {form}");
            assert!(home.try_join().is_err());
            // The loss is known by now.
            assert_eq!(came(late.write(9)), Some((9, false)));
            drop((seen, never));
        }
    }
}
