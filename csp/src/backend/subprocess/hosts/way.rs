//! How the command of a host is made: the words that it is to run, and where the executable is.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::greeting;
use crate::backend::subprocess::boot::{HOST, VARIABLE};
use crate::backend::subprocess::values::text::hexadecimal;
use crate::process::definition::{HostCommand, HostWay};

/// The script for hosts that `ssh` reaches.
const REMOTE: &str = include_str!("remote.sh");

/// The options of `ssh`: no terminal, no questions, no agent, nothing forwarded. All else is up to the user's configuration.
const OPTIONS: [&str; 9] = [
    "-T",
    "-a",
    "-x",
    "-o",
    "BatchMode=yes",
    "-o",
    "ClearAllForwardings=yes",
    "-o",
    "RemoteCommand=none",
];

/// Returns the program of the command.
pub(super) fn program(host: &HostCommand) -> String {
    let (HostWay::Command(command) | HostWay::Ssh { ssh: command, .. }) = &host.way;
    command.first().map(|program| program.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Returns the command that starts the host process.
pub(super) fn command(host: &HostCommand) -> Result<Command, String> {
    let mut command = Command::new(program(host));
    match &host.way {
        HostWay::Command(words) => {
            command.args(&words[1..]).arg("env").arg(format!("{VARIABLE}={HOST}")).arg(path());
        }
        HostWay::Ssh { ssh, host } => {
            refuse_options(host)?;
            let system = |error: std::io::Error| error.to_string();
            let size = fs::metadata("/proc/self/exe").map_err(system)?.len();
            let hash = greeting::executable().map_err(system)?;
            command.args(&ssh[1..]).args(OPTIONS).args(["--", host]).arg(remote(
                &hash,
                size,
                machine(),
            ));
        }
    }
    command
        .env_remove(VARIABLE)
        // A terminal's signals are for this program.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Ok(command)
}

/// Refuses a name that `ssh`, or a command in its configuration, could take for an option.
fn refuse_options(host: &str) -> Result<(), String> {
    let name = host.rsplit_once('@').map_or(host, |(_, name)| name);
    if host.starts_with('-') || name.starts_with('-') {
        return Err("the name of a host can't begin with `-`".to_owned());
    }
    if name.is_empty() || host.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("the name of a host can't be empty or have blanks in it".to_owned());
    }
    Ok(())
}

/// Returns what `uname -m` says where this executable can run, if it says one thing everywhere.
fn machine() -> &'static str {
    match env::consts::ARCH {
        machine @ ("x86_64" | "aarch64" | "riscv64" | "s390x" | "loongarch64") => machine,
        _ => "",
    }
}

/// Returns the one line that the user's shell runs there.
fn remote(hash: &[u8; 32], size: u64, machine: &str) -> String {
    let hash = hexadecimal(hash);
    let lines = REMOTE.lines().filter(|line| !line.starts_with('#'));
    let script = lines.collect::<Vec<_>>().join(" ");
    format!("exec /bin/sh -c 'hash={hash}; size={size}; machine={machine}; {script}' csp")
}

/// Returns the path of this executable, or a path that leads to the very file if it is gone.
fn path() -> PathBuf {
    let very = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
    let is_same = |path: &PathBuf| {
        let (one, other) = (fs::metadata(path).ok()?, fs::metadata(&very).ok()?);
        Some((one.dev(), one.ino()) == (other.dev(), other.ino()))
    };
    match env::current_exe() {
        Ok(path) if is_same(&path) == Some(true) => path,
        _ => very,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_there_is_quoted_for_every_shell() {
        let line = remote(&[0xab; 32], 5, "x86_64");
        let script = line.strip_prefix("exec /bin/sh -c '").expect("a beginning");
        let script = script.strip_suffix("' csp").expect("an end");
        assert!(!script.contains(['\'', '\\', '!', '\n']), "{script}");
        assert!(
            script.starts_with(&format!("hash={}; size=5; machine=x86_64; die()", "ab".repeat(32)))
        );
        let checked = Command::new("sh").args(["-n", "-c", script]).status().expect("a shell");
        assert!(checked.success());
    }

    #[test]
    fn a_name_is_no_option() {
        for host in ["-oProxyCommand=x", "-", "me@-oProxyCommand=x", "", "me@", "a b", "a\nb"] {
            assert!(refuse_options(host).is_err(), "{host}");
        }
        for host in ["node1", "me@node1", "ssh://me@node1:22", "::1", "a-b", "-me@node1"] {
            assert_eq!(refuse_options(host).is_ok(), host != "-me@node1", "{host}");
        }
    }
}
