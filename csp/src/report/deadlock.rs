//! Why a network, or a part of it, can't go on.

use std::fmt::{self, Write as _};
use std::io::{IsTerminal, Write as _};

use super::graph::Graph;
use super::network::{Network, ProcessState};
use super::text::{Style, paragraph};
use super::value::Value;

/// Processes that wait for one another, and for nobody else: none of them would ever go on.
///
/// `Display` gives the whole report, in 80 columns; [`summary`](Self::summary) one line of it; [`dot`](Self::dot) and
/// [`mermaid`](Self::mermaid) the graph of who waits for what, and who holds it; [`json`](Self::json) all of it for other programs.
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
#[derive(Clone)]
pub struct Deadlock {
    summary: String,
    pub(crate) blocked: Vec<ProcessState>,
    pub(crate) cycle: Vec<Link>,
    pub(crate) others: Network,
    /// Those that wait in other OS processes: path, and what there is to say.
    elsewhere: Vec<(String, String)>,
    /// It was found in another OS process, which has told this much.
    told: Option<Told>,
}

/// A deadlock in words.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) summary: String,
    pub(crate) first: String,
    pub(crate) paths: Vec<String>,
    pub(crate) text: String,
    pub(crate) total: bool,
}

/// One step of a cycle: who waits, and at what for the next.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) path: String,
    pub(crate) at: String,
}

/// Processes of a report that are named one by one.
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

    /// At least one is blocked.
    pub(crate) fn new(blocked: Vec<ProcessState>, cycle: Vec<Link>, others: Network) -> Self {
        Self { blocked, cycle, others, ..Self::empty() }.summed_up()
    }

    /// Of all processes, in several OS processes. At least one is blocked, here or elsewhere.
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

    /// Paths of all that wait for one another, in whatever OS process.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        let elsewhere = self.elsewhere.iter().map(|(path, _)| &**path);
        let told = self.told.iter().flat_map(|told| told.paths.iter().map(|path| &**path));
        self.blocked.iter().map(ProcessState::path).chain(elsewhere).chain(told)
    }

    /// One that another OS process has told of.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn told(told: Told) -> Self {
        Self { summary: told.summary.clone(), told: Some(told), ..Self::empty() }
    }

    /// What another OS process needs to tell of it.
    #[allow(dead_code, reason = "for a backend that may not be compiled in")]
    pub(crate) fn tell(&self) -> Told {
        self.told.clone().unwrap_or_else(|| Told {
            summary: self.summary.clone(),
            first: self.first().to_owned(),
            paths: self.paths().map(str::to_owned).collect(),
            text: self.to_string(),
            total: self.is_total(),
        })
    }

    /// Those that wait for one another, by path, and are in this OS process. What is known of others, in an OS process of their
    /// own, is text: it is in [`json`](Self::json), and in what `Display` gives.
    pub fn blocked(&self) -> &[ProcessState] {
        &self.blocked
    }

    /// Who waits for whom, around: paths, each waiting for the next, and the last for the first. Empty where it is not
    /// known who holds the ends.
    pub fn cycle(&self) -> impl Iterator<Item = &str> {
        self.cycle.iter().map(|link| &*link.path)
    }

    /// All other processes that there were.
    pub fn others(&self) -> &Network {
        &self.others
    }

    /// Whether nobody was left who could go on.
    pub fn is_total(&self) -> bool {
        self.told.as_ref().map_or(self.others.processes.is_empty(), |told| told.total)
    }

    /// The report in one line.
    pub fn summary(&self) -> &str {
        &self.summary
    }

    /// Path of the first that was in it.
    pub(crate) fn first(&self) -> &str {
        if let Some(told) = &self.told {
            return &told.first;
        }
        let cycle = self.cycle.first().map(|link| &*link.path);
        cycle.or_else(|| self.paths().next()).unwrap_or_default()
    }

    /// The graph of who waits for what, and who holds it, in the language of Graphviz.
    pub fn dot(&self) -> String {
        Graph::of(&self.blocked, &[]).dot()
    }

    /// The same graph in the language of Mermaid.
    pub fn mermaid(&self) -> String {
        Graph::of(&self.blocked, &[]).mermaid()
    }

    /// The report in one line of JSON: `{"summary": …, "blocked": [{"path": …, "wants": […]}], "cycle": […], "others": […]}`;
    /// if some are in other OS processes also `"elsewhere": [{"path": …, "text": …}]`.
    pub fn json(&self) -> String {
        Value::from(self).to_string()
    }

    /// Of those in other OS processes: path, and what there is to say.
    pub(crate) fn elsewhere(&self) -> &[(String, String)] {
        &self.elsewhere
    }

    /// The cycle in one line, the paths without so many bytes at their beginning.
    fn around(&self, without: usize) -> String {
        let mut around = String::new();
        for link in &self.cycle {
            let _ = write!(around, "{} → {} → ", &link.path[without..], link.at);
        }
        around + self.cycle.first().map_or("", |first| &first.path[without..])
    }

    /// The parent of all that are in the cycle, if they have the same.
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
        if !self.cycle.is_empty() {
            let text = match self.parent() {
                Some(parent) => format!("cycle, below {parent}: {}", self.around(parent.len() + 1)),
                None => format!("cycle: {}", self.around(0)),
            };
            paragraph(f, 2, &text, "cycle".len(), style)?;
        }
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

    /// For standard error: coloured if that is a terminal.
    pub(crate) fn shout(&self) {
        let mut text = String::from("csp: ");
        let style = if is_for_terminal() { Style::COLOURED } else { Style::PLAIN };
        let _ = self.write(&mut text, style);
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Whether standard error is read by somebody who sees colours.
fn is_for_terminal() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
}

fn counted(processes: usize) -> String {
    match processes {
        1 => "one process".to_owned(),
        n => format!("{n} processes"),
    }
}

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
