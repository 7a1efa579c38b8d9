//! Code that ends a program is tried in a program of its own: the test's, started again.

use std::process::{Command, Output};

/// Runs `body` in a program of its own. Returns its output to the test's own program, and `None`
/// inside. `test`: the full name of the test that calls this.
pub(super) fn run(test: &str, environment: &[(&str, &str)], body: impl FnOnce()) -> Option<Output> {
    const MARK: &str = "CSP_TEST_PROGRAM";
    if std::env::var_os(MARK).is_some() {
        body();
        return None;
    }
    let name = test.split_once("::").map_or(test, |(_, name)| name);
    let mut command = Command::new(std::env::current_exe().expect("a test has a program"));
    command
        .args([name, "--exact", "--nocapture", "--include-ignored"])
        .env(MARK, "1")
        // They count stacks, of which each scheduler keeps some.
        .env("CSP_CORES", "1")
        .envs(environment.iter().copied());
    Some(command.output().expect("a program starts twice"))
}

pub(super) fn killed_by(output: &Output) -> Option<i32> {
    std::os::unix::process::ExitStatusExt::signal(&output.status)
}

pub(super) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Returns the name of the test that contains this.
macro_rules! this_test {
    () => {{
        fn here() {}
        std::any::type_name_of_val(&here).trim_end_matches("::here")
    }};
}
pub(super) use this_test;
