//! Hosts that the environment lists. Programs on `PATH` stand in for `ssh` and for SLURM's `srun`: they run the command on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use csp::{Hosts, multiprocess, parallel, try_parallel};

use super::{here, tests};

/// A folder with the programs.
struct Programs(PathBuf);

impl Programs {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("csp-listed-{name}-{}", here()));
        fs::create_dir_all(&folder).expect("a folder");
        let of = Self(folder);
        // `srun -N1 -n1 -w HOST COMMAND…`
        of.write(
            "srun",
            "[ \"$1 $2 $3\" = '-N1 -n1 -w' ] || exit 9\nhost=$4; shift 4; WHERE=$host exec \"$@\"",
        );
        // `ssh … -- HOST LINE`
        of.write(
            "ssh",
            "while [ \"$1\" != -- ]; do shift; done\nWHERE=$2 HOME=${0%/*} exec sh -c \"$3\"",
        );
        of
    }

    fn write(&self, name: &str, script: &str) {
        let path = self.0.join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("ours");
    }

    /// Returns a host on this machine with the programs on its `PATH`, and with these variables.
    fn host(&self, variables: &[&str]) -> Hosts {
        let path = std::env::var("PATH").expect("a path");
        let path = format!("PATH={}:{path}", self.0.display());
        let unset = ["-u", "CSP_HOSTS", "-u", "SLURM_JOB_NODELIST", "-u", "PBS_NODEFILE"];
        Hosts::command(
            ["env"].iter().chain(&unset).copied().chain([&*path]).chain(variables.iter().copied()),
        )
    }
}

impl Drop for Programs {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[multiprocess]
fn place() -> Option<String> {
    std::env::var("WHERE").ok()
}

/// Runs processes on the hosts that its own environment lists.
#[multiprocess]
fn goes_round(count: usize) -> Result<Vec<String>, String> {
    let hosts = Hosts::from_env().map_err(|error| error.to_string())?;
    let (places,) = parallel!(count * place().at(&hosts));
    Ok(places.into_iter().flatten().collect())
}

tests! {
    fn slurm_lists_hosts_and_srun_reaches_them() {
        let programs = Programs::new("slurm");
        let variables = ["SLURM_JOB_NODELIST=n[08-09]", "SLURM_TASKS_PER_NODE=2,1"];
        let (places,) = parallel!(goes_round(4).at(&programs.host(&variables)));
        assert_eq!(places.expect("hosts"), ["n08", "n09", "n08", "n08"]);
    }

    fn a_list_or_pbs_names_hosts_for_ssh() {
        let programs = Programs::new("ssh");
        let (places,) = parallel!(goes_round(3).at(&programs.host(&["CSP_HOSTS=a*2 me@b"])));
        assert_eq!(places.expect("hosts"), ["a", "me@b", "a"]);
        let file = programs.0.join("nodes");
        fs::write(&file, "c\nd\nc\n").expect("room");
        let variable = format!("PBS_NODEFILE={}", file.display());
        let (places,) = parallel!(goes_round(3).at(&programs.host(&[&variable])));
        assert_eq!(places.expect("hosts"), ["c", "d", "c"]);
    }

    fn an_environment_without_hosts_is_an_error_that_names_a_variable() {
        let programs = Programs::new("none");
        let (places,) = parallel!(goes_round(1).at(&programs.host(&[])));
        assert!(places.unwrap_err().contains("`CSP_HOSTS`"));
        let (places,) = parallel!(goes_round(1).at(&programs.host(&["SLURM_JOB_NODELIST=n["])));
        assert!(places.unwrap_err().contains("`SLURM_JOB_NODELIST`"));
    }

    fn an_srun_that_fails_is_told() {
        let programs = Programs::new("fails");
        programs.write("srun", "echo 'srun: error: no such node' >&2; exit 1");
        let host = programs.host(&["SLURM_JOB_NODELIST=n1"]);
        let failure = try_parallel!(goes_round(1).at(&host)).unwrap_err();
        assert!(failure.message().contains("srun: error: no such node"), "{failure}");
    }
}
