//! The engine by itself.

mod faults;
mod limits;
mod processes;
mod program;

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::region::StackSlot;
use super::stack::{Class, page};
use super::{Fiber, NoStack, Suspender, memory, stacks, usage};

const SIZE: usize = 64 << 10;

/// The body's only way out, on its own stack.
struct Way(Suspender);

impl Way {
    fn suspend(&self) {
        // SAFETY: a body has its own suspender only.
        #[allow(unsafe_code)]
        unsafe {
            self.0.suspend();
        }
    }
}

fn create(size: usize, body: impl FnOnce(&Way) + 'static) -> Result<Fiber, NoStack> {
    Fiber::create(size, false, |suspender| body(&Way(suspender)))
}

fn fiber(body: impl FnOnce(&Way) + 'static) -> Fiber {
    create(SIZE, body).expect("there are stacks")
}

fn ends(fiber: Fiber) {
    while fiber.resume() {}
}

fn resume_all(fibers: &[Fiber]) {
    for fiber in fibers {
        fiber.resume();
    }
}

#[test]
fn a_fiber_runs_until_it_suspends_and_goes_on_from_there() {
    let log = Rc::new(RefCell::new(Vec::new()));
    let inside = log.clone();
    let fiber = fiber(move |suspender| {
        for step in 0..3 {
            inside.borrow_mut().push(step);
            suspender.suspend();
        }
    });
    for steps in 1..=3 {
        fiber.resume();
        assert_eq!(log.borrow().len(), steps);
        assert!(!fiber.finished());
    }
    fiber.resume();
    assert!(fiber.finished());
    assert_eq!(*log.borrow(), [0, 1, 2]);
}

#[test]
fn a_finished_fiber_gives_its_stack_to_the_next() {
    fn place() -> usize {
        let place = Rc::new(Cell::new(0));
        let inside = place.clone();
        ends(fiber(move |_| {
            inside.set(StackSlot::at(&raw const inside as usize).expect("on a stack of ours").start)
        }));
        place.get()
    }
    let first = place();
    assert_eq!(first, place());
}

#[test]
fn what_never_ran_is_forgotten_not_run() {
    let held = Rc::new(());
    let inside = held.clone();
    drop(fiber(move |_| drop(inside)));
    assert_eq!(Rc::strong_count(&held), 2);
}

#[test]
fn each_of_many_has_a_stack_of_its_own_and_keeps_what_is_on_it() {
    let total = Rc::new(Cell::new(0));
    let fibers: Vec<Fiber> = (0..10_000)
        .map(|number: usize| {
            let total = total.clone();
            fiber(move |suspender| {
                let mut values = black_box([number; 32]);
                suspender.suspend();
                values[0] += 1;
                suspender.suspend();
                total.set(total.get() + black_box(values).iter().sum::<usize>());
            })
        })
        .collect();
    for _ in 0..3 {
        resume_all(&fibers);
    }
    assert!(fibers.iter().all(Fiber::finished));
    assert_eq!(total.get(), 10_000 * 9_999 / 2 * 32 + 10_000);
}

#[test]
fn a_panic_unwinds_inside_a_fiber_and_has_a_backtrace_to_its_root() {
    #[inline(never)]
    fn deep_inside(flag: bool) {
        assert!(!flag, "on purpose");
    }
    let seen = Rc::new(RefCell::new(String::new()));
    let inside = seen.clone();
    ends(fiber(move |suspender| {
        let dropped = Rc::new(());
        let held = dropped.clone();
        suspender.suspend();
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            let _held = held;
            deep_inside(black_box(true));
        }));
        assert!(outcome.is_err());
        assert_eq!(Rc::strong_count(&dropped), 1, "what the panic passed was dropped");
        suspender.suspend();
        *inside.borrow_mut() = std::backtrace::Backtrace::force_capture().to_string();
    }));
    // It goes on into the frames of the code that resumes, down to the thread's first.
    assert!(seen.borrow().contains("a_panic_unwinds_inside_a_fiber"), "{}", seen.borrow());
    assert!(seen.borrow().contains("__rust_begin_short_backtrace"), "{}", seen.borrow());
}

#[test]
fn sizes_are_honoured() {
    for kibibytes in [16, 64, 100, 256, 1024, 65_536] {
        let bytes = kibibytes << 10;
        let room = Rc::new(Cell::new(0));
        let inside = room.clone();
        let fiber = create(bytes, move |_| {
            let here = &raw const inside as usize;
            let slot = StackSlot::at(here).expect("on a stack of ours");
            assert!((slot.floor()..slot.end()).contains(&here));
            inside.set(slot.end() - slot.floor());
        });
        ends(fiber.expect("there are stacks"));
        assert_eq!(Some(room.get()), Class::of(bytes).map(Class::bytes));
    }
    assert!(matches!(create(usize::MAX, |_| ()), Err(NoStack::Size { .. })));
}

#[test]
fn the_high_water_mark_is_of_what_came_after_its_beginning() {
    #[inline(never)]
    fn use_up<const N: usize>() {
        black_box(&mut [1u8; N]);
    }
    let marks = Rc::new(RefCell::new(Vec::new()));
    let inside = marks.clone();
    ends(fiber(move |_| {
        for big in [true, false, true] {
            usage::begin();
            if big {
                use_up::<40_000>()
            } else {
                use_up::<10_000>()
            }
            inside.borrow_mut().push(usage::high_water().expect("on a stack of ours"));
        }
    }));
    let marks = marks.borrow();
    assert!((40_000..48_000).contains(&marks[0]), "{marks:?}");
    assert!((10_000..18_000).contains(&marks[1]), "{marks:?}");
    assert!((40_000..48_000).contains(&marks[2]), "{marks:?}");
    assert_eq!(usage::high_water(), None);
}

#[test]
fn the_stacks_of_a_thread_that_ended_serve_others() {
    // A class that no other test uses, so that its stacks are known.
    const RARE: usize = 512 << 10;
    let take = || -> HashSet<usize> {
        let taken: Vec<_> = (0..4).map(|_| stacks::take(RARE).expect("there are stacks")).collect();
        let starts = taken.iter().map(|stack| stack.start()).collect();
        taken.into_iter().for_each(stacks::give);
        starts
    };
    let there = std::thread::spawn(take).join().expect("it does not panic");
    assert!(!there.is_disjoint(&take()));
}

#[test]
fn the_memory_of_a_large_network_goes_back_after_it() {
    let output = program::run(program::this_test!(), &[], || {
        const MANY: usize = 40_000;
        let many = || -> Vec<_> {
            let body = |way: &Way| way.suspend();
            (0..MANY).map(|_| create(SIZE, body).expect("there are stacks")).collect()
        };
        let with_memory = |starts: &HashSet<usize>| {
            let size = Class::of(SIZE).expect("a size").slot();
            let top = |start| start + size - page()..start + size;
            starts.iter().filter(|&&start| memory::resident(&top(start))[0]).count()
        };
        // All stacks have memory while their fibers run.
        let fibers = many();
        resume_all(&fibers);
        let place = |fiber: &Fiber| fiber.computation.addr().get();
        let start = |fiber| StackSlot::at(place(fiber)).expect("a stack of ours").start;
        let starts = fibers.iter().map(start).collect();
        assert_eq!(with_memory(&starts), MANY);
        // The fibers finish, and the memory goes back in the course of time.
        resume_all(&fibers);
        drop(fibers);
        while with_memory(&starts) > 2_000 {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        // And they are as good as before.
        let again = many();
        resume_all(&again);
        resume_all(&again);
        assert!(again.iter().all(Fiber::finished));
        assert!(mappings() < 100, "{}", mappings());
    });
    let Some(output) = output else { return };
    assert!(output.status.success(), "{}", program::said(&output));
}

fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux has it").lines().count()
}
