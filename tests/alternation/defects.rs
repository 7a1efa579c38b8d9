//! Defects of choice in PyCSP 0.9.2, each as the law it broke. The numbers are those of the list of defects, hangs first.

use csp::{Alternation, Cause, Channel, Reader, Termination, Writer, alt, pri_alt};
use csp_tests::{in_place, laws, start, start_waiting};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);

laws! {
    /// 10: a timeout guard that was used twice hung.
    fn a_timeout_may_be_used_again(backend) {
        let channel = Channel::buffered(1);
        let (input, output) = (channel.reader(), channel.writer());
        let rounds = start!(backend, (input: Reader<()> = input, output: Writer<()> = output) -> csp::Result<Vec<String>> {
            let wait = Duration::from_millis(1);
            let mut choice = Alternation::new();
            choice.read(&input, |()| "read");
            choice.after(wait, || "timeout");
            let mut rounds = Vec::new();
            for round in 0..6 {
                if round % 3 == 0 {
                    output.write(())?;
                }
                let began = Instant::now();
                rounds.push(choice.choose()?);
                // The timeout starts anew each time.
                assert!(rounds[round] == "read" || began.elapsed() >= wait);
            }
            Ok(rounds.into_iter().map(String::from).collect())
        });
        let expected = ["read", "timeout", "timeout", "read", "timeout", "timeout"];
        assert_eq!(rounds.join().unwrap(), expected);
    }

    /// 11: both ends of one channel in one choice hung.
    fn both_ends_of_a_channel_in_one_choice(backend) {
        let channel = Channel::new();
        let both: Vec<_> = (0..2)
            .map(|who| {
                let (input, output) = (channel.reader(), channel.writer());
                start!(
                    backend,
                    (who: u32 = who, input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result<char> {
                        alt! {
                            from = input.read() => { assert_ne!(from, who, "it met itself"); 'r' }
                            output.write(who)   => 'w',
                        }
                    }
                )
            })
            .collect();
        let mut both: Vec<_> = both.into_iter().map(|one| one.join().unwrap()).collect();
        both.sort_unstable();
        assert_eq!(both, ['r', 'w']);

        let channel = Channel::new();
        let (input, output) = (channel.reader(), channel.writer());
        let alone = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> [csp::Result<char>; 2] {
            let chosen = alt! {
                input.read()                     => 'r',
                output.write(7)                  => 'w',
                after(Duration::from_micros(100)) => 'n',
            };
            [chosen, pri_alt! { output.write(7) => 'w', input.read() => 'r', skip => 'n' }]
        });
        assert_eq!(alone.join(), [Ok('n'), Ok('n')]);
    }

    /// 12: a choice of nothing hung.
    fn a_choice_of_nothing_is_an_error(backend) {
        let ends = start!(backend, () -> [csp::Result; 2] {
            let no = std::hint::black_box(false);
            [Alternation::new().choose(), alt! { if no, after(HOUR) => {} }]
        });
        for end in ends.join() {
            let Err(Termination::Poisoned(poison)) = end else { panic!("{end:?}") };
            assert!(matches!(poison.cause(), Cause::NoGuard { .. }));
        }
    }

    /// 15: with a skip among the guards, the ready channel was taken in 0 of 200 choices.
    fn skip_does_not_hide_what_is_ready(backend) {
        let channel = Channel::buffered(200);
        let (input, output) = (channel.reader(), channel.writer());
        let taken = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> usize {
            for n in 0..200 {
                output.write(n).unwrap();
            }
            let mut set = Alternation::by_priority();
            set.read(&input, |_| true);
            set.skip(|| false);
            let mut taken = 0;
            for _ in 0..100 {
                let both = [set.choose(), pri_alt! { input.read() => true, skip => false }];
                taken += both.into_iter().filter(|taken| *taken == Ok(true)).count();
            }
            taken
        });
        assert_eq!(taken.join(), 200);
    }

    /// 15, if a process that waits to write makes the channel ready.
    fn skip_does_not_hide_who_waits(backend, here: "a process that sleeps in another OS process need not have come to the channel yet") {
        let channel = Channel::new();
        let input = channel.reader();
        let writers: Vec<_> = (0..10)
            .map(|_| {
                start_waiting!(backend, (output: Writer<()> = channel.writer()) -> bool { output.write(()).is_ok() })
            })
            .collect();
        let taken = start!(backend, (input: Reader<()> = input) -> bool {
            let mut taken = 0;
            while taken < 10 && pri_alt! { input.read() => true, skip => false } == Ok(true) {
                taken += 1;
            }
            taken == 10
        });
        assert!(taken.join());
        assert!(writers.into_iter().all(csp::Spawned::join));
    }

    /// 19: one retired guard made the whole choice raise.
    fn one_retired_guard_does_not_end_the_choice(backend) {
        let (live, gone) = (Channel::new(), Channel::<u32>::new());
        let read = start!(
            backend,
            (live: Reader<u32> = live.reader(), gone: Reader<u32> = gone.reader()) -> (Vec<u32>, Termination) {
                let mut read = Vec::new();
                loop {
                    let end = alt! {
                        x = gone.read() => read.push(x),
                        x = live.read() => read.push(x),
                    };
                    if let Err(end) = end {
                        return (read, end);
                    }
                }
            }
        );
        let (output, early) = (live.writer(), gone.writer());
        drop((live, gone));
        early.write(0).unwrap();
        drop(early);
        (1..10).for_each(|n| output.write(n).unwrap());
        drop(output);
        assert_eq!(read.join(), ((0..10).collect(), Termination::Retired));
    }

    /// 20: a fair choice failed on two guards of one end with different actions. It kept a history that grew, and confused
    /// two choices of one line.
    fn one_end_may_be_in_several_guards(backend) {
        let channel = Channel::buffered(100);
        let (input, output) = (channel.reader(), channel.writer());
        let counts = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result<[[u32; 3]; 2]> {
            for n in 0..100 {
                output.write(n)?;
            }
            let mut counts = [[0; 3]; 2];
            let mut set = Alternation::new();
            for guard in 0..3 {
                set.read(&input, move |_| guard);
            }
            for _ in 0..30 {
                // Each stands in a variable, because rustc 1.95 forgets an index that it holds over an `.await`.
                let of_set = set.choose()?;
                counts[0][of_set] += 1;
                let of_alt = alt! { input.read() => 0, input.read() => 1, input.begin() => 2 }?;
                counts[1][of_alt] += 1;
            }
            Ok(counts)
        });
        assert_eq!(counts.join(), Ok([[10; 3]; 2]));
    }

    /// 20, its history: the memory of a fair choice has a bounded size.
    fn fairness_remembers_no_more_with_time(backend, here: "it asks what one thread of this OS process has allocated") {
        let grown = backend.start(in_place!(|| {
            let channel = Channel::buffered(1);
            let (input, output) = (channel.reader(), channel.writer());
            let mut before = 0;
            for round in 0..20_000 {
                if round == 100 {
                    before = csp_tests::held();
                }
                // Two choices on one line take turns independently.
                alt! { output.write(1) => {}, if false, input.read() => {} }?; alt! { input.read() => {}, input.read() => {} }?;
            }
            Ok::<_, Termination>(csp_tests::held() - before)
        }));
        let grown = grown.join().unwrap();
        // Other processes of the thread come and go meanwhile.
        assert!(grown < 20_000, "{grown} bytes");
    }

    /// 20, its key: two choices on one line are two choices.
    fn choices_on_one_line_take_turns_each_for_itself(backend) {
        let channel = Channel::buffered(100);
        let (input, output) = (channel.reader(), channel.writer());
        let turns = start!(backend, (input: Reader<u32> = input, output: Writer<u32> = output) -> csp::Result<Vec<[usize; 2]>> {
            for n in 0..80 {
                output.write(n)?;
            }
            let mut turns = Vec::new();
            for _ in 0..20 {
                turns.push([alt! { input.read() => 0, input.read() => 1 }?, alt! { input.read() => 0, input.read() => 1 }?]);
            }
            Ok(turns)
        });
        let turns = turns.join().unwrap();
        assert!(turns.iter().enumerate().all(|(round, turn)| *turn == [round % 2; 2]), "{turns:?}");
    }
}
