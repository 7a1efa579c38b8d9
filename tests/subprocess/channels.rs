//! Channels whose ends are in several OS processes. The laws of channels and of choice hold there too.

use std::collections::HashSet;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use csp::{
    Alternation, Cause, Channel, Reader, Termination, Writer, alt, multiprocess, parallel, pri_alt,
    process, spawn, try_parallel,
};
use serde::{Deserialize, Serialize};

use crate::folder::{Folder, note};
use crate::{here, tests};

#[multiprocess]
fn squares(numbers: Reader<u64>, squares: Writer<u64>) -> csp::Result {
    loop {
        let n = numbers.read()?;
        squares.write(n * n)?;
    }
}

#[process]
fn numbers(out: Writer<u64>, upto: u64) -> csp::Result {
    for n in 0..upto {
        out.write(n)?;
    }
    Ok(())
}

#[process]
fn sum(input: Reader<u64>) -> u64 {
    input.iter().sum()
}

#[multiprocess]
fn prefix(n: u64, input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    output.write(n)?;
    loop {
        output.write(input.read()?)?;
    }
}

#[multiprocess]
fn delta(input: Reader<u64>, first: Writer<u64>, second: Writer<u64>) -> csp::Result {
    loop {
        let n = input.read()?;
        first.write(n)?;
        second.write(n)?;
    }
}

#[process]
fn successor(input: Reader<u64>, output: Writer<u64>) -> csp::Result {
    loop {
        output.write(input.read()? + 1)?;
    }
}

#[process]
fn first(input: Reader<u64>, count: u64) -> csp::Result<Vec<u64>> {
    (0..count).map(|_| input.read()).collect()
}

#[multiprocess]
fn all_of(input: Reader<u64>) -> Vec<u64> {
    input.iter().collect()
}

#[multiprocess]
fn makes_a_channel() -> (Reader<u64>, Writer<u64>) {
    let channel = Channel::new();
    (channel.reader(), channel.writer())
}

#[derive(Serialize, Deserialize)]
struct Call {
    question: u64,
    answer: Writer<(u64, u32)>,
}

#[multiprocess]
fn server(calls: Reader<Call>) -> usize {
    let mut served = 0;
    for call in &calls {
        call.answer.write((call.question + 1, here())).expect("who asks waits");
        served += 1;
    }
    served
}

#[process]
fn client(calls: Writer<Call>, many: u64) -> HashSet<u32> {
    let mut servers = HashSet::new();
    for question in 0..many {
        let channel = Channel::new();
        calls.write(Call { question, answer: channel.writer() }).expect("a server");
        let (answer, server) = channel.reader().read().expect("an answer");
        assert_eq!(answer, question + 1);
        servers.insert(server);
    }
    servers
}

#[multiprocess]
fn remote_client(calls: Writer<Call>, many: u64) -> usize {
    for question in 0..many {
        let channel = Channel::new();
        calls.write(Call { question, answer: channel.writer() }).expect("a server");
        let (answer, _) = channel.reader().read().expect("an answer");
        assert_eq!(answer, question + 1);
    }
    many as usize
}

#[multiprocess]
fn merges(inputs: Vec<Reader<u64>>, output: Writer<u64>) -> csp::Result {
    let mut all = Alternation::new();
    for input in &inputs {
        all.read(input, |n| n);
    }
    loop {
        let n = all.choose()?;
        output.write(n)?;
    }
}

#[multiprocess]
fn dies_holding(input: Reader<u64>, output: Writer<u64>) {
    let n = input.read().expect("a value");
    output.write(n).expect("a reader");
    std::process::abort()
}

#[multiprocess(on_panic = retire)]
fn leaves(input: Reader<u64>, output: Writer<u64>) {
    let n = input.read().expect("a value");
    output.write(n).expect("a reader");
    std::process::abort()
}

#[multiprocess]
fn panics_holding(input: Reader<u64>) {
    let n = input.read().expect("a value");
    panic!("{n} is too much");
}

#[multiprocess]
fn poisons(out: Writer<u64>) {
    out.poison("no more");
}

#[multiprocess]
fn writes_after_a_word(word: Reader<()>, out: Writer<u64>) -> csp::Result {
    word.read()?;
    out.write(7)?;
    word.read()?;
    Ok(())
}

#[multiprocess]
fn chooses_outputs(outs: Vec<Writer<u64>>, local: u64) -> u64 {
    #[process]
    fn reader(input: Reader<u64>, many: u64) -> u64 {
        (0..many).map_while(|_| input.read().ok()).sum()
    }
    // Half of its guards are at channels of this OS process, and threads or coroutines of this OS process read there.
    let own = Channel::new();
    let read = spawn(reader(own.reader(), local));
    let mut written = 0;
    {
        let next = std::cell::Cell::new(0);
        let mine = own.writer();
        let mut all = Alternation::new();
        for out in &outs {
            all.write(out, || next.get(), || true);
        }
        all.write(&mine, || next.get(), || false);
        let (mut there, mut here) = (0, 0);
        while there < 300 || here < local {
            all.set_enabled(outs.len(), here < local);
            for index in 0..outs.len() {
                all.set_enabled(index, there < 300);
            }
            next.set(next.get() + 1);
            if all.choose().expect("readers") {
                there += 1;
                written += next.get();
            } else {
                here += 1;
            }
        }
    }
    drop(own);
    let _ = read.join();
    written
}

/// Gives away a reader of a channel that has retired when it ends, before any process has looked.
#[multiprocess]
fn gives_what_retires(gifts: Writer<Reader<u64>>) {
    let channel = Channel::<u64>::new();
    gifts.write(channel.reader()).expect("a reader");
}

#[multiprocess]
fn gives_what_retires_as_its_result() -> (Reader<u64>, Writer<u64>) {
    let (read, written) = (Channel::new(), Channel::new());
    (read.reader(), written.writer())
}

tests! {
    fn what_retired_before_its_home_ended_has_retired() {
        for _ in 0..20 {
            let gifts = Channel::new();
            let child = spawn(gives_what_retires(gifts.writer()));
            let reader = gifts.reader().read().expect("an end");
            child.join();
            assert_eq!(reader.read(), Err(Termination::Retired));
            assert_eq!(alt! { n = reader.read() => n }, Err(Termination::Retired));
            assert_eq!(alt! { retired(reader) => 5 }, Ok(5));
            let open = Channel::buffered(1);
            let (from, to) = (open.reader(), open.writer());
            to.write(7).expect("room");
            assert_eq!(alt! { n = reader.read() => n, n = from.read() => n }, Ok(7));
            assert_eq!(reader.termination(), Some(Termination::Retired));

            let (reader, writer) = spawn(gives_what_retires_as_its_result()).join();
            assert_eq!(reader.read(), Err(Termination::Retired));
            assert_eq!(writer.write(1).map_err(|error| error.termination), Err(Termination::Retired));
        }
    }

    fn a_child_squares_numbers() {
        let (n, s) = (Channel::new(), Channel::new());
        let (_, _, total) = parallel!(
            numbers(n.writer(), 500),
            squares(n.reader(), s.writer()),
            sum(s.reader()),
        );
        assert_eq!(total, (0..500).map(|n| n * n).sum());
    }

    fn children_share_the_work() {
        let (n, s) = (Channel::new(), Channel::buffered(3));
        let (_, _, total) = parallel!(
            numbers(n.writer(), 500),
            3 * squares(n.reader(), s.writer()),
            sum(s.reader()),
        );
        assert_eq!(total, (0..500).map(|n| n * n).sum());
    }

    fn a_ring_of_children_and_others_goes_round() {
        let (a, b, c, d) = (Channel::new(), Channel::new(), Channel::new(), Channel::new());
        let (.., got) = parallel!(
            prefix(0, a.reader(), b.writer()),
            delta(b.reader(), c.writer(), d.writer()),
            successor(c.reader(), a.writer()),
            first(d.reader(), 300),
        );
        assert_eq!(got, Ok((0..300).collect()));
    }

    fn a_channel_outlives_the_child_that_was_given_it_and_the_one_that_made_it() {
        let channel = Channel::new();
        let (_, got) = parallel!(numbers(channel.writer(), 100), all_of(channel.reader()));
        assert_eq!(got, (0..100).collect::<Vec<_>>());
        let ((reader, writer),) = parallel!(makes_a_channel());
        let (_, got) = parallel!(numbers(writer, 100), all_of(reader));
        assert_eq!(got, (0..100).collect::<Vec<_>>());
    }

    fn ends_travel_in_calls() {
        let calls = Channel::new();
        let (served, clients) = parallel!(2 * server(calls.reader()), 2 * client(calls.writer(), 100));
        assert_eq!(served.iter().sum::<usize>(), 200);
        assert!(clients.iter().flatten().all(|server| *server != here()));
    }

    fn ends_travel_between_siblings() {
        let calls = Channel::new();
        let (served, clients) =
            parallel!(2 * server(calls.reader()), 2 * remote_client(calls.writer(), 100));
        assert_eq!(served.iter().sum::<usize>(), clients.iter().sum());
    }

    fn an_alternation_of_a_child_merges() {
        let (out, inputs) = (Channel::new(), 4 * Channel::new());
        let readers = inputs.iter().map(Channel::reader).collect();
        let writers: Vec<_> = inputs.iter().map(|input| numbers(input.writer(), 200)).collect();
        drop(inputs);
        let (_, _, total) = parallel!(writers, merges(readers, out.writer()), sum(out.reader()));
        assert_eq!(total, 4 * (0..200).sum::<u64>());
    }

    fn alternations_of_two_homes_and_of_local_channels_choose_once() {
        #[process]
        fn reader(inputs: Vec<Reader<u64>>) -> u64 {
            let mut all = Alternation::new();
            for input in &inputs {
                all.read(input, |n| n);
            }
            let mut sum = 0;
            while let Ok(n) = all.choose() {
                sum += n;
            }
            sum
        }
        let channels = 3 * Channel::new();
        let readers: Vec<_> = channels.iter().map(Channel::reader).collect();
        let writers: Vec<_> = channels.iter().map(Channel::writer).collect();
        drop(channels);
        let (read, written) = parallel!(
            2 * reader(readers),
            2 * chooses_outputs(writers, 300),
        );
        assert_eq!(read.iter().sum::<u64>(), written.iter().sum());
    }

    fn a_child_that_ends_right_after_a_choice_has_given_its_value() {
        #[multiprocess]
        fn chooses_once(born: Writer<()>, out: Writer<String>) -> csp::Result {
            born.write(())?;
            let mut all = Alternation::new();
            all.write(&out, || "made late".to_owned(), || ());
            all.choose()
        }
        #[process]
        fn reader(input: Reader<String>) -> csp::Result<String> {
            input.read()
        }
        // The reader waits by now. If it is a coroutine, it goes on only after this, when the child would have ended.
        #[process]
        fn holds_its_thread_up(born: Reader<()>) -> csp::Result {
            born.read()?;
            std::thread::sleep(std::time::Duration::from_millis(100));
            Ok(())
        }
        let (born, channel) = (Channel::new(), Channel::new());
        let (wrote, read, held) = parallel!(
            chooses_once(born.writer(), channel.writer()),
            reader(channel.reader()),
            holds_its_thread_up(born.reader()),
        );
        assert_eq!((wrote, read, held), (Ok(()), Ok("made late".to_owned()), Ok(())));
    }

    fn a_child_that_dies_poisons_what_it_held_or_leaves() {
        for poisons in [true, false] {
            let (to, from) = (Channel::new(), Channel::new());
            let child = match poisons {
                true => spawn(dies_holding(to.reader(), from.writer()).erased()),
                false => spawn(leaves(to.reader(), from.writer()).erased()),
            };
            let (to, from) = (to.writer(), from.reader());
            to.write(3).expect("a reader");
            assert_eq!(from.read(), Ok(3));
            let ended = from.read().expect_err("it is dead");
            match ended.poison().map(csp::Poison::cause) {
                Some(Cause::Lost { process, message, .. }) if poisons => {
                    assert!(process.ends_with("dies_holding") && message.contains("SIGABRT"), "{message}");
                }
                None if !poisons => {}
                other => panic!("{other:?}"),
            }
            assert_eq!(to.write(4).expect_err("it is dead").termination.poison().is_some(), poisons);
            assert!(child.try_join().is_err());
        }
    }

    fn a_panic_in_a_child_poisons_with_its_text() {
        let channel = Channel::new();
        let child = spawn(panics_holding(channel.reader()));
        let writer = channel.writer();
        writer.write(9).expect("a reader");
        let ended = writer.write(10).expect_err("it has panicked").termination;
        assert!(format!("{ended:#}").contains("9 is too much"), "{ended:#}");
        assert!(child.try_join().is_err());
        let other = Channel::<u64>::new();
        let (_, ended) = parallel!(poisons(other.writer()), sum_or_end(other.reader()));
        assert!(format!("{:#}", ended.expect("poison")).contains("no more"));
    }

    fn time_skip_and_retirement_are_seen_from_here() {
        let (word, values) = (Channel::new(), Channel::new());
        let child = spawn(writes_after_a_word(word.reader(), values.writer()));
        let (word, values) = (word.writer(), values.reader());
        assert_eq!(pri_alt! { _ = values.read() => true, skip => false }, Ok(false));
        let timed = alt! { _ = values.read() => true, after(Duration::from_millis(5)) => false };
        assert_eq!(timed, Ok(false));
        word.write(()).expect("a reader");
        let read = alt! { n = values.read() => n, after(Duration::from_secs(60)) => 0 };
        assert_eq!(read, Ok(7));
        word.write(()).expect("a reader");
        let retired = alt! { _ = values.read() => false, retired(values) => true };
        assert_eq!(retired, Ok(true));
        assert_eq!(values.termination(), Some(Termination::Retired));
        assert_eq!(child.join(), Ok(()));
    }

    fn values_of_64_megabytes_and_of_nothing_cross() {
        #[multiprocess]
        fn shouts(input: Reader<Box<str>>, output: Writer<Box<str>>) -> csp::Result {
            loop {
                output.write(input.read()?.to_ascii_uppercase().into())?;
            }
        }
        let (to, from) = (Channel::new(), Channel::new());
        let child = spawn(shouts(to.reader(), from.writer()));
        let (to, from) = (to.writer(), from.reader());
        for size in [0, 1, 65_535, 65_536, 65_537, 64 << 20] {
            let mut text = "abcdefg".repeat(size / 7 + 1);
            text.truncate(size);
            to.write(text.as_str().into()).expect("a reader");
            let back = from.read().expect("a value");
            assert!(*back == *text.to_ascii_uppercase());
        }
        to.retire();
        assert_eq!(child.join(), Err(Termination::Retired));
    }

    fn a_hundred_thousand_communications_after_each_other() {
        // Each of ten thousand values may have to wait for a core. The other cases need fewer waits, because one turn serves many.
        #[multiprocess]
        fn sums(inputs: Vec<Reader<u64>>) -> u64 {
            let sums: Vec<_> = inputs.into_iter().map(sum).collect();
            parallel!(sums).0.into_iter().sum()
        }
        let channel = Channel::new();
        let (_, total) = parallel!(numbers(channel.writer(), 10_000), all_of(channel.reader()));
        assert_eq!(total.len(), 10_000);
        let channels = 90 * Channel::new();
        let writers: Vec<_> = channels.iter().map(|each| numbers(each.writer(), 1000)).collect();
        let sums = sums(channels.iter().map(Channel::reader).collect());
        drop(channels);
        assert_eq!(parallel!(writers, sums).1, 90 * (0..1000).sum::<u64>());
    }

    fn ten_thousand_channels_are_shared_with_a_child() {
        // Only some ends are used, because each use may have to wait for a core.
        #[multiprocess]
        fn reads_some(inputs: Vec<Reader<u64>>) -> u64 {
            inputs.iter().step_by(10).map(|input| input.read().expect("a value")).sum()
        }
        let channels = 10_000 * Channel::new();
        let child = spawn(reads_some(channels.iter().map(Channel::reader).collect()));
        for (n, channel) in (0..).zip(channels).step_by(10) {
            channel.writer().write(n).expect("a reader");
        }
        assert_eq!(child.join(), (0..10_000).step_by(10).sum::<u64>());
    }

    fn who_waits_for_another_os_process_is_in_no_deadlock() {
        #[multiprocess]
        fn sleeps(out: Writer<u64>) -> csp::Result {
            std::thread::sleep(Duration::from_millis(900));
            out.write(1)?;
            Ok(())
        }
        let channel = Channel::new();
        let (slept, total) = parallel!(sleeps(channel.writer()), sum(channel.reader()));
        assert_eq!((slept, total), (Ok(()), 1));
    }

    fn who_sleeps_is_woken_by_one_who_says_no_more() {
        let folder = Folder::new();
        parallel!(writes_and_says_no_more(folder.path()));
    }

    fn arguments_that_cannot_be_sent_give_their_ends_up() {
        #[derive(Clone)]
        struct Never;
        impl Serialize for Never {
            fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
                Err(serde::ser::Error::custom("never"))
            }
        }
        impl<'de> Deserialize<'de> for Never {
            fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
                Ok(Never)
            }
        }
        #[multiprocess]
        fn takes(_input: Reader<u64>, _never: Never) {}
        let channel = Channel::new();
        let writer = channel.writer();
        assert!(try_parallel!(takes(channel.reader(), Never)).is_err());
        drop(channel);
        assert!(writer.write(1).is_err());
    }
}

#[multiprocess]
fn notes_what_it_reads(folder: PathBuf, input: Reader<u64>) -> csp::Result {
    input.read()?;
    note(&folder, "read");
    Ok(())
}

/// Writes to a process that sleeps, and then makes no call of the library until that process has read.
#[multiprocess]
fn writes_and_says_no_more(folder: PathBuf) {
    let channel = Channel::new();
    let writer = channel.writer();
    let reader = spawn(notes_what_it_reads(folder.clone(), channel.reader()));
    drop(channel);
    // This is long enough for it to sleep. If it does not sleep yet, the test shows nothing.
    thread::sleep(Duration::from_millis(100));
    writer.write(1).unwrap();
    while !folder.join("read").exists() {
        thread::yield_now();
    }
    reader.join().unwrap();
}

#[process]
fn sum_or_end(input: Reader<u64>) -> Option<Termination> {
    while input.read().is_ok() {}
    input.termination()
}
