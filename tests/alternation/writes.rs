//! Outputs in a choice: the value moves only if its guard is chosen, and may be computed only then.

use csp::{Alternation, Cause, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{
    Arrival, Ledger, Placement, Token, Wire, awaitable, caught, in_place, laws, multiprocess,
    poisoned_by_panic, process, start, start_waiting, wait_for,
};
use std::sync::{Arc, Mutex};

/// Starts a reader of one value, which already waits.
fn waiting_reader<T: Wire>(
    backend: &Placement,
    channel: &Channel<T>,
) -> csp::Spawned<Result<T, Termination>> {
    #[multiprocess]
    fn run<T: Wire>(input: Reader<T>, arrival: Arrival) -> Result<T, Termination> {
        arrival.announce();
        input.read()
    }
    let arrival = Arrival::new();
    let reader = csp::spawn(backend.place(run(channel.reader(), arrival.clone())));
    arrival.until_blocked();
    reader
}

/// Writes by a closure that panics. The process goes on.
#[awaitable]
fn fails(output: &Writer<Token>) {
    let choice = caught!(alt! { output.write_with(|| panic!("no value")) => unreachable!() });
    assert!(choice.is_err());
}

/// A value whose drop panics.
struct Explosive;

impl Drop for Explosive {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("it was dropped");
        }
    }
}

#[process]
fn reads_two(input: Reader<String>, arrival: Arrival) -> Vec<Result<String, Termination>> {
    arrival.announce();
    let first = input.read();
    let second = input.read();
    vec![first, second]
}

#[process]
fn writes_late(output: Writer<String>, never: Writer<Explosive>) -> csp::Result {
    let text = String::from("late");
    alt! { never.write(Explosive) => unreachable!(), output.write(text) => {} }
}

#[process]
fn makes_late(output: Writer<String>, never: Writer<Explosive>) -> csp::Result {
    alt! { never.write(Explosive) => unreachable!(), output.write_with(|| String::from("late")) => {} }
}

#[process]
fn begins(input: Reader<String>, never: Writer<Explosive>) -> csp::Result {
    alt! { never.write(Explosive) => unreachable!(), text = input.begin() => assert_eq!(*text, "late") }
}

#[process]
fn takes(input: Reader<Token>, never: Writer<Explosive>) -> csp::Result {
    alt! { never.write(Explosive) => unreachable!(), token = input.read() => drop(token) }
}

#[process]
fn writes_once(output: Writer<String>) -> csp::Result {
    Ok(output.write("late".into())?)
}

#[process]
fn gives_away(output: Writer<Token>, token: Token) -> csp::Result {
    Ok(output.write(token)?)
}

laws! {
    here: "what an OS process holds is dropped by that process";

    fn what_a_guard_left_out_panics_with_costs_no_partner(backend) {
        for makes in [false, true] {
            for waits in [false, true] {
                let (texts, never) = (Channel::new(), Channel::<Explosive>::new());
                let kept = never.reader();
                let writer = match makes {
                    true => makes_late(texts.writer(), never.writer()).erased(),
                    false => writes_late(texts.writer(), never.writer()).erased(),
                };
                let arrival = Arrival::new();
                let reader = backend.place(reads_two(texts.reader(), arrival.clone()));
                drop(texts);
                let (reader, writer) = if waits {
                    let reader = csp::spawn(reader);
                    arrival.until_blocked();
                    (reader, csp::spawn(backend.place(writer)))
                } else {
                    let writer = csp::spawn(backend.place(writer));
                    (csp::spawn(reader), writer)
                };
                let failure = writer.try_join().unwrap_err();
                assert_eq!(failure.message(), "it was dropped");
                let read = reader.join();
                let (_, why) = poisoned_by_panic(read[0].as_ref().unwrap_err()).expect("a panic");
                assert_eq!(why, "it was dropped");
                drop(kept);
            }
        }
    }

    fn what_a_guard_left_out_panics_with_lets_the_writer_of_an_extended_read_go(backend) {
        let (texts, never) = (Channel::new(), Channel::<Explosive>::new());
        let kept = never.reader();
        let writer = csp::spawn(backend.place(writes_once(texts.writer())));
        let reader = csp::spawn(backend.place(begins(texts.reader(), never.writer())));
        drop(texts);
        assert_eq!(reader.try_join().unwrap_err().message(), "it was dropped");
        assert_eq!(writer.join(), Ok(()));
        drop(kept);
    }

    fn what_a_guard_left_out_panics_with_leaks_no_value(backend) {
        let ledger = Ledger::new(1);
        let (tokens, never) = (Channel::new(), Channel::<Explosive>::new());
        let kept = never.reader();
        let writer = csp::spawn(backend.place(gives_away(tokens.writer(), ledger.token(0))));
        let reader = csp::spawn(backend.place(takes(tokens.reader(), never.writer())));
        drop(tokens);
        assert_eq!(reader.try_join().unwrap_err().message(), "it was dropped");
        assert_eq!(writer.join(), Ok(()));
        ledger.balance();
        drop(kept);
    }

    /// One read outlives any number of writers whose closure fails. It begins anew each time, without deeper recursion.
    fn a_reader_may_be_disappointed_any_number_of_times(backend) {
        let texts = Channel::<String>::new();
        let arrival = Arrival::new();
        let reader = csp::spawn(backend.place(reads_two(texts.reader(), arrival.clone())));
        arrival.until_blocked();
        let output = texts.writer();
        drop(texts);
        for _ in 0..3_000 {
            let failed = caught!(alt! { output.write_with(|| std::panic::resume_unwind(Box::new(1))) => {} });
            assert!(failed.is_err());
        }
        output.write("at last".into()).unwrap();
        drop(output);
        assert_eq!(reader.join(), [Ok("at last".into()), Err(Termination::Retired)]);
    }
}

laws! {
    fn a_variable_that_is_not_chosen_stays(backend) {
        let ledger = Ledger::new(3);
        let [first, second] = [ledger.token(0), ledger.token(1)];
        let third = ledger.token(2);
        let (never, ready) = (Channel::<Token>::new(), Channel::buffered(1));
        let (_reader, never) = (never.reader(), never.writer());
        let (input, output) = (ready.reader(), ready.writer());
        let kept = start!(
            backend,
            (
                tokens: [Token; 3] = [first, second, third], never: Writer<Token> = never,
                input: Reader<u32> = input, output: Writer<u32> = output,
            ) -> csp::Result<[usize; 3]> {
            let [first, second, third] = tokens;
            let (pair, third) = ((first, second), Box::new(third));
            for _ in 0..3 {
                output.write(7)?;
                alt! {
                    never.write(pair.0) => unreachable!(),
                    never.write(pair.1) => unreachable!(),
                    never.write(*third) => unreachable!(),
                    x = input.read()    => assert_eq!(x, 7),
                }?;
            }
            Ok([pair.0.id(), pair.1.id(), third.id()])
        });
        assert_eq!(kept.join(), Ok([0, 1, 2]));
        ledger.balance();
    }

    fn a_variable_is_offered_in_a_loop_until_it_has_gone(backend) {
        let ledger = Ledger::new(1);
        let token = ledger.token(0);
        let (out, ticks) = (Channel::new(), Channel::new());
        let offers = start!(
            backend,
            (token: Token = token, output: Writer<Token> = out.writer(), ticks: Reader<()> = ticks.reader()) -> csp::Result<u32> {
                let mut count = 0;
                loop {
                    alt! {
                        ticks.read()        => count += 1,
                        output.write(token) => return Ok(count),
                    }?;
                }
            }
        );
        let ticks = ticks.writer();
        for _ in 0..10 {
            ticks.write(()).unwrap();
        }
        assert_eq!(out.reader().read().unwrap().id(), 0);
        assert_eq!(offers.join(), Ok(10));
        ledger.balance();
    }

    fn an_expression_is_evaluated_once_and_dropped_if_not_chosen(backend, here: "it looks into its ledger while it chooses") {
        let ledger = Ledger::new(10);
        let out = ledger.clone();
        let rounds = backend.start(in_place!(move || -> csp::Result<()> {
            let (never, ready) = (Channel::<Token>::new(), Channel::buffered(1));
            let (_reader, never) = (never.reader(), never.writer());
            let (input, output) = (ready.reader(), ready.writer());
            for id in 0..10 {
                output.write(())?;
                let before = out.dropped();
                alt! {
                    never.write(out.token(id)) => unreachable!(),
                    input.read()               => {}
                }?;
                assert_eq!((before, out.dropped()), (id, id + 1));
            }
            Ok(())
        }));
        assert_eq!(rounds.join(), Ok(()));
        ledger.balance();
    }

    fn a_closure_is_called_once_and_only_if_chosen(backend) {
        let ledger = Ledger::new(50);
        let (out, other) = (Channel::new(), Channel::new());
        let writes = start!(
            backend,
            (output: Writer<Token> = out.writer(), other: Reader<()> = other.reader(), ledger: Ledger = ledger.clone()) -> csp::Result<usize> {
                let (mut made, mut read) = (0, 0);
                while made < 50 {
                    alt! {
                        output.write_with(|| { made += 1; ledger.token(made - 1) }) => {}
                        _ = other.read()                                           => read += 1,
                    }?;
                }
                Ok(read)
            }
        );
        let reads = start!(
            backend,
            (input: Reader<Token> = out.reader(), other: Writer<()> = other.writer()) -> csp::Result {
                for id in 0..50 {
                    if id % 3 == 0 {
                        other.write(())?;
                    }
                    assert_eq!(input.read()?.id(), id);
                }
                Ok(())
            }
        );
        assert_eq!(writes.join(), Ok(17));
        assert_eq!(reads.join(), Ok(()));
        ledger.balance();
    }

    fn a_closure_that_panics_gives_the_reader_nothing(backend) {
        let ledger = Ledger::new(1);
        let channel = Channel::new();
        let output = channel.writer();
        // The reader came first, or finds the offer. It reads plainly, by extended rendezvous or in a choice.
        let reader = waiting_reader(backend, &channel);
        fails(&output);
        output.write(ledger.token(0)).unwrap();
        assert_eq!(reader.join().unwrap().id(), 0);
        ledger.balance();
    }

    fn a_closure_that_panics_gives_nothing_to_a_reader_who_found_the_offer(backend) {
        type Read = fn(&csp::Reader<Token>) -> csp::Result<usize>;
        let reads: [Read; 4] = [
            |input| input.read().map(|value| value.id()),
            |input| input.begin().map(|value| value.id()),
            |input| alt! { value = input.read() => value.id() },
            |input| pri_alt! { value = input.begin() => value.id(), if false, skip => 1 },
        ];
        for read in reads {
            let ledger = Ledger::new(1);
            let channel = Channel::new();
            let (input, output) = (channel.reader(), channel.writer());
            let writer = start_waiting!(backend, (output: Writer<Token> = output, ledger: Ledger = ledger.clone()) -> csp::Result {
                wait_for!(fails(&output));
                output.write(ledger.token(0)).map_err(|error| error.termination)
            });
            assert_eq!(read(&input), Ok(0));
            assert_eq!(writer.join(), Ok(()));
            ledger.balance();
        }
    }

    fn a_closure_that_panics_leaves_the_next_writer_his_turn(backend) {
        for capacity in [0, 1, 2] {
            let ledger = Ledger::new(3);
            let channel = Channel::buffered(capacity);
            let (input, output) = (channel.reader(), channel.writer());
            let writers: Vec<_> = (0..3)
                .map(|id| {
                    start!(
                        backend,
                        (value: Token = ledger.token(id), output: Writer<Token> = channel.writer()) -> bool { output.write(value).is_ok() }
                    )
                })
                .collect();
            let fails = start!(backend, (output: Writer<Token> = output) -> () { wait_for!(fails(&output)) });
            let mut ids: Vec<_> = (0..3).map(|_| input.read().unwrap().id()).collect();
            ids.sort_unstable();
            assert_eq!(ids, [0, 1, 2]);
            assert!(writers.into_iter().all(csp::Spawned::join));
            drop(input);
            // No reader is left. If there was none for its value, the writer learns that.
            let _ = fails.try_join();
            ledger.balance();
        }
    }

    fn a_panic_in_a_closure_poisons_what_the_process_holds(backend) {
        let channel = Channel::<u32>::new();
        let (input, output) = (channel.reader(), channel.writer());
        let writer = start!(backend, (output: Writer<u32> = output) -> csp::Result {
            alt! { output.write_with(|| panic!("no value")) => {} }
        });
        let end = input.read().unwrap_err();
        let (process, message) = poisoned_by_panic(&end).unwrap();
        assert_eq!((process.as_str(), message.as_str()), ("law/run", "no value"));
        assert!(writer.try_join().is_err());
    }

    fn a_reserved_place_that_is_not_needed_goes_to_the_next_writer(backend) {
        let channel = Channel::buffered(1);
        let (input, output) = (channel.reader(), channel.writer());
        let reader = waiting_reader(backend, &channel);
        let next = Arrival::new();
        let mut writer = None;
        alt! {
            output.write_with(|| {
                writer = Some(start!(
                    backend,
                    (output: Writer<u32> = channel.writer(), arrival: Arrival = next.clone()) -> bool {
                        arrival.announce();
                        output.write(2).is_ok()
                    }
                ));
                next.until_blocked();
                1
            }) => {}
        }
        .unwrap();
        assert_eq!(reader.join(), Ok(1));
        assert!(writer.unwrap().join(), "there was room for it");
        assert_eq!(input.read(), Ok(2));
    }

    fn a_closure_may_communicate_while_its_reader_waits(backend, async: "nothing awaits in a closure") {
        let (questions, answers) = (Channel::new(), Channel::new());
        let answering = start!(
            backend,
            (input: Reader<u32> = questions.reader(), output: Writer<u32> = answers.writer()) -> csp::Result {
                loop {
                    output.write(2 * input.read()?)?;
                }
            }
        );
        let out = Channel::new();
        let asks = start!(
            backend,
            waiting (questions: Writer<u32> = questions.writer(), answers: Reader<u32> = answers.reader(), output: Writer<u32> = out.writer()) -> csp::Result {
                for n in 0..50 {
                    alt! {
                        output.write_with(|| {
                            questions.write(n).unwrap();
                            answers.read().unwrap()
                        }) => {}
                    }?;
                }
                Ok(())
            }
        );
        drop((questions, answers));
        let input = out.reader();
        drop(out);
        assert!(input.iter().eq((0..50).map(|n| 2 * n)));
        assert_eq!(asks.join(), Ok(()));
        assert_eq!(answering.join(), Err(Termination::Retired));
    }

    fn a_process_that_unwinds_does_not_wait_for_a_value_to_be_made(backend, here: "it looks at what another has left in memory") {
        type Found = Arc<Mutex<Option<csp::Result<u32>>>>;
        struct Reads(csp::Reader<u32>, Found);
        impl Drop for Reads {
            fn drop(&mut self) {
                *self.1.lock().unwrap() = Some(self.0.read());
            }
        }
        let (channel, found, arrival) = (Channel::new(), Found::default(), Arrival::new());
        let (input, output) = (channel.reader(), channel.writer());
        let writer = backend.start({
            let arrival = arrival.clone();
            in_place!(move || {
                arrival.announce();
                alt! { output.write_with(|| 1) => {} }
            })
        });
        arrival.until_blocked();
        let unwinds = backend.start({
            let reads = Reads(channel.reader(), Arc::clone(&found));
            in_place!(move || {
                let _reads = reads;
                panic!("unwinds");
            })
        });
        let failure: Result<(), _> = unwinds.try_join();
        assert!(failure.is_err());
        let end = found.lock().unwrap().take().expect("it was dropped").unwrap_err();
        assert_eq!(poisoned_by_panic(&end).unwrap().1, "unwinds");
        // Its end was poisoned when it was dropped, and so the writer, which had offered anew, got the poison.
        assert_eq!(writer.join(), Err(end.clone()));
        assert_eq!(input.read(), Err(end));
    }

    fn a_buffer_takes_a_value_that_is_made_late(backend) {
        let channel = Channel::buffered(2);
        let (input, output) = (channel.reader(), channel.writer());
        let writes = start!(backend, (output: Writer<u32> = output) -> csp::Result {
            for n in 0..20 {
                alt! { output.write_with(|| n) => {} }?;
            }
            Ok(())
        });
        drop(channel);
        assert!(input.iter().eq(0..20));
        assert_eq!(writes.join(), Ok(()));
    }

    fn a_set_makes_its_values_anew_each_time(backend) {
        let ledger = Ledger::new(60);
        let outs = 3 * Channel::new();
        let writes = start!(
            backend,
            (outputs: Vec<Writer<Token>> = outs.iter().map(Channel::writer).collect(), ledger: Ledger = ledger.clone()) -> csp::Result {
                let next = std::cell::Cell::new(0);
                let mut choice = Alternation::new();
                for output in outputs {
                    let next = &next;
                    let ledger = &ledger;
                    choice.write(output, move || ledger.token(next.replace(next.get() + 1)), || {});
                }
                for _ in 0..60 {
                    choice.choose()?;
                }
                Ok(())
            }
        );
        let readers: Vec<_> = outs
            .iter()
            .map(|out| {
                start!(backend, (input: Reader<Token> = out.reader()) -> Vec<usize> { input.iter().map(|value| value.id()).collect() })
            })
            .collect();
        drop(outs);
        assert_eq!(writes.join(), Ok(()));
        let mut ids: Vec<_> = readers.into_iter().flat_map(csp::Spawned::join).collect();
        ids.sort_unstable();
        assert!(ids.into_iter().eq(0..60));
        ledger.balance();
    }

    fn a_writer_that_waits_is_told_when_its_channel_retires(backend) {
        let ledger = Ledger::new(2);
        let [a, b] = [(); 2].map(|()| Channel::<Token>::new());
        let arrival = Arrival::new();
        let writer = start!(
            backend,
            (a: Writer<Token> = a.writer(), b: Writer<Token> = b.writer(), ledger: Ledger = ledger.clone(), arrival: Arrival = arrival.clone()) -> (Termination, usize) {
                let value = ledger.token(0);
                arrival.announce();
                let end = alt! {
                    a.write(value)           => unreachable!(),
                    b.write(ledger.token(1)) => unreachable!(),
                };
                (end.unwrap_err(), value.id())
            }
        );
        arrival.until_blocked();
        drop((a.reader(), b.reader()));
        assert_eq!(writer.join(), (Termination::Retired, 0));
        ledger.balance();
    }

    fn an_output_without_a_guard_that_is_enabled_keeps_its_value(backend) {
        let ledger = Ledger::new(1);
        let value = ledger.token(0);
        let channel = Channel::buffered(1);
        let (_input, output) = (channel.reader(), channel.writer());
        let kept = start!(backend, (value: Token = value, output: Writer<Token> = output) -> usize {
            let end = alt! { if false, output.write(value) => unreachable!() };
            let Err(Termination::Poisoned(poison)) = end else { panic!("{end:?}") };
            assert!(matches!(poison.cause(), Cause::NoGuard { .. }));
            value.id()
        });
        assert_eq!(kept.join(), 0);
        ledger.balance();
    }
}
