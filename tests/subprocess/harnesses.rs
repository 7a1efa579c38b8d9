//! Test harnesses that start this program themselves. nextest runs each test in an OS process of its own.

use std::process::Command;

use crate::tests;

tests! {
    fn children_work_as_nextest_runs_a_test() {
        let run = |arguments: &[&str]| {
            let mut program = Command::new("/proc/self/exe");
            let output = program.args(arguments).env("NEXTEST", "1").output().expect("this program");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).expect("text")
        };
        let name = "nesting::a_child_has_children";
        let list = run(&["--list", "--format", "terse"]);
        assert!(list.lines().any(|line| line == format!("{name}: test")), "{list}");
        let said = run(&["--exact", name, "--nocapture"]);
        assert!(said.contains("1 passed"), "{said}");
    }
}
