//! Hosts: where processes run that are placed by `at`. Only the backend knows how a host is reached.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use super::listed::{self, HostsError, ListedHosts};

/// Hosts on which processes run: other machines, containers, or this machine once more.
///
/// A process is placed there by [`Process::at`](crate::Process::at). On each host the same executable is started once, at the first need: the *host
/// process*. It runs no code of the program's. It starts an OS process for each process that is placed there, and passes on what these
/// say. So channels, alternation, panics, [`Spawned::kill`](crate::Spawned::kill) and limits are as they are for a
/// [`#[multiprocess]`](crate::multiprocess) function on this machine.
///
/// The way to a host is the standard input and output of a command, such as `ssh` or `docker exec -i`. Nothing listens at
/// any port. A host process ends when this program ends, and so does all that it has started.
///
/// All that a process prints there, on standard output too, comes out on this program's standard error. Each line has the names of the
/// process and of the host ahead of it: `main/worker[3]@node1: `. No line is torn, except one that is longer than 64 KiB, or whose end takes
/// more than a second.
///
/// A host that can't be had makes the processes that were to run there fail, with [`Cause::Unstarted`](crate::Cause::Unstarted). The
/// failure has the last words of the command. A host that is lost later makes them fail with [`Cause::Lost`](crate::Cause::Lost).
///
/// ```
/// use csp::{Hosts, multiprocess, parallel};
///
/// #[multiprocess]
/// fn square(n: u64) -> u64 {
///     n * n
/// }
///
/// # fn main() {
/// // `env` runs a program on this machine.
/// let hosts = Hosts::command(["env"]);
/// let (squares, nine) = parallel!(2 * square(4).at(&hosts), square(3).at(&hosts));
/// assert_eq!((squares, nine), (vec![16, 16], 9));
/// # }
/// ```
///
/// Processes go round the hosts: one to each, and then from the beginning. A host with more [`slots`](Self::slots) has more turns in
/// each round. Clones share the round.
///
/// Idea: `@sshprocess` and `@clusterprocess` of PyCSP.
#[derive(Clone)]
#[must_use = "hosts do nothing until processes are placed there: `process.at(&hosts)`"]
pub struct Hosts {
    hosts: Arc<[Arc<HostCommand>]>,
    is_blocked: bool,
    /// The hosts of one round, by their places.
    round: Arc<[usize]>,
    next: Arc<AtomicUsize>,
}

/// One host.
#[derive(Clone, Debug)]
pub(crate) struct HostCommand {
    /// No other host has it, so the backend knows hosts by it.
    pub(crate) number: u64,
    pub(crate) name: String,
    pub(crate) way: HostWay,
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// The time without a word after which the host is lost, unless that is the usual one.
    pub(crate) peer_timeout: Option<Duration>,
    slots: usize,
}

/// The way to a host: a command, which is a program and its first arguments.
#[derive(Clone, Debug)]
pub(crate) enum HostWay {
    /// The command runs the words that are appended. The executable is at the same path there.
    Command(Vec<OsString>),
    /// The command is that of `ssh`. The executable is copied.
    Ssh { ssh: Vec<OsString>, host: String },
}

impl HostCommand {
    pub(crate) fn new(name: String, way: HostWay) -> Self {
        let (environment, peer_timeout) = (Vec::new(), None);
        Self { number: number(), name, way, environment, peer_timeout, slots: 1 }
    }

    fn by_ssh(host: String) -> Self {
        let way = HostWay::Ssh { ssh: vec!["ssh".into()], host: host.clone() };
        Self::new(host, way)
    }

    /// Returns the host of a job of SLURM. One `srun` reaches one host, because it copies its input to all its tasks.
    fn by_srun(host: String) -> Self {
        let command = ["srun", "-N1", "-n1", "-w", &host].map(OsString::from);
        Self::new(host, HostWay::Command(command.into()))
    }
}

fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Hosts {
    fn new(hosts: Vec<HostCommand>, is_blocked: bool) -> Self {
        let slots: Vec<usize> = hosts.iter().map(|host| host.slots).collect();
        let round = round(&slots, is_blocked).into();
        let hosts = hosts.into_iter().map(Arc::new).collect();
        Self { hosts, is_blocked, round, next: Arc::default() }
    }

    /// Returns the same hosts with a change. They get host processes of their own.
    fn changed(&self, is_blocked: bool, change: impl Fn(&mut HostCommand)) -> Self {
        let changed = |host: &Arc<HostCommand>| {
            let mut host = HostCommand { number: number(), ..HostCommand::clone(host) };
            change(&mut host);
            host
        };
        Self::new(self.hosts.iter().map(changed).collect(), is_blocked)
    }

    /// Returns one host, which is reached by a command: a program and its arguments. Its name is that of the program.
    ///
    /// The command is run with words appended: `env CSP_SUBPROCESS=host` and the path of this executable. It must run them on the host, with
    /// its own standard input and output. The executable must be at the same path there.
    ///
    /// ```
    /// use csp::Hosts;
    ///
    /// let here = Hosts::command(["env"]);
    /// let container = Hosts::command(["docker", "exec", "-i", "worker"]);
    /// # drop((here, container));
    /// ```
    ///
    /// # Panics
    /// Panics if there is no program.
    pub fn command<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Self {
        let command = words(command);
        let name = command[0].to_string_lossy().into_owned();
        Self::new(vec![HostCommand::new(name, HostWay::Command(command))], false)
    }

    /// Returns hosts that `ssh` reaches, as `ssh node1` does: your configuration says how. It must need no password.
    ///
    /// The executable is copied to `~/.cache/csp` there, at the first need, and checked by its SHA-256 before each start. So nothing has to be
    /// installed, but each host must have the same kind of processor, and the libraries that the executable is linked to. The last four
    /// executables are kept. The folder must be the user's own, with mode 0700, and no link.
    ///
    /// The command is `ssh -T -a -x -o BatchMode=yes -o ClearAllForwardings=yes -o RemoteCommand=none -- HOST` and a line for the shell. A
    /// host that begins with `-` can't be had.
    ///
    /// If hosts take more than two seconds to start, standard error shows how far they are. `CSP_PROGRESS=off` in the environment silences that.
    ///
    /// ```no_run
    /// use csp::{Channel, Hosts, Reader, Writer, multiprocess, parallel};
    ///
    /// #[multiprocess]
    /// fn worker(jobs: Reader<u64>, results: Writer<u64>) -> csp::Result {
    ///     for job in &jobs {
    ///         results.write(job * job)?;
    ///     }
    ///     Ok(())
    /// }
    ///
    /// # fn main() {
    /// let hosts = Hosts::ssh(["node1", "node2", "me@node3"]).slots(4);
    /// let (jobs, results) = (Channel::new(), Channel::new());
    /// let farm = 12 * worker(jobs.reader(), results.writer()).at(&hosts);
    /// # parallel!(farm);
    /// # }
    /// ```
    pub fn ssh<S: AsRef<str>>(hosts: impl IntoIterator<Item = S>) -> Self {
        let one = |host: S| HostCommand::by_ssh(host.as_ref().to_owned());
        Self::new(hosts.into_iter().map(one).collect(), false)
    }

    /// Returns the hosts that the environment lists. The first of these variables that is there counts:
    ///
    /// | variable | |
    /// |---|---|
    /// | `CSP_HOSTS` | hosts that `ssh` reaches, with blanks or commas between them. `node1 me@node2*4` gives `node2` four [`slots`](Self::slots). |
    /// | `SLURM_JOB_NODELIST` | the hosts of a job of SLURM, each with as many slots as `SLURM_TASKS_PER_NODE` says. `srun -N1 -n1 -w HOST` reaches them. |
    /// | `PBS_NODEFILE` | the hosts of a job of PBS, which `ssh` reaches. A host has as many slots as the file has lines of it. |
    ///
    /// The executable is copied where `ssh` is used. In a job of SLURM it must be at the same path on each host, as in a shared folder.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), csp::HostsError> {
    /// let hosts = csp::Hosts::from_env()?;
    /// println!("{hosts}");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error that names the variable if it lists no hosts, or if no variable is there.
    pub fn from_env() -> Result<Self, HostsError> {
        let listed =
            listed::hosts(|name| std::env::var_os(name), |path| std::fs::read_to_string(path))?;
        let (hosts, by): (_, fn(String) -> HostCommand) = match listed {
            ListedHosts::Ssh(hosts) => (hosts, HostCommand::by_ssh),
            ListedHosts::Srun(hosts) => (hosts, HostCommand::by_srun),
        };
        let one = |(host, slots)| HostCommand { slots, ..by(host) };
        Ok(Self::new(hosts.into_iter().map(one).collect(), false))
    }

    /// Sets the program that reaches the hosts of [`ssh`](Self::ssh), and its first arguments. The default is `ssh`. Hosts that
    /// another command reaches stay as they are.
    ///
    /// ```
    /// use csp::Hosts;
    ///
    /// let hosts = Hosts::ssh(["node1", "node2"]).ssh_command(["ssh", "-F", "cluster.conf"]);
    /// # drop(hosts);
    /// ```
    ///
    /// # Panics
    /// Panics if there is no program.
    pub fn ssh_command<S: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = S>) -> Self {
        let command = words(command);
        self.changed(self.is_blocked, |host| {
            if let HostWay::Ssh { ssh, .. } = &mut host.way {
                ssh.clone_from(&command);
            }
        })
    }

    /// Returns these hosts and others. They get host processes of their own.
    ///
    /// ```
    /// use csp::Hosts;
    ///
    /// let here = Hosts::command(["env"]).named("here");
    /// let there = Hosts::command(["docker", "exec", "-i", "worker"]).named("worker");
    /// assert_eq!(here.and(&there).to_string(), "here, worker");
    /// ```
    pub fn and(&self, others: &Hosts) -> Self {
        let both = [self.changed(false, |_| {}), others.changed(false, |_| {})];
        let hosts = both.iter().flat_map(|hosts| hosts.hosts.iter());
        Self::new(hosts.map(|host| HostCommand::clone(host)).collect(), self.is_blocked)
    }

    /// Names the hosts in failures. The default is the program of the command, or the host that `ssh` gets.
    pub fn named(&self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.changed(self.is_blocked, |host| host.name.clone_from(&name))
    }

    /// Sets how many turns each host has in a round. The default is 1. It is no limit: with more processes than slots, the next
    /// round begins.
    ///
    /// # Panics
    /// Panics if it is 0.
    pub fn slots(&self, slots: usize) -> Self {
        assert!(slots > 0, "a host has at least one slot");
        self.changed(self.is_blocked, |host| host.slots = slots)
    }

    /// Fills host by host: all slots of the first one come before those of the second.
    ///
    /// ```
    /// use csp::Hosts;
    ///
    /// let two = Hosts::command(["env"]).named("a").and(&Hosts::command(["env"]).named("b")).slots(2);
    /// assert_eq!(two.to_string(), "a, b, a, b");
    /// assert_eq!(two.blocked().to_string(), "a, a, b, b");
    /// ```
    pub fn blocked(&self) -> Self {
        self.changed(true, |_| {})
    }

    /// Sets how long a host may be silent. The default is 10 s. A shorter cut of the connection only delays.
    ///
    /// After this time without a word from this program a host process ends itself, and all that it has started. After one and a half times as long this
    /// program takes the host for lost. So no work that is given out again is done twice, unless one of the two machines was stopped. A host that handles nothing
    /// counts as silent, whatever it answers. Each side says something four times in this time, so the time should be many times as long as a journey to the host.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let hosts = csp::Hosts::ssh(["node1", "node2"]).peer_timeout(Duration::from_secs(60));
    /// # drop(hosts);
    /// ```
    ///
    /// # Panics
    /// Panics if the time is less than 10 ms or more than a day.
    pub fn peer_timeout(&self, timeout: Duration) -> Self {
        let usual = Duration::from_millis(10)..=Duration::from_secs(24 * 3600);
        assert!(usual.contains(&timeout), "{timeout:?} is no time for a peer: {usual:?} is");
        self.changed(self.is_blocked, |host| host.peer_timeout = Some(timeout))
    }

    /// Sets a variable in the environment of the processes that run there. It travels by the connection, so nobody there sees it in
    /// a command line.
    ///
    /// Without this, processes have the environment that the command gives them, and the variables of this program that begin with
    /// `CSP_` or `RUST_`, except `CSP_CORES`, `CSP_HOSTS` and `CSP_SUBPROCESS`.
    ///
    /// # Panics
    /// Panics if no variable can have this name or value: an empty name, one with `=`, and a zero byte in either.
    pub fn env(&self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        let (name, value) = (name.as_ref(), value.as_ref());
        let (bytes, more) = (name.as_encoded_bytes(), value.as_encoded_bytes());
        let is_name = !bytes.is_empty() && !bytes.contains(&b'=') && !bytes.contains(&0);
        assert!(is_name && !more.contains(&0), "no variable can be {name:?} with value {value:?}");
        let pair = (name.to_owned(), value.to_owned());
        self.changed(self.is_blocked, |host| host.environment.push(pair.clone()))
    }

    /// Gives this many processes their turns. Returns the first one's.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no process runs there"))]
    pub(crate) fn take_turns(&self, count: usize) -> usize {
        self.next.fetch_add(count, Ordering::Relaxed)
    }

    /// Returns the host of a turn. There is none if there are no hosts.
    #[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "no process runs there"))]
    pub(crate) fn host(&self, turn: usize) -> Option<&Arc<HostCommand>> {
        let place = self.round.get(turn.checked_rem(self.round.len())?)?;
        self.hosts.get(*place)
    }
}

fn words<S: AsRef<OsStr>>(command: impl IntoIterator<Item = S>) -> Vec<OsString> {
    let command: Vec<OsString> = command.into_iter().map(|word| word.as_ref().to_owned()).collect();
    assert!(!command.is_empty(), "a command has a program");
    command
}

/// Returns the hosts of one round, by their places.
fn round(slots: &[usize], is_blocked: bool) -> Vec<usize> {
    let of = |(host, slots): (usize, &usize)| (0..*slots).map(move |turn| (turn, host));
    let mut round: Vec<(usize, usize)> = slots.iter().enumerate().flat_map(of).collect();
    if !is_blocked {
        round.sort_unstable();
    }
    round.into_iter().map(|(_, host)| host).collect()
}

/// Writes the names of the hosts in the order of one round.
impl fmt::Display for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (turn, place) in self.round.iter().enumerate() {
            let comma = if turn == 0 { "" } else { ", " };
            write!(f, "{comma}{}", self.hosts[*place].name)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hosts({self})")
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_round_deals_out_the_slots_or_fills_host_by_host() {
        assert_eq!(round(&[2, 1, 3], false), [0, 1, 2, 0, 2, 2]);
        assert_eq!(round(&[2, 1, 3], true), [0, 0, 1, 2, 2, 2]);
        assert!(round(&[], true).is_empty());
    }

    #[test]
    fn turns_go_on_where_the_last_ones_have_ended() {
        let hosts = Hosts::command(["a"]).and(&Hosts::command(["b"])).and(&Hosts::command(["c"]));
        let name = |turn| hosts.host(turn).expect("a host").name.clone();
        let first = hosts.take_turns(2);
        assert_eq!([name(first), name(first + 1)], ["a", "b"]);
        assert_eq!(name(hosts.clone().take_turns(1)), "c");
        assert_eq!(name(hosts.take_turns(1)), "a");
    }

    #[test]
    fn changed_hosts_are_others() {
        let hosts = Hosts::command(["env"]);
        let number = |hosts: &Hosts| hosts.host(0).expect("a host").number;
        assert_eq!(number(&hosts), number(&hosts.clone()));
        for changed in [hosts.env("A", "b"), hosts.named("x"), hosts.slots(2), hosts.blocked()] {
            assert_ne!(number(&changed), number(&hosts));
        }
    }
}
