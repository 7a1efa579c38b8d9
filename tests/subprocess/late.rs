//! Operations beyond the OS process that a thread does while it ends: in processes that it has left to its end, and in the
//! destructors of `thread_local!`s.

use std::cell::RefCell;
use std::sync::mpsc;
use std::thread;

use csp::{Channel, Reader, SharedBuf, Writer, alt, multiprocess, parallel, process, spawn};
use serde::{Deserialize, Serialize};

use crate::tests;

type Act = Box<dyn FnOnce() + Send>;

#[process]
fn does(act: Act) {
    act();
}

/// Runs something when it is dropped.
struct AtEnd(RefCell<Option<Act>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(act) = self.0.take() {
            act();
        }
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(RefCell::new(None)) };
}

/// The place in the end of a thread where something is done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum When {
    /// By a process that the thread has left to its end: after all destructors.
    Left,
    /// In a destructor that comes after those of the library, because its data is older.
    Destroyed,
    /// In a destructor that comes before them.
    First,
}

const EACH: [When; 3] = [When::Left, When::Destroyed, When::First];

/// Uses the library's own data of this thread, so that they have destructors to run.
fn uses_the_library((_, _, items, gives): &Ends) {
    for item in [Item::Text("before".to_owned()), Item::Asks(Asks::Number(1))] {
        gives.write(item).expect("a reader");
        items.read().expect("a writer");
    }
    parallel!(echo(Item::Asks(Asks::Number(1))));
}

/// Has a thread do an operation of each sort while it ends. Panics if one of them panics.
fn at_the_end(when: When, ends: Ends) {
    let (done, ended) = mpsc::channel();
    let late = ends.clone();
    let act: Act = Box::new(move || {
        assert!(AT_END.try_with(|_| ()).is_err(), "the thread ends");
        does_each(late);
        done.send(()).expect("the thread is joined");
    });
    let thread = thread::spawn(move || match when {
        When::Left => {
            AT_END.with(|_| ());
            uses_the_library(&ends);
            drop(spawn(does(act)));
        }
        When::Destroyed => {
            AT_END.with(|at_end| at_end.0.replace(Some(act)));
            uses_the_library(&ends);
        }
        When::First => {
            uses_the_library(&ends);
            AT_END.with(|at_end| at_end.0.replace(Some(act)));
        }
    });
    thread.join().expect("it does not panic itself");
    ended.recv().unwrap_or_else(|_| panic!("{when:?}: it has panicked"));
}

#[derive(Serialize, Deserialize)]
enum Item {
    Text(String),
    Asks(Asks),
    End(Writer<u32>),
    Buffer(SharedBuf),
    Long(Vec<u8>),
}

/// A type whose values travel with names, because its `Deserialize` asks what comes next.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Asks {
    Number(u64),
    Named { name: String },
}

#[multiprocess]
fn echo(item: Item) -> Item {
    item
}

type Ends = (Reader<u32>, Writer<u32>, Reader<Item>, Writer<Item>);

/// The partner of [`does_each`].
fn takes_part((from, to, items, gives): Ends) {
    for _ in 0..2 {
        gives.write(items.read().expect("a writer")).expect("a reader");
    }
    assert_eq!(from.read(), Ok(1));
    (2..=5).for_each(|n| to.write(n).expect("a reader"));
    assert_eq!(from.read(), Ok(6));
    while let Ok(item) = items.read() {
        if let Item::End(end) = &item {
            end.write(7).expect("a reader");
        }
        gives.write(item).expect("a reader");
    }
}

/// Does an operation of each sort.
fn does_each((from, to, items, gives): Ends) {
    to.write(1).expect("a reader");
    assert_eq!(from.read(), Ok(2));
    assert_eq!(from.begin().map(|value| *value), Ok(3));
    // Choices: beyond this OS process only, with a guard here, and with a value that is made late.
    assert_eq!(alt! { n = from.read() => n, _ = items.read() => 0 }, Ok(4));
    let channel = Channel::<u32>::new();
    let (here, open) = (channel.reader(), channel.writer());
    assert_eq!(alt! { n = here.read() => n, n = from.read() => n }, Ok(5));
    assert_eq!(alt! { _ = here.read() => false, to.write_with(|| 6) => true }, Ok(true));
    drop(open);
    // Values of each sort, there and back.
    let both = |item| {
        gives.write(item).expect("a reader");
        items.read().expect("a writer")
    };
    assert!(matches!(both(Item::Text("a".to_owned())), Item::Text(text) if text == "a"));
    let named = || Asks::Named { name: "b".to_owned() };
    assert!(matches!(both(Item::Asks(named())), Item::Asks(back) if back == named()));
    assert!(matches!(both(Item::Long(vec![3; 50_000])), Item::Long(long) if long.len() == 50_000));
    let channel = Channel::new();
    let answer = channel.reader();
    gives.write(Item::End(channel.writer())).expect("a reader");
    assert_eq!(answer.read(), Ok(7));
    assert!(matches!(items.read(), Ok(Item::End(_))));
    let buffer = SharedBuf::new(100_000).expect("memory");
    assert!(matches!(both(Item::Buffer(buffer)), Item::Buffer(buffer) if buffer.len() == 100_000));
    // A child of this thread.
    let (child,) = parallel!(echo(Item::Asks(named())));
    assert!(matches!(child, Item::Asks(back) if back == named()));
}

#[multiprocess]
fn does_each_at_the_end(when: When, ends: Ends) {
    at_the_end(when, ends);
}

/// Has its own channels, and gives its partner the other ends.
#[multiprocess]
fn takes_part_at_home(partner: Writer<Ends>) {
    let [from, to] = [(); 2].map(|()| Channel::new());
    let [items, gives] = [(); 2].map(|()| Channel::new());
    let theirs = (to.reader(), from.writer(), gives.reader(), items.writer());
    let own = (from.reader(), to.writer(), items.reader(), gives.writer());
    drop((from, to, items, gives));
    partner.write(theirs).expect("a reader");
    drop(partner);
    takes_part(own);
}

tests! {
    fn a_thread_that_ends_reaches_channels_of_its_parent() {
        for when in EACH {
            let [from, to] = [(); 2].map(|()| Channel::new());
            let [items, gives] = [(); 2].map(|()| Channel::new());
            let theirs = (to.reader(), from.writer(), gives.reader(), items.writer());
            let own = (from.reader(), to.writer(), items.reader(), gives.writer());
            drop((from, to, items, gives));
            let child = spawn(does_each_at_the_end(when, theirs));
            takes_part(own);
            child.join();
        }
    }

    fn a_thread_that_ends_reaches_channels_of_its_child() {
        for when in EACH {
            let channel = Channel::new();
            let child = spawn(takes_part_at_home(channel.writer()));
            let ends = channel.reader();
            drop(channel);
            let ends = ends.read().expect("a child");
            at_the_end(when, ends);
            child.join();
        }
    }
}
