//! Methods as processes: they are what functions are, and their object is an argument.

use crate::processes::{sink, source};
use csp::{
    Backend, Cause, Channel, Reader, Termination, Writer, parallel, process as plain, sequence,
    spawn, try_parallel,
};
use csp_tests::{Wire, laws, poisoned_by_panic, process};
use std::sync::Arc;

/// Passes values on, and counts them.
struct Relay<T> {
    input: Reader<T>,
    out: Writer<T>,
    passed: u32,
}

impl<T: Wire> Relay<T> {
    fn new(input: &Channel<T>, out: &Channel<T>) -> Self {
        Self { input: input.reader(), out: out.writer(), passed: 0 }
    }

    #[process]
    fn relay(mut self) -> Result<u32, Termination> {
        while let Ok(value) = self.input.read() {
            self.out.write(value)?;
            self.passed += 1;
        }
        Ok(self.passed)
    }

    /// Its own generics stand beside those of the `impl`.
    #[process]
    fn convert<U: Wire>(self, convert: fn(T) -> U, out: Writer<U>) -> csp::Result {
        loop {
            out.write(convert(self.input.read()?))?;
        }
    }

    /// Passes a value on and returns what is left of it.
    #[process]
    fn step(self) -> Result<Self, Termination> {
        self.out.write(self.input.read()?)?;
        Ok(Self { passed: self.passed + 1, ..self })
    }

    #[process]
    fn shared(self: Arc<Self>) -> Result<(), Termination> {
        Ok(self.out.write(self.input.read()?)?)
    }

    /// Has no `self`, but is the type's.
    #[plain]
    fn make(input: Reader<T>, out: Writer<T>) -> Self {
        Self { input, out, passed: Self::NONE }
    }

    const NONE: u32 = 0;
}

/// Fails after it has written once.
#[derive(Clone)]
struct Printer {
    paper: Writer<u32>,
    log: Writer<u32>,
}

impl Printer {
    #[process]
    fn fails(self) -> Result<(), String> {
        let _ = self.paper.write(1);
        let _ = self.log.write(1);
        Err("no paper".to_owned())
    }

    #[process(on_error = retire, name = "careful")]
    fn fails_and_retires(self) -> Result<(), String> {
        let _ = self.paper.write(1);
        let _ = self.log.write(1);
        Err("no paper".to_owned())
    }

    /// Moves one of its ends, and borrows the other.
    #[process]
    fn fails_without_paper(self) -> Result<(), String> {
        let paper = self.paper;
        let _ = paper.write(1);
        let _ = self.log.write(1);
        Err("no paper".to_owned())
    }

    #[process]
    fn panics(self) {
        let _ = self.paper.write(1);
        let _ = self.log.write(1);
        panic!("out of luck")
    }

    #[process]
    fn named(self) -> String {
        csp::current().name().to_owned()
    }
}

/// Reads to the end, and says which end that was.
#[process]
fn drain(input: Reader<u32>) -> (Vec<u32>, Option<Termination>) {
    let mut all = Vec::new();
    while let Ok(value) = input.read() {
        all.push(value);
    }
    (all, input.termination())
}

#[track_caller]
fn error_in(ended: Option<Termination>) -> (String, String) {
    let Some(Termination::Poisoned(poison)) = ended else { panic!("{ended:?}") };
    let Cause::Error { process, message } = poison.cause() else { panic!("{poison}") };
    (process.clone(), message.clone())
}

/// The channels of a printer, and the readers of what it writes.
fn printer() -> (Printer, Reader<u32>, Reader<u32>) {
    let (paper, log) = (Channel::new(), Channel::new());
    (Printer { paper: paper.writer(), log: log.writer() }, paper.reader(), log.reader())
}

laws! {
    here: "a method has no OS process";

    fn a_method_owns_its_object_and_drops_it(backend) {
        let (numbers, passed) = (Channel::new(), Channel::new());
        let (written, relayed, all) = parallel!(
            backend.place(source(vec![1, 2, 3], numbers.writer())),
            backend.place(Relay::new(&numbers, &passed).relay()),
            backend.place(sink(passed.reader())),
        );
        assert_eq!((written, relayed, all), (Ok(()), Ok(3), vec![1, 2, 3]));
    }

    fn generics_of_the_impl_and_of_the_method_are_known(backend) {
        let (numbers, unused, texts) = (Channel::new(), Channel::new(), Channel::new());
        let relay = Relay::new(&numbers, &unused);
        let (written, converted, all) = parallel!(
            backend.place(source(vec![1, 2], numbers.writer())),
            backend.place(relay.convert(|n: u32| format!("<{n}>"), texts.writer())),
            backend.place(sink(texts.reader())),
        );
        assert_eq!((written, converted), (Ok(()), Err(Termination::Retired)));
        assert_eq!(all, ["<1>", "<2>"]);
    }

    fn a_method_returns_its_object(backend) {
        let (numbers, passed) = (Channel::buffered(2), Channel::buffered(2));
        let (writer, reader) = (numbers.writer(), passed.reader());
        (1..=2).for_each(|n| writer.write(n).unwrap());
        let (made,) = parallel!(backend.place(Relay::make(numbers.reader(), passed.writer())));
        let (once,) = parallel!(backend.place(made.step()));
        let (twice,) = parallel!(backend.place(once.unwrap().step()));
        assert_eq!(twice.map(|relay| relay.passed), Ok(2));
        assert_eq!((reader.read(), reader.read()), (Ok(1), Ok(2)));
        assert_eq!(reader.read(), Err(Termination::Retired));
        assert!(writer.write(3).is_err());
    }

    fn the_object_may_be_shared(backend) {
        let (numbers, passed) = (Channel::buffered(1), Channel::buffered(1));
        let reader = passed.reader();
        numbers.writer().write(7).unwrap();
        let shared = Arc::new(Relay::new(&numbers, &passed));
        let (relayed,) = parallel!(backend.place(shared.shared()));
        assert_eq!((relayed, reader.read()), (Ok(()), Ok(7)));
        assert_eq!(reader.read(), Err(Termination::Retired));
    }

    fn an_error_of_a_method_poisons_the_ends_of_its_object(backend) {
        let (printer, paper, log) = printer();
        let (failed, (printed, paper), (logged, log)) = parallel!(
            backend.place(printer.fails()),
            backend.place(drain(paper)),
            backend.place(drain(log)),
        );
        assert_eq!((failed, printed, logged), (Err("no paper".to_owned()), vec![1], vec![1]));
        for ended in [paper, log] {
            let (process, message) = error_in(ended);
            assert!(process.ends_with("/fails") && message == "no paper", "{process}: {message}");
        }
    }

    fn on_error_retire_retires_the_ends_of_the_object(backend) {
        let (printer, paper, log) = printer();
        let (failed, paper, log) = parallel!(
            backend.place(printer.fails_and_retires()),
            backend.place(drain(paper)),
            backend.place(drain(log)),
        );
        assert_eq!(failed, Err("no paper".to_owned()));
        assert_eq!((paper, log.1), ((vec![1], Some(Termination::Retired)), Some(Termination::Retired)));
    }

    fn an_end_that_the_body_has_moved_out_of_the_object_has_retired_before_the_error_is_seen(backend) {
        let (printer, paper, log) = printer();
        let (failed, (_, paper), (_, log)) = parallel!(
            backend.place(printer.fails_without_paper()),
            backend.place(drain(paper)),
            backend.place(drain(log)),
        );
        assert_eq!((failed, paper), (Err("no paper".to_owned()), Some(Termination::Retired)));
        assert_eq!(error_in(log).1, "no paper");
    }

    fn a_panic_of_a_method_poisons_the_ends_of_its_object(backend) {
        let (printer, paper, log) = printer();
        let heard = (spawn(backend.place(drain(paper))), spawn(backend.place(drain(log))));
        let failure = try_parallel!(backend.place(printer.panics())).unwrap_err();
        assert!(failure.process().ends_with("/panics"), "{}", failure.process());
        for heard in [heard.0, heard.1] {
            let ended = heard.join().1.expect("it has ended");
            assert_eq!(poisoned_by_panic(&ended).expect("a panic").1, "out of luck");
        }
    }

    fn a_replica_has_a_clone_of_the_object(backend) {
        let (printer, paper, log) = printer();
        let printers = backend.replicas(3, printer.fails_and_retires());
        let (failed, (printed, paper), (logged, _)) =
            parallel!(printers, backend.place(drain(paper)), backend.place(drain(log)));
        assert_eq!(failed, vec![Err("no paper".to_owned()); 3]);
        assert_eq!((printed, logged), (vec![1; 3], vec![1; 3]));
        assert_eq!(paper, Some(Termination::Retired));
    }

    fn a_method_has_its_own_name(backend) {
        let ends = printer();
        let replicas = backend.replicas(2, ends.0.clone().named());
        let (one, renamed, replicas) = parallel!(
            backend.place(ends.0.clone().named()),
            backend.place(ends.0.clone().named().named("printer")),
            replicas,
        );
        assert_eq!((&*one, &*renamed), ("named", "printer"));
        assert_eq!(replicas, ["named[0]", "named[1]"]);
        drop(ends);
    }
}

/// Starts itself, by the name of its constructor.
#[derive(Clone)]
struct Tree(u32);

impl Tree {
    #[plain]
    fn count(self) -> u32 {
        let Some(depth) = self.0.checked_sub(1) else { return 1 };
        let (below,) = parallel!(2 * Self(depth).count());
        below.into_iter().sum::<u32>() + 1
    }

    #[plain]
    async fn count_async(self: Arc<Self>) -> u32 {
        let Some(depth) = self.0.checked_sub(1) else { return 1 };
        let below = csp::parallel_async!(2 * Arc::new(Self(depth)).count_async()).await.0;
        below.into_iter().sum::<u32>() + 1
    }

    #[cfg(feature = "threads")]
    #[plain(on = thread)]
    fn thread(self) -> std::thread::ThreadId {
        std::thread::current().id()
    }
}

#[test]
fn a_method_starts_itself() {
    assert_eq!(sequence!(Tree(3).count(), Arc::new(Tree(3)).count_async()), (15, 15));
}

#[cfg(feature = "threads")]
#[test]
fn a_method_runs_where_its_options_say() {
    let (there,) = parallel!(Tree(0).thread());
    assert_ne!(there, std::thread::current().id());
}

#[test]
fn a_method_has_no_os_process() {
    let failure = try_parallel!(Tree(0).count().on(Backend::Subprocess)).unwrap_err();
    assert!(matches!(failure.cause(), Cause::Unstarted { .. }), "{failure:?}");
}
