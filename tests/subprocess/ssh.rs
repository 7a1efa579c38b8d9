//! Hosts that `ssh` reaches. Most tests put a shell in the place of `ssh`: it runs the line for the remote shell here. The others
//! have a real `sshd` of their own, with its own keys, which the configuration of `ssh` starts. They skip, and say so, if there is none.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use csp::{Cause, Channel, Hosts, multiprocess, parallel, spawn, try_parallel};
use rustix::process::Signal;

use super::killed::signal;
use super::lost::{stays, waits_until_gone};
use super::{here, tests};

/// The home of a user there, which ends with the test.
struct Home(PathBuf);

impl Home {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("csp-home-{}-{}", here(), NEXT.fetch_add(1, Ordering::Relaxed));
        let home = std::env::temp_dir().join(name);
        fs::create_dir(&home).expect("a folder");
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).expect("ours");
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// Returns the names in the folder of executables.
    fn kept(&self) -> Vec<String> {
        let folder = fs::read_dir(self.path(".cache/csp")).expect("a folder");
        let name = |entry: fs::DirEntry| entry.file_name().into_string().expect("text");
        let mut names: Vec<String> = folder.map(|entry| name(entry.expect("an entry"))).collect();
        names.sort();
        names
    }

    fn only_copy(&self) -> PathBuf {
        let kept = self.kept();
        assert_eq!(kept.len(), 1, "{kept:?}");
        self.path(".cache/csp").join(&kept[0])
    }

    /// Makes the folder of executables.
    fn make_folder(&self) -> PathBuf {
        fs::create_dir(self.path(".cache")).expect("a folder");
        let folder = self.path(".cache/csp");
        fs::create_dir(&folder).expect("a folder");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).expect("ours");
        folder
    }

    /// Returns a host with this home. A shell is `ssh`. It runs `before`, and then the line with the words of `with` ahead of it.
    fn host_with(&self, before: &str, with: &str) -> Hosts {
        let home = format!("HOME={}", self.0.display());
        let shell = format!("for last; do :; done; {before}; {with} sh -c \"$last\"");
        Hosts::ssh(["node"]).ssh_command(["env", &home, "sh", "-c", &shell, "ssh"])
    }

    fn host(&self) -> Hosts {
        self.host_with(":", "exec")
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[multiprocess]
fn executable() -> (u32, PathBuf) {
    // `/proc/self/exe` is the file that the host process runs.
    (here(), fs::read_link("/proc/self/exe").expect("an executable"))
}

#[multiprocess]
fn mask() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").expect("the system's");
    status.lines().find_map(|line| line.strip_prefix("Umask:")).map(|mask| mask.trim().to_owned())
}

fn runs_from(hosts: &Hosts) -> PathBuf {
    let ((process, path),) = parallel!(executable().at(hosts));
    assert_ne!(process, here());
    path
}

/// Returns why no process can run there.
fn refusal(hosts: &Hosts) -> String {
    let failure = try_parallel!(executable().at(hosts)).unwrap_err();
    assert!(matches!(failure.cause(), Cause::Unstarted { .. }), "{failure}");
    failure.message().to_owned()
}

/// Gives the file a second name, so that no other file gets its number.
fn keep(home: &Home, copy: &Path) {
    fs::hard_link(copy, home.path("kept")).expect("ours");
}

fn inode(path: &Path) -> u64 {
    fs::symlink_metadata(path).expect("a file").ino()
}

tests! {
    fn the_executable_is_copied_once() {
        let home = Home::new();
        let first = runs_from(&home.host());
        let copy = home.only_copy();
        assert_eq!(first, copy);
        keep(&home, &copy);
        assert_eq!(fs::metadata(&copy).expect("a file").mode() & 0o7777, 0o700);
        let before = inode(&copy);
        assert_eq!(runs_from(&home.host()), copy);
        assert_eq!(inode(&home.only_copy()), before, "it is not copied again");
    }

    fn a_damaged_copy_is_never_run() {
        let home = Home::new();
        runs_from(&home.host());
        let copy = home.only_copy();
        let whole = fs::read(&copy).expect("a file");
        let mut bytes = whole.clone();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        // The first one may still be at work there, so this is a file of its own.
        fs::remove_file(&copy).expect("a file");
        fs::write(&copy, bytes).expect("room");
        fs::set_permissions(&copy, fs::Permissions::from_mode(0o700)).expect("ours");
        assert_eq!(runs_from(&home.host()), copy);
        assert!(fs::read(home.only_copy()).expect("a file") == whole);
    }

    fn a_link_in_the_place_of_the_copy_is_replaced() {
        let home = Home::new();
        runs_from(&home.host());
        let (copy, other) = (home.only_copy(), home.path("other"));
        fs::rename(&copy, &other).expect("ours");
        symlink(&other, &copy).expect("ours");
        assert_eq!(runs_from(&home.host()), copy);
        assert!(!fs::symlink_metadata(&copy).expect("a file").is_symlink());
    }

    fn a_folder_that_others_could_have_made_is_refused() {
        // A link.
        let home = Home::new();
        let real = home.path("real");
        fs::rename(home.make_folder(), &real).expect("ours");
        symlink(&real, home.path(".cache/csp")).expect("ours");
        let message = refusal(&home.host());
        assert!(message.contains("and not a link"), "{message}");
        assert_eq!(fs::read_dir(&real).expect("a folder").count(), 0);
        // A mode that lets others in.
        for mode in [0o755, 0o770, 0o701] {
            let home = Home::new();
            fs::set_permissions(home.make_folder(), fs::Permissions::from_mode(mode)).expect("ours");
            let message = refusal(&home.host());
            assert!(message.contains("with mode 0700"), "{message}");
        }
        // A file.
        let home = Home::new();
        home.write(".cache/csp", "");
        assert!(refusal(&home.host()).contains("must be a folder"));
    }

    fn the_oldest_copies_beyond_four_are_removed() {
        let home = Home::new();
        home.make_folder();
        for (age, name) in ["d", "a", "c", "b"].into_iter().enumerate() {
            let path = home.write(&format!(".cache/csp/{}", name.repeat(64)), "");
            let then = SystemTime::now() - Duration::from_secs(1000 * (age as u64 + 1));
            fs::File::open(path).and_then(|file| file.set_modified(then)).expect("ours");
        }
        home.write(".cache/csp/notes", "of the user");
        let copy = runs_from(&home.host());
        let copy = copy.file_name().and_then(|name| name.to_str()).expect("text").to_owned();
        let mut kept = vec![copy, "d".repeat(64), "a".repeat(64), "c".repeat(64), "notes".to_owned()];
        kept.sort();
        assert_eq!(home.kept(), kept, "`b` was the oldest");
    }

    fn a_copy_that_does_not_come_whole_leaves_nothing() {
        let home = Home::new();
        home.make_folder();
        let message = refusal(&home.host_with("exec 3<&0", "head -c 100000 <&3 |"));
        assert!(message.contains("has not come whole"), "{message}");
        assert!(home.kept().is_empty(), "{:?}", home.kept());
    }

    fn words_of_the_shell_come_ahead_of_a_copy() {
        let home = Home::new();
        let path = runs_from(&home.host_with("echo Welcome", "exec"));
        assert_eq!(path, home.only_copy());
        fs::set_permissions(home.path(".cache/csp"), fs::Permissions::from_mode(0o777)).expect("ours");
        let message = refusal(&home.host_with("echo Welcome", "exec"));
        assert!(message.contains("it wrote: Welcome"), "{message}");
    }

    fn another_kind_of_machine_is_refused() {
        let home = Home::new();
        let uname = home.write("bin/uname", "#!/bin/sh\necho pdp11\n");
        fs::set_permissions(&uname, fs::Permissions::from_mode(0o755)).expect("ours");
        let path = format!("PATH={}:$PATH; export PATH", uname.parent().expect("one").display());
        let message = refusal(&home.host_with(&path, "exec"));
        assert!(message.contains("and this host is pdp11"), "{message}");
        assert!(!home.path(".cache").exists());
    }

    fn files_of_the_processes_have_the_usual_mode() {
        let home = Home::new();
        let (told,) = parallel!(mask().at(&home.host_with("umask 027", "exec")));
        assert_eq!(told.as_deref(), Some("0027"));
    }

    fn a_host_is_no_option() {
        let home = Home::new();
        let marker = home.path("marker");
        for host in ["-oProxyCommand=touch MARKER", "-MARKER", "me@-MARKER", ""] {
            let host = host.replace("MARKER", &marker.to_string_lossy());
            let message = refusal(&Hosts::ssh([host]));
            assert!(message.contains("the name of a host can't"), "{message}");
        }
        assert!(!marker.exists());
    }

    fn a_real_ssh_copies_and_starts() {
        let Some(server) = Server::new() else { return };
        let hosts = server.hosts("good").and(&server.hosts("good")).env("ANSWER", "42");
        // Both start at once, and one of them may find the copy of the other.
        let (paths,) = parallel!(2 * executable().at(&hosts));
        let copy = server.home.only_copy();
        let is_copy = |path: &PathBuf| path.to_string_lossy().starts_with(&*copy.to_string_lossy());
        assert!(paths.iter().all(|(_, path)| is_copy(path)), "{paths:?}");
        keep(&server.home, &copy);
        let before = inode(&copy);
        assert_eq!(runs_from(&server.hosts("good")), copy);
        assert_eq!(inode(&server.home.only_copy()), before);
    }

    fn a_real_shell_may_print_at_its_start() {
        let Some(server) = Server::new() else { return };
        // The shell of a user reads one of these, if it is a usual one.
        for file in [".bashrc", ".zshenv", ".cshrc"] {
            server.home.write(file, "echo 'Welcome to the cluster'\n");
        }
        assert_eq!(runs_from(&server.hosts("good")), server.home.only_copy());
    }

    fn a_real_ssh_that_is_killed_is_told_and_ends_all() {
        let Some(server) = Server::new() else { return };
        let (file, config) = (server.home.path("ssh.pid"), server.config.to_string_lossy());
        let shell = r#"echo $$ >"$0"; exec ssh "$@""#;
        let command = ["sh", "-c", shell, &*file.to_string_lossy(), "-F", &config];
        let hosts = Hosts::ssh(["good"]).ssh_command(command);
        let (told, never) = (Channel::new(), Channel::new());
        let staying = spawn(stays(told.writer(), never.reader()).at(&hosts));
        let (worker, host_process) = told.reader().read().expect("it begins");
        let ssh = fs::read_to_string(&file).expect("it runs").trim().parse().expect("a number");
        signal(ssh, Signal::KILL);
        let failure = staying.try_join().unwrap_err();
        assert!(failure.message().contains("its host `good` is lost"), "{failure}");
        assert!(failure.message().contains("signal: 9"), "{failure}");
        waits_until_gone(&[ssh, worker, host_process]);
    }

    fn a_real_ssh_that_fails_is_told() {
        let Some(server) = Server::new() else { return };
        for (host, words) in [
            ("nowhere.invalid", "nowhere.invalid"),
            ("other_host_key", "Host key verification failed"),
            ("other_user_key", "Permission denied"),
        ] {
            let message = refusal(&server.hosts(host));
            assert!(message.starts_with(&format!("the host `{host}` could not be had")), "{message}");
            assert!(message.contains(words), "{message}");
        }
        assert!(!server.home.path(".cache").exists());
    }
}

const SSHD: &str = "/usr/sbin/sshd";

/// A real server. It has no port: `ssh` starts it as its `ProxyCommand`, once for each connection.
struct Server {
    home: Home,
    config: PathBuf,
}

fn key(home: &Home, name: &str) -> PathBuf {
    let path = home.path(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&path)
        .status()
        .expect("a program beside `ssh`");
    assert!(made.success());
    path
}

impl Server {
    fn new() -> Option<Self> {
        let is_there = |program: &str| Command::new(program).arg("-V").output().is_ok();
        if !is_there(SSHD) || !is_there("ssh") {
            assert!(
                std::env::var_os("CSP_NEEDS_SSHD").is_none(),
                "the packages openssh-server and openssh-client are missing"
            );
            eprintln!("SKIPPED: the packages openssh-server and openssh-client are missing");
            return None;
        }
        if rustix::process::geteuid().is_root() {
            // It gives up its rights there.
            fs::create_dir_all("/run/sshd").expect("root's");
        }
        let home = Home::new();
        let (host, other_host) = (key(&home, "host"), key(&home, "other_host"));
        let (user, other_user) = (key(&home, "user"), key(&home, "other_user"));
        let public = |key: &Path| fs::read_to_string(key.with_extension("pub")).expect("a key");
        let authorized = home.write("authorized", public(&user));
        let known = home.write("known", format!("good {}", public(&host)));
        let known_otherwise =
            home.write("known_otherwise", format!("good {}", public(&other_host)));
        let sshd = home.write(
            "sshd_config",
            format!(
                "HostKey {}\nAuthorizedKeysFile {}\nSetEnv HOME={}\nStrictModes no\nUsePAM no\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\nLogLevel QUIET\n",
                host.display(),
                authorized.display(),
                home.0.display(),
            ),
        );
        let name = Command::new("id").arg("-un").output().expect("a user").stdout;
        let one = |name: &str, known: &Path, user: &Path| {
            format!(
                "Host {name}\nProxyCommand {SSHD} -i -f {}\nUserKnownHostsFile {}\nIdentityFile {}\n",
                sshd.display(),
                known.display(),
                user.display()
            )
        };
        let config = home.write(
            "ssh_config",
            [
                one("good", &known, &user),
                one("other_host_key", &known_otherwise, &user),
                one("other_user_key", &known, &other_user),
                format!(
                    "Host *\nUser {}\nHostKeyAlias good\nIdentitiesOnly yes\nIdentityAgent none\n\
                     GlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\n",
                    String::from_utf8_lossy(&name).trim()
                ),
            ]
            .concat(),
        );
        Some(Self { home, config })
    }

    fn hosts(&self, name: &str) -> Hosts {
        let config = self.config.to_string_lossy();
        Hosts::ssh([name]).ssh_command(["ssh", "-F", &config])
    }
}
