//! Arguments reach the child and results come back, for every way to make and run the process.

use std::collections::BTreeMap;
use std::convert::Infallible;

use csp::{
    Backend, Failure, Parallel, Sequence, Termination, multiprocess, parallel, process, sequence,
    spawn, try_parallel,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{here, tests};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: f64 },
    Named(String, Vec<(u8, Option<i64>)>),
}

#[multiprocess]
fn echo(shape: Shape, words: BTreeMap<String, u32>) -> (u32, Shape, BTreeMap<String, u32>) {
    (here(), shape, words)
}

#[multiprocess]
fn sum<T>(values: Vec<T>) -> (u32, T)
where
    T: Copy + std::iter::Sum<T> + Serialize + DeserializeOwned + Send + 'static,
{
    (here(), values.into_iter().sum())
}

#[multiprocess]
fn size<const N: usize>() -> (u32, usize) {
    (here(), N)
}

#[multiprocess]
fn place() -> u32 {
    here()
}

#[multiprocess]
fn twice(n: u64) -> u64 {
    2 * n
}

#[process(on = subprocess)]
fn told_to() -> u32 {
    here()
}

#[multiprocess(on = thread)]
fn told_not_to() -> u32 {
    here()
}

#[multiprocess]
fn nothing() {}

#[multiprocess]
#[allow(clippy::too_many_arguments)]
fn many(
    a: u8,
    b: u8,
    c: u8,
    d: u8,
    e: u8,
    f: u8,
    g: u8,
    h: u8,
    i: u8,
    j: u8,
    k: u8,
    l: u8,
    m: u8,
    n: u8,
    o: u8,
    p: u8,
    q: u8,
    r: u8,
) -> u32 {
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r].map(u32::from).iter().sum()
}

#[multiprocess]
fn patterns((a, b): (u8, u8), mut list: Vec<u8>, [c, ..]: [u8; 3], _: String) -> Vec<u8> {
    list.extend([a, b, c]);
    list
}

#[multiprocess]
fn reversed(bytes: Vec<u8>) -> Vec<u8> {
    bytes.into_iter().rev().collect()
}

#[multiprocess]
fn ends(how: u8) -> csp::Result<u8> {
    if how == 0 { Err(Termination::Retired) } else { Ok(how) }
}

#[multiprocess]
fn ends_never() -> ! {
    std::process::exit(3)
}

mod library {
    pub(super) use ::csp as renamed;
}

#[multiprocess(crate = library::renamed)]
fn elsewhere() -> u32 {
    here()
}

fn first_of_two() -> u32 {
    #[multiprocess]
    fn worker() -> u32 {
        1
    }
    parallel!(worker()).0
}

fn second_of_two() -> u32 {
    #[multiprocess]
    fn worker() -> u32 {
        2
    }
    parallel!(worker()).0
}

macro_rules! made_by_a_macro {
    ($name:ident, $value:expr) => {
        #[multiprocess]
        fn $name() -> u32 {
            $value
        }
    };
}

made_by_a_macro!(made_first, 1);
made_by_a_macro!(made_second, 2);

tests! {
    fn arguments_and_results_are_whatever_serde_knows() {
        let shapes = [
            Shape::Point,
            Shape::Circle { radius: 0.1 },
            Shape::Named("ünï".into(), vec![(1, None), (2, Some(-3))]),
        ];
        let words: BTreeMap<_, _> = [("a".to_owned(), 1), ("b".to_owned(), 2)].into();
        for shape in shapes {
            let ((there, echoed, told),) = parallel!(echo(shape.clone(), words.clone()));
            assert_ne!(there, here());
            assert_eq!((echoed, told), (shape, words.clone()));
        }
    }

    fn each_instance_of_a_generic_function_is_its_own() {
        let ((a, whole), (b, broken), (_, three), (_, four)) =
            parallel!(sum(vec![1_u64, 2]), sum(vec![0.5, 0.25]), size::<3>(), size::<4>());
        assert_eq!((whole, broken, three, four), (3, 0.75, 3, 4));
        assert!(a != b && a != here() && b != here());
    }

    fn replicas_are_a_child_each() {
        let (mut places, none) = parallel!(5 * place(), 0 * place());
        assert!(none.is_empty());
        places.push(here());
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 6);
    }

    fn replicas_get_a_clone_each() {
        assert_eq!(parallel!(3 * twice(4)).0, [8, 8, 8]);
    }

    fn one_after_another() {
        let (first, rest) = sequence!(place(), 2 * place());
        assert!(first != rest[0] && rest[0] != rest[1] && !rest.contains(&here()));
    }

    fn what_is_spawned_is_joined() {
        let one = spawn(twice(1));
        let more = spawn(3 * twice(2));
        assert_eq!(one.join(), 2);
        assert_eq!(more.into_iter().map(csp::Spawned::join).collect::<Vec<_>>(), [4, 4, 4]);
    }

    fn what_was_spawned_has_ended_after_shutdown() {
        let spawned = spawn(twice(1));
        csp::shutdown();
        assert!(spawned.has_ended());
    }

    fn sets_made_at_run_time_run_there_too() {
        let all = Parallel::new().with(place()).with(2 * place()).with(told_not_to()).run();
        assert_eq!(all[3], here());
        assert!(!all[..3].contains(&here()));
        let one = Sequence::new().with(twice(3)).with(twice(4)).run();
        assert_eq!(one, [6, 8]);
        let erased = vec![place().erased(), told_not_to().erased().on(Backend::Thread)];
        let (places,) = parallel!(erased);
        assert!(places[0] != here() && places[1] == here());
    }

    fn the_value_chooses() {
        let (a, b, c, d) = parallel!(
            told_to(),
            told_not_to(),
            told_not_to().on(Backend::Subprocess),
            place().on(Backend::Thread),
        );
        assert!(a != here() && b == here() && c != here() && d == here());
    }

    fn functions_of_one_name_are_told_apart() {
        assert_eq!((first_of_two(), second_of_two()), (1, 2));
        assert_eq!(parallel!(made_first(), made_second()), (1, 2));
    }

    fn any_signature_will_do() {
        let sum = many(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18);
        let patterns = patterns((1, 2), vec![0], [3, 4, 5], "unused".into());
        let (sum, list, (), there) = parallel!(sum, patterns, nothing(), elsewhere());
        assert_eq!((sum, list), (171, vec![0, 1, 2, 3]));
        assert_ne!(there, here());
    }

    fn the_library_s_own_results_come_back() {
        assert_eq!(parallel!(ends(0), ends(7)), (Err(Termination::Retired), Ok(7)));
    }

    fn a_process_that_never_returns_may_end_all_the_same() {
        let failure: Result<(Infallible,), Failure> = try_parallel!(ends_never());
        assert!(failure.unwrap_err().message().contains("exit status: 3"));
    }

    fn large_arguments_and_results_come_whole() {
        let large: Vec<u8> = (0..3_000_000_u32).map(|n| n as u8).collect();
        let (there,) = parallel!(reversed(large.clone()));
        assert!(there.into_iter().rev().eq(large));
    }
}
