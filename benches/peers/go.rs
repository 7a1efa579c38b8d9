//! Go, if it is installed. Its program is built when it is first needed, and does the works on request.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::measure::{Contender, Scene, Work};

/// The name of the contender.
pub const NAME: &str = "Go";

/// The works it can do, and the names that its program uses for them.
const WORKS: &[(&str, &str)] = &[
    ("commstime", "commstime"),
    ("ring of 1,000", "ring"),
    ("select, 10 × 10", "select"),
    ("spawn and join one", "one"),
    ("1,000 that never block", "never"),
    ("1,000 live at once", "live"),
    ("producer–consumer, rendezvous", "rendezvous"),
    ("producer–consumer, 100 buffered", "buffered"),
    ("fan-in of 10", "fan-in"),
];

/// Returns true if `go` is on the path.
pub fn is_here() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("go").is_file())
}

/// Adds Go to the contenders of a work that it can do.
pub(crate) fn joins(mut work: Work) -> Work {
    let known = WORKS.iter().find(|(name, _)| *name == work.name);
    if let Some((_, name)) = known.filter(|_| is_here()) {
        let scene = work.scene;
        work.contenders.push(Contender::new(NAME, move |n| run(scene, name, n)));
    }
    work
}

/// Runs a million goroutines twice. Returns the first time, the peak of memory in KiB, and the second time.
pub(crate) fn million(way: &str) -> Result<(Duration, u64, Duration), String> {
    if !is_here() {
        return Err("go: not found".to_owned());
    }
    let output = program(Scene::OneThread, |command| command.arg(way).output());
    let answer = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<u64> = answer.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    match numbers[..] {
        [first, peak, second] => {
            Ok((Duration::from_nanos(first), peak, Duration::from_nanos(second)))
        }
        _ => Err(output.status.to_string()),
    }
}

/// The running programs: one on one thread, one on all.
static AT_WORK: [Mutex<Option<Peer>>; 2] = [const { Mutex::new(None) }; 2];

struct Peer {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// It ends when its orders end, which is when this program ends.
    _process: Child,
}

fn run(scene: Scene, work: &str, n: u64) -> Duration {
    let mut peer = AT_WORK[scene as usize].lock().expect("nobody panics here");
    let peer = peer.get_or_insert_with(|| {
        let mut process =
            program(scene, |command| command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn());
        let orders = process.stdin.take().expect("it is piped");
        let answers = BufReader::new(process.stdout.take().expect("it is piped"));
        Peer { orders, answers, _process: process }
    });
    writeln!(peer.orders, "{work} {n}").expect("it listens");
    let mut answer = String::new();
    peer.answers.read_line(&mut answer).expect("it answers");
    Duration::from_nanos(answer.trim().parse().expect("it has done it"))
}

/// Starts the program, in the way that suits the scene.
fn program<T>(scene: Scene, start: impl FnOnce(&mut Command) -> std::io::Result<T>) -> T {
    let built = Built::new();
    let mut command = Command::new(built.program());
    if scene == Scene::OneThread {
        command.env("GOMAXPROCS", "1");
    }
    start(&mut command).expect("it starts")
}

/// The program, built in a folder of its own. Dropping this removes the folder. A program that has started does not need it.
#[derive(Debug)]
pub struct Built {
    folder: PathBuf,
}

impl Built {
    /// Builds it.
    ///
    /// # Panics
    /// If Go cannot do that.
    #[expect(clippy::new_without_default, reason = "it takes a second and a folder")]
    pub fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("csp-benches-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("there is room for what is built");
        let built = Self { folder };
        let sources = [
            ("peer.go", include_str!("peer.go")),
            ("cores.go", include_str!("cores.go")),
            ("net.go", include_str!("net.go")),
        ];
        let mut building = Command::new("go");
        building.arg("build").arg("-o").arg(built.program());
        for (name, source) in sources {
            let file = built.folder.join(name);
            std::fs::write(&file, source).expect("there is room for its source");
            building.arg(file);
        }
        let building = building.output().expect("`go` can be run");
        assert!(building.status.success(), "{}", String::from_utf8_lossy(&building.stderr));
        built
    }

    /// Returns the path of the program.
    pub fn program(&self) -> PathBuf {
        self.folder.join("peer").with_extension(std::env::consts::EXE_EXTENSION)
    }
}

impl Drop for Built {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
