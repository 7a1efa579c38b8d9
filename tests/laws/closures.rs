//! Closures as processes: they are what functions are, without a name of their own.

use csp::{Backend, Cause, Channel, Parallel, Termination, parallel, process, process_async};
use csp::{sequence, spawn, try_parallel};
use std::rc::Rc;

fn on_each(law: impl Fn(Backend)) {
    let there = [Backend::Coroutine, Backend::Thread].into_iter();
    there.filter(|backend| backend.is_compiled_in()).for_each(law);
}

#[test]
fn a_closure_runs_and_drops_its_ends() {
    on_each(|on| {
        let channel = Channel::new();
        let (out, input) = (channel.writer(), channel.reader());
        drop(channel);
        let (written, read) = parallel!(
            process(move || out.write(String::from("moved"))).on(on),
            process(move || (input.read(), input.read())).on(on),
        );
        assert_eq!(written, Ok(()));
        assert_eq!(read, (Ok("moved".to_owned()), Err(Termination::Retired)));
    });
}

#[test]
fn a_future_of_a_closure_stays_on_its_thread() {
    on_each(|on| {
        let channel = Channel::new();
        let (out, input) = (channel.writer(), channel.reader());
        drop(channel);
        let (written, read) = parallel!(
            process_async(async move || out.write_async(3).await).on(on),
            process_async(move || async move {
                let one = Rc::new(1);
                Ok::<_, Termination>(input.read_async().await? + *one)
            })
            .on(on),
        );
        assert_eq!((written, read), (Ok(()), Ok(4)));
    });
}

#[test]
fn a_replica_is_a_clone_whose_ends_count() {
    on_each(|on| {
        let channel = Channel::new();
        let (out, input) = (channel.writer(), channel.reader());
        drop(channel);
        let writes = 2 * process(move || out.write(1));
        let writes_async = {
            let out = input.clone();
            process_async(async move || out.read_async().await)
        };
        let (written, alone, read) = parallel!(
            writes.on(on),
            (2 * writes_async).on(on),
            process(move || input.iter().count()).on(on),
        );
        assert_eq!(written, [Ok(()), Ok(())]);
        assert_eq!(alone.iter().filter(|read| read.is_ok()).count() + read, 2);
    });
}

#[test]
fn a_closure_is_named_by_its_place_or_by_its_user() {
    let name = || csp::current().name().to_owned();
    let line = line!() + 1;
    let (plain, named, several) = (process(name), process(name).named("named"), 2 * process(name));
    let (plain, named, several) = parallel!(plain, named, several);
    assert!(plain.starts_with(&format!("closures.rs:{line}:")), "{plain}");
    assert_eq!(named, "named");
    assert_eq!(several[1].split('[').nth(1), Some("1]"), "{several:?}");
    assert!(several[1].starts_with(&format!("closures.rs:{line}:")), "{several:?}");
}

#[test]
fn a_panic_of_a_closure_poisons_its_ends() {
    on_each(|on| {
        let channel = Channel::<u8>::new();
        let (out, input) = (channel.writer(), channel.reader());
        drop(channel);
        let fails = process(move || {
            let _out = out;
            panic!("out of luck");
        });
        let heard = spawn(process(move || input.read()).on(on));
        let failure = try_parallel!(fails.named("fails").on(on)).map(|_: ((),)| ()).unwrap_err();
        assert!(failure.process().ends_with("/fails") && failure.message() == "out of luck");
        let Err(Termination::Poisoned(poison)) = heard.join() else { panic!("it is poisoned") };
        assert!(matches!(poison.cause(), Cause::Panic { .. }), "{poison}");
    });
}

#[test]
fn a_closure_has_no_os_process() {
    let failure = try_parallel!(process(|| 1).on(Backend::Subprocess)).unwrap_err();
    assert!(matches!(failure.cause(), Cause::Unstarted { .. }), "{failure:?}");
}

#[test]
fn closures_and_functions_fit_in_one_set() {
    #[process]
    fn number(n: u32) -> u32 {
        n
    }

    let two = 2;
    let all = Parallel::new().with(number(1)).with(process(move || two)).run();
    assert_eq!(all, [1, 2]);
    assert_eq!(sequence!(process(|| 1), number(2)), (1, 2));
}
