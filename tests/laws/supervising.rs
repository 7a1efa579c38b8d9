//! A supervisor makes anew what fails, on whatever its children run, and stops what it has to stop.

use crate::processes::{sink, source};
use csp::{Channel, Reader, Stop, StopToken, Supervisor, Writer, alt, spawn};
use csp_tests::{multiprocess, on_each_backend};
use std::cell::{Cell, RefCell};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

/// Passes jobs on, and panics at each that ends with 7.
#[multiprocess]
fn superstitious(jobs: Reader<u32>, results: Writer<u32>) -> csp::Result {
    loop {
        let job = jobs.read()?;
        assert!(job % 10 != 7, "job {job}");
        results.write(job)?;
    }
}

#[multiprocess]
fn hopeless() {
    panic!("as ever");
}

#[multiprocess]
fn well() -> u32 {
    1
}

/// Panics at an order, and ends well when the orders have ended.
#[multiprocess]
fn obeys(orders: Reader<u32>) -> csp::Result {
    let order = orders.read()?;
    panic!("order {order}");
}

/// Waits until it is told to stop, or until the others have gone.
#[multiprocess]
fn waits(stop: StopToken, others: Reader<u32>) -> csp::Result {
    alt! {
        retired(stop)   => {},
        retired(others) => {},
    }
}

/// Takes no notice of its token.
#[multiprocess]
fn ignores(_stop: StopToken, others: Reader<u32>) -> csp::Result {
    alt! { retired(others) => {} }
}

/// Gives orders, and holds the channel that says that all is over.
#[multiprocess]
fn orders(count: u32, orders: Writer<u32>, over: Writer<u32>) -> csp::Result {
    for order in 0..count {
        orders.write(order)?;
    }
    drop(orders);
    drop(over);
    Ok(())
}

on_each_backend! {
    fn one_for_one_makes_only_the_child_anew_that_has_failed(backend) {
        let (jobs, results, made) = (Channel::new(), Channel::new(), Cell::new(0));
        spawn(backend.place(source(Vec::from_iter(0..40), jobs.writer())));
        let all = spawn(backend.place(sink(results.reader())));
        let (jobs, results) = (jobs.reader(), results.writer());
        let worker = |_| {
            made.set(made.get() + 1);
            backend.place(superstitious(jobs.clone(), results.clone()))
        };
        let supervisor = Supervisor::one_for_one().intensity(4, HOUR).children(2, worker);
        supervisor.run().unwrap();
        drop(results);
        let mut all = all.join();
        all.sort_unstable();
        assert_eq!(all, Vec::from_iter((0..40).filter(|job| job % 10 != 7)));
        assert_eq!(made.get(), 2 + 4);
    }

    fn a_supervisor_gives_up_when_failures_come_too_often(backend) {
        let (stopped, made) = (Channel::<u32>::new(), Cell::new(0));
        let _held = stopped.writer();
        let hopeless = |_| {
            made.set(made.get() + 1);
            backend.place(hopeless())
        };
        let supervisor = Supervisor::one_for_one()
            .intensity(3, HOUR)
            .child(|stop| backend.place(waits(stop, stopped.reader())))
            .child(hopeless);
        let gave_up = supervisor.run().unwrap_err();
        assert_eq!(gave_up.failure().unwrap().message(), "as ever");
        assert!(gave_up.to_string().contains("after 3 restarts"), "{gave_up}");
        assert_eq!(made.get(), 4);
    }

    fn a_permanent_child_is_made_anew_when_it_ends_well(backend) {
        let made = Cell::new(0);
        let child = |_| {
            made.set(made.get() + 1);
            backend.place(well())
        };
        let gave_up = Supervisor::one_for_one().intensity(2, HOUR).permanent(child).run();
        assert!(gave_up.unwrap_err().failure().is_none());
        assert_eq!(made.get(), 3);
    }

    fn one_for_all_makes_all_anew_and_rest_for_one_the_later_ones(backend) {
        for (all, expected) in [(true, [2, 2, 2]), (false, [1, 2, 2])] {
            let (to_do, over) = (Channel::new(), Channel::new());
            let made = RefCell::new([0; 3]);
            spawn(backend.place(orders(1, to_do.writer(), over.writer())));
            let (to_do, over) = (to_do.reader(), over.reader());
            let supervisor = if all { Supervisor::one_for_all() } else { Supervisor::rest_for_one() };
            let waits = |nth: usize| {
                let (made, over) = (&made, &over);
                move |stop| {
                    made.borrow_mut()[nth] += 1;
                    backend.place(waits(stop, over.clone()))
                }
            };
            let obeys = |_| {
                made.borrow_mut()[1] += 1;
                backend.place(obeys(to_do.clone()))
            };
            let supervisor = supervisor.intensity(1, HOUR).grace(HOUR);
            supervisor.child(waits(0)).child(obeys).child(waits(2)).run().unwrap();
            assert_eq!(*made.borrow(), expected);
        }
    }

    fn a_supervisor_that_is_stopped_stops_its_children(backend) {
        let (to_do, over) = (Channel::new(), Channel::new());
        let (_held, stop) = (over.writer(), Stop::new());
        spawn(backend.place(source(vec![1], to_do.writer())));
        let (to_do, over, token) = (to_do.reader(), over.reader(), stop.token());
        let mut stop = Some(stop);
        let mut made = 0;
        let obeys = |_| {
            made += 1;
            // Its second life ends the supervisor.
            if made == 2 {
                drop(stop.take());
            }
            backend.place(obeys(to_do.clone()))
        };
        let supervisor = Supervisor::one_for_one().stopped_by(token).grace(HOUR);
        let waits = |stop| backend.place(waits(stop, over.clone()));
        supervisor.children(3, waits).child(obeys).run().unwrap();
        assert_eq!(made, 2);
    }

    fn a_child_that_ignores_its_token_is_waited_for(backend) {
        let (to_do, over, made) = (Channel::new(), Channel::new(), Cell::new(0));
        let holder = spawn(backend.place(orders(1, to_do.writer(), over.writer())));
        let (to_do, over) = (to_do.reader(), over.reader());
        let obeys = |_| backend.place(obeys(to_do.clone()));
        let ignores = |stop| {
            made.set(made.get() + 1);
            backend.place(ignores(stop, over.clone()))
        };
        let supervisor = Supervisor::one_for_all().intensity(1, HOUR).grace(Duration::ZERO);
        supervisor.child(obeys).child(ignores).run().unwrap();
        assert_eq!(made.get(), 2);
        assert_eq!(holder.join(), Ok(()));
    }
}
