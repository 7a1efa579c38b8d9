//! The reason why a network, or a part of it, can't go on.

use std::fmt::{self, Write as _};
use std::hash::{Hash, Hasher};
use std::io::IsTerminal;

use super::network::{Network, ProcessState};
use super::text::{Style, paragraph};

/// Processes that wait for one another, and for no other process. None of them would ever go on.
///
/// `Display` gives the whole report, in 80 columns, and [`summary`](Self::summary) one line of it.
/// [`dot`](Self::dot) and [`mermaid`](Self::mermaid) give the graph of waits and holders.
/// [`json`](Self::json) gives everything for other programs.
///
/// ```
/// use csp::{Channel, Reader, Writer, process, try_parallel};
///
/// /// Two of these that face each other both read before they write.
/// #[process]
/// fn polite(from_other: Reader<u32>, to_other: Writer<u32>) -> csp::Result {
///     to_other.write(from_other.read()? + 1)?;
///     Ok(())
/// }
///
/// let (there, back) = (Channel::new(), Channel::new());
/// let alice = polite(there.reader(), back.writer()).named("alice");
/// let bob = polite(back.reader(), there.writer()).named("bob");
/// drop((there, back));
/// let failure = try_parallel!(alice, bob).unwrap_err();
/// let deadlock = failure.deadlock().expect("they wait for each other");
/// assert_eq!(deadlock.cycle().count(), 2);
/// assert!(deadlock.blocked().iter().any(|process| process.path().ends_with("/alice")));
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Deadlock {
    summary: String,
    pub(crate) blocked: Vec<ProcessState>,
    pub(crate) cycle: Vec<Link>,
    pub(crate) others: Network,
    /// Processes that wait in other OS processes: path, and the text about each.
    elsewhere: Vec<(String, String)>,
    /// Set if another OS process found the deadlock: its report in words.
    told: Option<Told>,
}

/// A deadlock in words.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) summary: String,
    pub(crate) first: String,
    pub(crate) paths: Vec<String>,
    pub(crate) text: String,
    pub(crate) total: bool,
}

/// One step of a cycle: a process, and the object at which it waits for the next process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) path: String,
    pub(crate) at: String,
}

/// The number of processes that a report names one by one.
const SHOWN: usize = 40;

impl Deadlock {
    fn empty() -> Self {
        Self {
            summary: String::new(),
            blocked: Vec::new(),
            cycle: Vec::new(),
            others: Network::default(),
            elsewhere: Vec::new(),
            told: None,
        }
    }

    /// Makes a report. At least one process is blocked.
    pub(crate) fn new(blocked: Vec<ProcessState>, cycle: Vec<Link>, others: Network) -> Self {
        Self { blocked, cycle, others, ..Self::empty() }.summed_up()
    }

    /// Makes a report of all processes, in several OS processes. At least one is blocked, here or
    /// elsewhere.
    pub(crate) fn everywhere(blocked: Vec<ProcessState>, elsewhere: Vec<(String, String)>) -> Self {
        Self { blocked, elsewhere, ..Self::empty() }.summed_up()
    }

    fn summed_up(mut self) -> Self {
        let count = counted(self.count());
        self.summary = if self.cycle.is_empty() {
            let more = if self.count() > 4 { ", …" } else { "" };
            format!(
                "deadlock of {count}: {}{more}",
                self.paths().take(4).collect::<Vec<_>>().join(", ")
            )
        } else {
            format!("deadlock of {count}: {}", self.around(0))
        };
        self
    }

    fn count(&self) -> usize {
        self.blocked.len() + self.elsewhere.len()
    }

    /// Returns the paths of all processes that wait for one another, in whatever OS process.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let elsewhere = self.elsewhere.iter().map(|(path, _)| &**path);
        let told = self.told.iter().flat_map(|told| told.paths.iter().map(|path| &**path));
        self.blocked.iter().map(ProcessState::path).chain(elsewhere).chain(told)
    }

    /// Makes a report that another OS process has sent in words.
    pub(crate) fn told(told: Told) -> Self {
        Self { summary: told.summary.clone(), told: Some(told), ..Self::empty() }
    }

    /// Returns the report in words, for another OS process.
    pub(crate) fn tell(&self) -> Told {
        self.told.clone().unwrap_or_else(|| Told {
            summary: self.summary.clone(),
            first: self.first().to_owned(),
            paths: self.paths().map(str::to_owned).collect(),
            text: self.to_string(),
            total: self.is_total(),
        })
    }

    /// Returns the processes that wait for one another, by path, and are in this OS process. The
    /// report on those in other OS processes is text: [`json`](Self::json) and `Display` give it.
    pub fn blocked(&self) -> &[ProcessState] {
        &self.blocked
    }

    /// Returns the cycle: paths of processes, each waiting for the next, and the last for the
    /// first. It is empty if the holders of the ends are not known.
    pub fn cycle(&self) -> impl Iterator<Item = &str> {
        self.cycle.iter().map(|link| &*link.path)
    }

    /// Returns all other processes that existed.
    pub fn others(&self) -> &Network {
        &self.others
    }

    /// Returns whether no process was left that could go on.
    pub fn is_total(&self) -> bool {
        self.told.as_ref().map_or(self.others.processes.is_empty(), |told| told.total)
    }

    /// Returns the report in one line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Returns the path of the first process in it.
    pub(crate) fn first(&self) -> &str {
        if let Some(told) = &self.told {
            return &told.first;
        }
        let cycle = self.cycle.first().map(|link| &*link.path);
        cycle.or_else(|| self.paths().next()).unwrap_or_default()
    }

    /// Returns the processes in other OS processes: path, and the text about each.
    pub(crate) fn elsewhere(&self) -> &[(String, String)] {
        &self.elsewhere
    }

    /// Returns the cycle in one line. `without` bytes at the beginning of each path are left out.
    fn around(&self, without: usize) -> String {
        let mut around = String::new();
        for link in &self.cycle {
            let _ = write!(around, "{} → {} → ", &link.path[without..], link.at);
        }
        around + self.cycle.first().map_or("", |first| &first.path[without..])
    }

    /// Returns the parent of all processes in the cycle, if they have the same.
    fn parent(&self) -> Option<&str> {
        let parent = |link: &'_ Link| link.path.rfind('/');
        let first = &self.cycle.first()?.path[..parent(self.cycle.first()?)?];
        let same = |link: &Link| parent(link).is_some_and(|end| &link.path[..end] == first);
        self.cycle.iter().all(same).then_some(first)
    }

    fn write(&self, f: &mut dyn fmt::Write, style: Style) -> fmt::Result {
        if let Some(told) = &self.told {
            return f.write_str(&told.text);
        }
        // The blocked processes, here and elsewhere.
        let Style { alarm, off, .. } = style;
        let wait = match self.count() {
            1 => "waits for itself, and nobody else can wake it",
            _ => "wait for one another, and nobody else can wake them",
        };
        writeln!(f, "{alarm}deadlock{off}: {} {wait}", counted(self.count()))?;
        let shown = self.blocked.iter().take(SHOWN);
        shown.into_iter().try_for_each(|process| process.write(f, 2, style))?;
        let more = SHOWN.saturating_sub(self.blocked.len());
        self.elsewhere.iter().take(more).try_for_each(|(_, text)| f.write_str(text))?;
        if self.count() > SHOWN {
            writeln!(f, "  and {} more", self.count() - SHOWN)?;
        }
        // The cycle.
        if !self.cycle.is_empty() {
            let text = match self.parent() {
                Some(parent) => format!("cycle, below {parent}: {}", self.around(parent.len() + 1)),
                None => format!("cycle: {}", self.around(0)),
            };
            paragraph(f, 2, &text, "cycle".len(), style)?;
        }
        // The other processes.
        if !self.is_total() {
            let others = self.others.processes.len();
            let go = if others == 1 { "goes" } else { "go" };
            let text = format!("others: {} {go} on", counted(others));
            paragraph(f, 2, &text, "others".len(), style)?;
            for process in self.others.processes.iter().take(10) {
                paragraph(f, 4, &process.line(), 0, style)?;
            }
            if others > 10 {
                writeln!(f, "    and {} more", others - 10)?;
            }
        }
        Ok(())
    }

    /// Returns the report for standard error: coloured if that is a terminal.
    pub(crate) fn aloud(&self) -> String {
        let mut text = String::from("csp: ");
        let style = if is_for_terminal() { Style::COLOURED } else { Style::PLAIN };
        let _ = self.write(&mut text, style);
        text
    }
}

/// Returns whether standard error is a terminal that shows colours.
fn is_for_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

fn counted(processes: usize) -> String {
    match processes {
        1 => "one process".to_owned(),
        n => format!("{n} processes"),
    }
}

impl Hash for Deadlock {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.summary.hash(state);
    }
}

impl std::error::Error for Deadlock {}

impl fmt::Debug for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Deadlock({})", self.summary)
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, Style::PLAIN)
    }
}
