//! Tests with `#[csp::test]`, most of which must fail. They are `#[ignore]`d, because the tests of `main.rs` run them.

use csp::{Channel, Reader, Writer, parallel, process, spawn};

#[process]
fn numbers(output: Writer<u32>, count: u32) -> csp::Result {
    for number in 0..count {
        output.write(number)?;
    }
    Ok(())
}

#[process]
fn sums(input: Reader<u32>) -> u32 {
    input.iter().sum()
}

#[csp::test]
#[ignore = "run by `a_test_that_is_right_passes`"]
fn is_right() -> csp::Result {
    let values = Channel::new();
    let (wrote, sum) = parallel!(numbers(values.writer(), 4), sums(values.reader()));
    assert_eq!(sum, 6);
    wrote
}

#[csp::test]
#[ignore = "run by `a_test_that_is_right_passes`"]
#[should_panic(expected = "6 is not 7")]
fn is_wrong_and_says_so() {
    panic!("{} is not 7", 6);
}

#[csp::test(leaks = allow)]
#[ignore = "run by `a_test_that_is_right_passes`"]
fn may_leave_a_value() {
    Channel::buffered(1).writer().write(1).unwrap();
}

#[csp::test]
#[ignore = "run by `a_test_that_leaves_something_fails`"]
fn leaves_a_value() {
    Channel::buffered(1).named("mail").writer().write(1).unwrap();
}

#[csp::test]
#[ignore = "run by `a_test_that_leaves_something_fails`"]
fn leaves_a_process() {
    let values = Channel::<u32>::new();
    let (output, sums) = (values.writer(), sums(values.reader()));
    let other = std::thread::Builder::new().name("other".into());
    other.spawn(move || spawn(sums).join()).unwrap();
    output.write(1).unwrap();
    while !csp::network().to_string().contains("other/sums: blocked") {
        csp::sleep(std::time::Duration::from_millis(1));
    }
    std::mem::forget(output);
}

#[csp::test]
#[ignore = "run by `a_test_that_leaves_something_fails`"]
fn leaves_an_end() {
    let values = Channel::<u32>::new();
    let spare = values.writer();
    let sum = parallel!(numbers(values.writer(), 2), firsts(values.reader())).1;
    assert_eq!(sum, Ok(1));
    drop(spare);
}

#[process]
fn firsts(input: Reader<u32>) -> csp::Result<u32> {
    Ok(input.read()? + input.read()?)
}

#[csp::test(limit = "3 s")]
#[ignore = "run by `a_test_that_hangs_shows_the_network`"]
fn hangs() {
    let values = Channel::<u32>::new().named("never");
    std::mem::forget(values.writer());
    let _ = parallel!(sums(values.reader()));
}

#[csp::test]
#[ignore = "run by `a_test_fails_with_its_error`"]
fn returns_an_error() -> csp::Result {
    let values = Channel::<u32>::new();
    drop(values.writer());
    values.reader().read()?;
    Ok(())
}

#[process]
fn panics() {
    panic!("out of tea");
}

#[csp::test]
#[ignore = "run by `a_test_that_panics_shows_that_once`"]
fn fails() {
    panic!("out of tea");
}

#[csp::test]
#[ignore = "run by `a_test_that_panics_shows_that_once`"]
fn has_a_process_that_fails() {
    parallel!(panics());
}

#[process]
async fn awaits(input: Reader<u32>) -> csp::Result<u32> {
    input.read_async().await
}

/// A newcomer's test: an end that is only awaited counts as used.
#[csp::test]
#[ignore = "run by `a_test_that_is_right_passes`"]
fn awaits_what_it_has_written() {
    let values = Channel::buffered(1);
    let writer = values.writer();
    writer.write(1).unwrap();
    assert_eq!(parallel!(awaits(values.reader())).0, Ok(1));
}
