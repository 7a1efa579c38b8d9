//! Go's `test/chan/select*.go`. `skip` replaces `default`, a disabled guard a nil channel, and a retired channel a closed
//! channel.
//!
//! Not here:
//! - `select8.go`: `break` out of a choice, which `ui/pass/alternation.rs` has with every other way out of an arm.

use csp::{Alternation, Cause, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{Arrival, Placement, held, on_each_backend};
use std::cell::{Cell, RefCell};

/// The outcome of an operation. It blocks if it has not ended before its channel is poisoned.
#[derive(Debug, PartialEq)]
enum Comes {
    AtOnce(Result<&'static str, Termination>),
    Never,
}

type Operation = fn(&Reader<u32>, &Writer<u32>) -> Result<&'static str, Termination>;

/// The two ends of a channel.
type Line = (Reader<u32>, Writer<u32>);

/// Returns the outcome of the operation on such a channel.
fn on(backend: &Placement, (reader, writer): Line, operation: Operation) -> Comes {
    let arrival = Arrival::new();
    let process = backend.spawn({
        let (reader, writer, arrival) = (reader.clone(), writer.clone(), arrival.clone());
        move || {
            arrival.announce();
            operation(&reader, &writer)
        }
    });
    arrival.until_blocked();
    reader.poison("that was long enough");
    match process.join() {
        Err(Termination::Poisoned(poison)) if matches!(poison.cause(), Cause::Explicit { .. }) => {
            Comes::Never
        }
        outcome => Comes::AtOnce(outcome),
    }
}

fn line(channel: &Channel<u32>) -> Line {
    (channel.reader(), channel.writer())
}

fn empty() -> Line {
    line(&Channel::new())
}

/// Makes a channel with room for one value.
fn roomy() -> Line {
    line(&Channel::buffered(1))
}

/// Makes a channel that holds a value and has no room.
fn full() -> Line {
    let line = roomy();
    line.1.write(7).unwrap();
    line
}

fn retired() -> Line {
    let channel = Channel::new();
    drop(line(&channel));
    line(&channel)
}

fn written(write: Result<(), csp::WriteError<u32>>) -> Result<&'static str, Termination> {
    write.map_err(|mut error| {
        assert_eq!(*error.get_mut(), 7, "the value comes back");
        error.termination
    })?;
    Ok("written")
}

const READ: Operation = |reader, _| reader.read().map(|_| "read");
const WRITE: Operation = |_, writer| written(writer.write(7));

const ALT_READ: Operation = |reader, _| alt! { reader.read() => "read" };
const ALT_WRITE: Operation = |_, writer| alt! { writer.write(7) => "written" };
const ALT_SELF: Operation = |reader, writer| {
    alt! {
        writer.write(1) => "written",
        reader.read()   => "read",
    }
};
const SET_READ: Operation = |reader, _| {
    let mut set = Alternation::new();
    set.read(reader, |_| "read");
    set.choose()
};
const SET_WRITE: Operation = |_, writer| {
    let mut set = Alternation::new();
    set.write(writer, || 7, || "written");
    set.choose()
};
const SET_SELF: Operation = |reader, writer| {
    let mut set = Alternation::by_priority();
    set.write(writer, || 7, || "written");
    set.read(reader, |_| "read");
    set.choose()
};

const POLL_READ: Operation = |reader, _| {
    pri_alt! {
        reader.read() => "read",
        skip          => "skipped",
    }
};
const POLL_WRITE: Operation = |_, writer| {
    pri_alt! {
        writer.write(7) => "written",
        skip            => "skipped",
    }
};
const POLL_SELF: Operation = |reader, writer| {
    pri_alt! {
        writer.write(7) => "written",
        reader.read()   => "read",
        skip            => "skipped",
    }
};
const SKIP: Operation = |_, _| pri_alt! { skip => "skipped" };

const NO_READ: Operation = |reader, _| alt! { if false, reader.read() => "read" };
const NO_WRITE: Operation = |_, writer| alt! { if false, writer.write(7) => "written" };
const NEITHER: Operation = |reader, writer| {
    alt! {
        if false, reader.read()   => "read",
        if false, writer.write(7) => "written",
    }
};
const NOTHING: Operation = |_, _| Alternation::new().choose();

const POLL_NO_READ: Operation = |reader, _| {
    pri_alt! {
        if false, reader.read() => "read",
        skip                    => "skipped",
    }
};
const POLL_NO_WRITE: Operation = |_, writer| {
    pri_alt! {
        if false, writer.write(7) => "written",
        skip                      => "skipped",
    }
};

fn is_no_guard(comes: Comes) -> bool {
    matches!(
        comes,
        Comes::AtOnce(Err(Termination::Poisoned(poison))) if matches!(poison.cause(), Cause::NoGuard { .. })
    )
}

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn select_reads_and_writes_at_once_while_one_may(backend) {
        // Preconditions let one process shift numbers through a register of one.
        let (input, output) = (Channel::new(), Channel::new());
        let source = backend.spawn({
            let writer = input.writer();
            move || (0..500_u32).try_for_each(|number| Ok::<_, Termination>(writer.write(number)?))
        });
        let register = backend.spawn({
            let (input, output) = (input.reader(), output.writer());
            move || -> csp::Result {
                let mut held = None;
                loop {
                    alt! {
                        if held.is_none(), number = input.read()            => held = Some(number),
                        if let Some(number) = held, output.write(number)    => held = None,
                        if held.is_none(), retired(input)                   => return Ok(()),
                    }?;
                }
            }
        });
        let reader = output.reader();
        drop((input, output));
        assert!(reader.iter().eq(0..500));
        assert_eq!(source.join(), Ok(()));
        assert_eq!(register.join(), Ok(()));
    }

    fn select2_leaves_nothing_behind_in_channels_that_are_never_ready(backend) {
        const COUNT: u32 = 10_000;
        let (numbers, never) = (Channel::new(), Channel::<u32>::new());
        let source = backend.spawn({
            let writer = numbers.writer();
            move || -> csp::Result {
                for number in 0..COUNT {
                    writer.write(number)?;
                }
                Ok(())
            }
        });
        let grown = backend.spawn({
            let (input, never) = (numbers.reader(), never.reader());
            move || -> csp::Result<isize> {
                let mut before = 0;
                for round in 0..COUNT {
                    if round == COUNT / 10 {
                        before = held();
                    }
                    alt! {
                        input.read() => {}
                        never.read() => unreachable!(),
                    }?;
                }
                Ok(held() - before)
            }
        });
        let grown = grown.join().unwrap();
        // The other thread frees the wake-up messages of its processes: some bytes each time.
        assert!(grown < 32 * COUNT as isize, "{grown} bytes for {COUNT} choices");
        assert_eq!(source.join(), Ok(()));
    }

    fn select3_plain_operations(backend) {
        let comes = |line, operation| on(backend, line, operation);
        assert_eq!(comes(empty(), READ), Comes::Never);
        assert_eq!(comes(empty(), WRITE), Comes::Never);
        assert_eq!(comes(roomy(), READ), Comes::Never);
        assert_eq!(comes(roomy(), WRITE), Comes::AtOnce(Ok("written")));
        assert_eq!(comes(full(), READ), Comes::AtOnce(Ok("read")));
        assert_eq!(comes(full(), WRITE), Comes::Never);
        // In Go the read returns zeroes and the write panics. Here both get the end, again and again.
        for operation in [READ, WRITE] {
            let (reader, writer) = retired();
            let process =
                backend.spawn(move || [(); 10].map(|()| operation(&reader, &writer)));
            assert_eq!(process.join(), [(); 10].map(|()| Err(Termination::Retired)));
        }
    }

    fn select3_one_guard(backend) {
        let comes = |line, operation| on(backend, line, operation);
        for (read, write) in [(ALT_READ, ALT_WRITE), (SET_READ, SET_WRITE)] {
            assert_eq!(comes(empty(), read), Comes::Never);
            assert_eq!(comes(empty(), write), Comes::Never);
            assert_eq!(comes(roomy(), read), Comes::Never);
            assert_eq!(comes(roomy(), write), Comes::AtOnce(Ok("written")));
            assert_eq!(comes(full(), read), Comes::AtOnce(Ok("read")));
            assert_eq!(comes(full(), write), Comes::Never);
            assert_eq!(comes(retired(), read), Comes::AtOnce(Err(Termination::Retired)));
            assert_eq!(comes(retired(), write), Comes::AtOnce(Err(Termination::Retired)));
        }
    }

    fn select3_with_skip_never_blocks(backend) {
        let comes = |line, operation| on(backend, line, operation);
        assert_eq!(comes(empty(), SKIP), Comes::AtOnce(Ok("skipped")));
        assert_eq!(comes(empty(), POLL_READ), Comes::AtOnce(Ok("skipped")));
        assert_eq!(comes(empty(), POLL_WRITE), Comes::AtOnce(Ok("skipped")));
        assert_eq!(comes(roomy(), POLL_READ), Comes::AtOnce(Ok("skipped")));
        assert_eq!(comes(roomy(), POLL_WRITE), Comes::AtOnce(Ok("written")));
        assert_eq!(comes(full(), POLL_READ), Comes::AtOnce(Ok("read")));
        assert_eq!(comes(full(), POLL_WRITE), Comes::AtOnce(Ok("skipped")));
        assert_eq!(comes(full(), POLL_NO_READ), Comes::AtOnce(Ok("skipped")));
        assert_eq!(comes(roomy(), POLL_NO_WRITE), Comes::AtOnce(Ok("skipped")));
        // A poll gets the end too, because otherwise it would poll for ever.
        assert_eq!(comes(retired(), POLL_READ), Comes::AtOnce(Err(Termination::Retired)));
        assert_eq!(comes(retired(), POLL_WRITE), Comes::AtOnce(Err(Termination::Retired)));
    }

    fn select3_without_a_guard_is_an_error_where_go_blocks(backend) {
        for operation in [NO_READ, NO_WRITE, NEITHER, NOTHING] {
            assert!(is_no_guard(on(backend, full(), operation)));
            assert!(is_no_guard(on(backend, roomy(), operation)));
        }
    }

    fn select3_a_choice_does_not_meet_itself(backend) {
        assert_eq!(on(backend, empty(), ALT_SELF), Comes::Never);
        assert_eq!(on(backend, empty(), SET_SELF), Comes::Never);
        assert_eq!(on(backend, empty(), POLL_SELF), Comes::AtOnce(Ok("skipped")));
        assert_eq!(on(backend, full(), POLL_SELF), Comes::AtOnce(Ok("read")));
        assert_eq!(on(backend, roomy(), POLL_SELF), Comes::AtOnce(Ok("written")));
    }

    fn select4_the_arm_not_chosen_is_not_evaluated(backend) {
        let ((ready, _room), (never, _nobody)) = (full(), empty());
        let read = backend.spawn(move || {
            alt! {
                _ = never.read() => unreachable!("it is not ready"),
                number = ready.read() => number,
            }
        });
        assert_eq!(read.join(), Ok(7));
    }

    fn select5_guards_are_evaluated_once_in_order_and_then_only_the_arm(backend) {
        let ends = (full(), empty());
        let order = backend.spawn(move || {
            let order = RefCell::new(Vec::new());
            fn at<'a, T>(order: &RefCell<Vec<u32>>, step: u32, value: &'a T) -> &'a T {
                order.borrow_mut().push(step);
                value
            }
            fn value(order: &RefCell<Vec<u32>>, step: u32) -> u32 {
                order.borrow_mut().push(step);
                step
            }
            let ((ready, full), (other, none)) = &ends;
            alt! {
                at(&order, 1, none).write(value(&order, 2))             => order.borrow_mut().push(100),
                at(&order, 3, other).read()                             => order.borrow_mut().push(101),
                if false, at(&order, 90, full).write(value(&order, 91)) => order.borrow_mut().push(102),
                at(&order, 4, full).write(value(&order, 5))             => order.borrow_mut().push(103),
                at(&order, 6, full).write_with(|| value(&order, 92))    => order.borrow_mut().push(104),
                number = at(&order, 7, ready).read()                    => order.borrow_mut().push(number + 1),
            }?;
            Ok::<_, Termination>(order.into_inner())
        });
        assert_eq!(order.join(), Ok(vec![1, 2, 3, 4, 5, 6, 7, 8]));
    }

    fn select5_a_choice_may_be_phrased_in_many_ways(backend) {
        let numbers = backend.spawn(|| {
            let channel = Channel::buffered(1);
            let (reader, writer) = (channel.reader(), channel.writer());
            let (ends, set) = ((&reader, [&writer]), Cell::new(0));
            let mut numbers = Vec::new();
            let mut field = [0; 2];
            for round in 0..40_u32 {
                match round % 4 {
                    0 => writer.write(round)?,
                    1 => alt! { ends.1[0].write(round) => {} }?,
                    2 => pri_alt! { writer.write_with(|| round) => {}, skip => unreachable!() }?,
                    _ => {
                        let mut set = Alternation::new();
                        set.write(&writer, || round, || {});
                        set.choose()?;
                    }
                }
                numbers.push(match round % 5 {
                    0 => reader.read()?,
                    1 => alt! { number = ends.0.read() => number }?,
                    2 => {
                        alt! { number = reader.read() => field[1] = number }?;
                        field[1]
                    }
                    3 => pri_alt! {
                        if true, held = reader.begin() => *held,
                        skip                           => unreachable!(),
                    }?,
                    _ => {
                        let mut reads = Alternation::by_priority();
                        reads.read(&reader, |number| set.set(number));
                        reads.skip(|| unreachable!());
                        reads.choose()?;
                        set.get()
                    }
                });
            }
            Ok::<_, Termination>(numbers)
        });
        assert_eq!(numbers.join(), Ok((0..40).collect()));
    }

    fn select6_an_offer_withdrawn_leaves_its_queue_whole(backend) {
        let [shared, other, done] = [(); 3].map(|()| Channel::<()>::new());
        let arrivals = [(); 3].map(|()| Arrival::new());
        let first = backend.spawn({
            let (shared, arrival) = (shared.reader(), arrivals[0].clone());
            move || {
                arrival.announce();
                shared.read()
            }
        });
        arrivals[0].until_blocked();
        // This process is the last in the queue of `shared` when it withdraws from there.
        let second = backend.spawn({
            let (shared, other, done) = (shared.reader(), other.reader(), done.writer());
            let (first, second) = (arrivals[1].clone(), arrivals[2].clone());
            move || -> csp::Result {
                first.announce();
                alt! {
                    shared.read() => unreachable!("others wait longer"),
                    other.read()  => {}
                }?;
                done.write(())?;
                second.announce();
                shared.read()
            }
        });
        arrivals[1].until_blocked();
        other.writer().write(()).unwrap();
        done.reader().read().unwrap();
        arrivals[2].until_blocked();
        let writer = shared.writer();
        writer.write(()).unwrap();
        writer.write(()).unwrap();
        assert_eq!(first.join(), Ok(()));
        assert_eq!(second.join(), Ok(()));
    }

    fn select7_a_value_may_be_dropped_however_both_sides_choose(backend) {
        type Side<End> = fn(&End, &Channel<u32>) -> csp::Result;
        let reads: [Side<Reader<u32>>; 3] = [
            |end, _| end.read().map(drop),
            |end, _| alt! { end.read() => {} },
            |end, other| {
                let other = other.reader();
                alt! { end.read() => {}, other.read() => unreachable!() }
            },
        ];
        let writes: [Side<Writer<u32>>; 3] = [
            |end, _| Ok(end.write(1)?),
            |end, _| alt! { end.write(1) => {} },
            |end, other| {
                let other = other.writer();
                alt! { end.write(1) => {}, other.write(1) => unreachable!() }
            },
        ];
        for read in reads {
            for write in writes {
                let (channel, other) = (Channel::new(), Channel::new());
                let arrival = Arrival::new();
                let reads = backend.spawn({
                    let (end, other, arrival) = (channel.reader(), other.clone(), arrival.clone());
                    move || {
                        arrival.announce();
                        read(&end, &other)
                    }
                });
                arrival.until_blocked();
                // Each process has its own second channel, because they are to meet on the first.
                let apart = Channel::new();
                assert_eq!(write(&channel.writer(), &apart), Ok(()));
                assert_eq!(reads.join(), Ok(()));
            }
        }
    }
}
