//! A library that a program loads while it runs can't have OS processes. If the program were started again, the library could not
//! take over before `main`.
#![cfg(all(feature = "subprocess", target_os = "linux"))]

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn an_os_process_of_a_loaded_library_is_a_failure_that_says_so() {
    let host = env!("CARGO_BIN_EXE_host");
    let name = "libcsp_tests_plugin.so";
    let places =
        [Path::new(host).with_file_name("deps").join(name), Path::new(host).with_file_name(name)];
    let library = places.iter().find(|place| place.exists()).expect("it is built with this test");
    let command = Command::new(host).arg(library).stdout(Stdio::piped()).spawn();
    let mut child = command.expect("the host");
    // A host that runs again and again does not end by itself.
    let began = Instant::now();
    while child.try_wait().expect("ours").is_none() {
        if began.elapsed() > Duration::from_secs(60) {
            let _ = child.kill();
            panic!("the host hangs");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let output = child.wait_with_output().expect("ours");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = text.lines().collect();
    let [main, refused, other] = lines[..] else { panic!("{text}") };
    assert_eq!((main, other), ("main", "another process: Ok(21)"));
    assert!(refused.contains("doubles") && refused.contains("has loaded the library"), "{refused}");
}
