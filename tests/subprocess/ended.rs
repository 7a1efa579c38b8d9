//! An OS process that would not end: it is killed, or a limit ends it, and the others go on.

use csp::{
    Backend, Cause, Channel, Failure, Reader, Termination, Writer, alt, multiprocess, spawn,
};
use std::time::Duration;

use crate::{here, tests};

/// Computes for ever after its first order, as `faults/newcomer/loop_child` did.
#[multiprocess]
fn endless(begun: Writer<u32>, orders: Reader<u32>) {
    let _ = orders.read();
    let _ = begun.write(here());
    loop {
        std::hint::spin_loop();
    }
}

/// Answers each order, except 13: it then computes for ever.
#[multiprocess(on_panic = retire)]
fn superstitious(orders: Reader<u32>, begun: Writer<u32>, answers: Writer<u32>) -> csp::Result {
    loop {
        let order = orders.read()?;
        if order == 13 {
            begun.write(here())?;
            loop {
                std::hint::spin_loop();
            }
        }
        answers.write(order)?;
    }
}

#[multiprocess(cpu_time = "1 s")]
fn computes_too_long() {
    loop {
        std::hint::spin_loop();
    }
}

#[multiprocess(wall_time = "300 ms")]
fn sleeps_too_long() {
    std::thread::sleep(Duration::from_secs(3600));
}

#[multiprocess(memory = "256 MiB", cpu_time = "60 s", wall_time = "60 s")]
fn takes(bytes: usize) -> usize {
    let bytes = std::hint::black_box(vec![1u8; bytes]);
    bytes.iter().map(|&byte| usize::from(byte)).sum()
}

#[multiprocess]
fn computes(forever: bool, begun: Writer<u32>) -> csp::Result {
    begun.write(here())?;
    if forever {
        loop {
            std::hint::spin_loop();
        }
    }
    Ok(())
}

#[multiprocess]
fn fails_once(begun: Reader<u32>, life: u32) -> csp::Result {
    begun.read()?;
    assert!(life > 1, "the first life");
    Ok(())
}

#[csp::process]
fn stays() -> u32 {
    1
}

fn is_lost(failure: &Failure, because: &str) {
    assert!(failure.message().contains(because), "{failure}");
    assert!(format!("{failure:#}").contains("was lost"), "{failure:#}");
}

tests! {
    fn a_child_that_computes_for_ever_is_killed() {
        let (begun, orders) = (Channel::new(), Channel::new());
        let child = spawn(endless(begun.writer(), orders.reader()));
        let (begun, orders) = (begun.reader(), orders.writer());
        orders.write(1).unwrap();
        let id = begun.read().unwrap();
        assert_eq!(child.id(), Some(id));
        orders.poison("enough");
        let child = child.join_timeout(Duration::from_millis(20)).unwrap_err();
        child.kill().unwrap();
        let failure = alt! { outcome = child.try_join() => outcome.unwrap_err() }.unwrap();
        is_lost(&failure, "`kill` was called: signal: 9");
        assert_eq!(child.id(), None);
        child.kill().expect("it is dead already");
    }

    fn a_child_that_is_killed_before_it_begins_does_nothing() {
        let (begun, orders) = (Channel::new(), Channel::new());
        let child = spawn(endless(begun.writer(), orders.reader()));
        let _orders = orders.writer();
        child.kill().unwrap();
        let failure = child.try_join().unwrap_err();
        assert!(failure.message().contains("`kill`"), "{failure}");
        // Its end was poisoned, not retired.
        assert!(matches!(begun.reader().read(), Err(Termination::Poisoned(_))));
    }

    fn a_farm_goes_on_without_the_child_that_is_killed() {
        let (orders, begun, answers) = (Channel::new(), Channel::new(), Channel::new());
        let children = spawn(3 * superstitious(orders.reader(), begun.writer(), answers.writer()));
        let (orders, begun, answers) = (orders.writer(), begun.reader(), answers.reader());
        orders.write(13).unwrap();
        let stuck = begun.read().unwrap();
        let killed = children.iter().find(|child| child.id() == Some(stuck)).expect("it runs");
        killed.kill().unwrap();
        for order in 100..120 {
            orders.write(order).unwrap();
            assert_eq!(answers.read(), Ok(order));
        }
        drop(orders);
        assert_eq!(answers.read(), Err(Termination::Retired));
        let outcomes: Vec<_> = children.into_iter().map(csp::Spawned::try_join).collect();
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_err()).count(), 1, "{outcomes:?}");
    }

    fn only_an_os_process_is_killed() {
        for process in [stays(), stays().on(Backend::Thread)] {
            let child = spawn(process);
            assert_eq!(child.id(), None);
            let error = child.kill().unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
            assert_eq!(child.join(), 1);
        }
    }

    fn the_limit_that_has_ended_a_child_is_named() {
        let failure = spawn(computes_too_long()).try_join().unwrap_err();
        is_lost(&failure, "its `cpu_time` of 1s is used up");
        let failure = spawn(sleeps_too_long()).try_join().unwrap_err();
        is_lost(&failure, "its `wall_time` of 300ms is over");
        let failure = spawn(takes(1 << 30)).try_join().unwrap_err();
        is_lost(&failure, "its `memory` of 268435456 bytes is not enough");
    }

    fn a_child_within_its_limits_ends_as_any_other() {
        assert_eq!(spawn(takes(1 << 20)).join(), 1 << 20);
    }

    fn limits_are_set_at_run_time_too() {
        assert_eq!(spawn(takes(512 << 20).memory(1 << 30)).join(), 512 << 20);
        let forever = computes_too_long().wall_time(Duration::from_millis(50));
        is_lost(&spawn(forever).try_join().unwrap_err(), "its `wall_time` of 50ms is over");
        // Where there is no OS process there is no limit.
        let near = takes(1 << 20).memory(1).on(Backend::Coroutine);
        assert_eq!(spawn(near).join(), 1 << 20);
    }

    fn the_cause_is_that_of_any_lost_child() {
        let (begun, orders) = (Channel::new(), Channel::new());
        let child = spawn(endless(begun.writer(), orders.reader()));
        let (begun, orders) = (begun.reader(), orders.writer());
        orders.write(1).unwrap();
        begun.read().unwrap();
        child.kill().unwrap();
        child.try_join().unwrap_err();
        let Err(Termination::Poisoned(poison)) = begun.read() else { panic!("it is poisoned") };
        assert!(matches!(poison.cause(), Cause::Lost { .. }), "{poison}");
    }

    fn a_supervisor_kills_a_child_that_takes_no_notice_of_its_token() {
        let begun = Channel::new();
        let (begins, begun) = (begun.writer(), begun.reader());
        let lives = std::cell::Cell::new(0);
        // The one fails once the other computes for ever. In their second lives both end.
        let supervisor = csp::Supervisor::one_for_all()
            .grace(Duration::from_millis(10))
            .child(|_| {
                lives.set(lives.get() + 1);
                computes(lives.get() == 1, begins.clone())
            })
            .child(|_| fails_once(begun.clone(), lives.get()));
        supervisor.run().unwrap();
        assert_eq!(lives.get(), 2);
    }
}
