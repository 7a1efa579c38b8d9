//! The words in which a report tells of processes, channels and what they wait for.

use std::fmt;

use super::network::{ChannelState, Fill, Network, Operation, ProcessState, State, Thing, Wanted};
use super::text::{Style, paragraph};

impl Thing {
    pub(crate) fn short(&self) -> String {
        match &self.name {
            Some(name) => format!("`{name}`"),
            None => format!("{} {}", self.kind, self.birth),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read from",
            Self::Write => "write to",
            Self::Handover => "read (its writer makes the value) from",
            Self::Release => "write (its reader has the value) to",
            Self::Retirement => "retirement of",
            Self::Sync => "synchronise at",
            Self::FallIn => "wait in",
            Self::Join => "join",
            Self::JoinAll => "join",
            Self::Io => "the end of a blocking call",
            Self::Compute => "the end of a computation",
            Self::Receive => "reading from",
            Self::Transmit => "writing to",
            Self::Accept => "accepting at",
            Self::Connect => "connecting to",
            Self::Timeout => "timeout",
            Self::Skip => "skip",
            Self::Await => "await a future",
        })
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`, {} of {}", self.kind, self.birth)?,
            None => write!(f, "{} of {}", self.kind, self.birth)?,
        }
        match self.fill {
            Some(Fill { capacity, values, .. }) if capacity > 0 => {
                write!(f, ", {values} of {capacity} buffered")
            }
            _ => Ok(()),
        }
    }
}

/// The number of holders of one thing that are named.
const SHOWN: usize = 4;

impl Wanted {
    fn write(&self, f: &mut dyn fmt::Write, indent: usize) -> fmt::Result {
        let Some(thing) = &self.object else {
            return paragraph(f, indent, &self.operation.to_string(), 0, Style::PLAIN);
        };
        if self.operation.is_of_descriptor() {
            let name = thing.name.as_deref().unwrap_or_default();
            return paragraph(f, indent, &format!("{} {name}", self.operation), 0, Style::PLAIN);
        }
        paragraph(f, indent, &format!("{} {thing}", self.operation), 0, Style::PLAIN)?;
        let mut line = |text: String| paragraph(f, indent + 4, &text, 0, Style::PLAIN);
        // The known holders.
        let others = self.others();
        let what = match self.operation {
            Operation::Sync => "enrolled",
            Operation::Write | Operation::Release => "its reader",
            _ => "its writer",
        };
        // A line that says "one more" takes as much room as the name of that one.
        let shown = if others.len() == SHOWN + 1 { SHOWN + 1 } else { SHOWN };
        for holder in others.iter().take(shown) {
            let known = if holder.sure { "" } else { ", when last heard of" };
            line(format!("{what}: {}{known}", holder.path))?;
        }
        if others.len() > shown {
            line(format!("{what}: {} more", others.len() - shown))?;
        }
        // The number of others.
        let Some(fill) = thing.fill else { return Ok(()) };
        let there = match self.operation {
            Operation::Read => fill.writers,
            Operation::Write => fill.readers,
            _ => return Ok(()),
        };
        if fill.away {
            return line(format!("{what}: not known, because other OS processes have ends of it"));
        }
        match there.saturating_sub(others.len()) {
            _ if there == 0 => line(format!("{what}: none yet")),
            0 => Ok(()),
            unknown if others.is_empty() => line(format!("{what}: {unknown}, not known where")),
            unknown => line(format!("{what}: {unknown} more, not known where")),
        }
    }
}

impl ProcessState {
    /// Writes the report on this process, from this column on.
    pub(crate) fn write(&self, f: &mut dyn fmt::Write, indent: usize, style: Style) -> fmt::Result {
        let text = self.line();
        paragraph(f, indent, &text, self.path.len(), style)?;
        self.wants().iter().try_for_each(|want| want.write(f, indent + 4))
    }

    /// Returns its path, and what it does.
    pub(crate) fn line(&self) -> String {
        let daemon = if self.daemon { " (daemon)" } else { "" };
        let on = self.scheduler.map_or(String::new(), |number| format!(" on scheduler {number}"));
        let doing = match &self.state {
            State::Running => format!("running{on}"),
            State::Ready => format!("ready to run{on}"),
            State::Unseen => format!("waits{on} while its thread is busy with another"),
            State::Unanswered => "in another OS process, which did not answer".to_owned(),
            State::NotStarted { others: 0 } => format!("not started{on}"),
            State::NotStarted { others } => {
                format!("not started{on}, and neither are {others} after it")
            }
            State::Blocked(wait) => {
                let mut doing = format!("blocked at {}{on}", wait.place);
                if wait.alternation {
                    doing.push_str(", in a choice of");
                }
                if let Some(left) = wait.left {
                    let and = if wait.alternation { " at most" } else { ", for at most" };
                    doing.push_str(&format!("{and} {left:.1?} more"));
                }
                doing
            }
        };
        format!("{}{daemon}: {doing}", self.path)
    }
}

impl ChannelState {
    fn write(&self, f: &mut dyn fmt::Write, indent: usize) -> fmt::Result {
        let Fill { readers, writers, handles, .. } = self.fill();
        let ends = [
            (readers, "reader", "readers"),
            (writers, "writer", "writers"),
            (handles, "handle", "handles"),
        ];
        let there = ends.into_iter().filter(|(count, ..)| *count > 0);
        let ends: Vec<_> = there.map(|(count, one, more)| counted(count, one, more)).collect();
        paragraph(f, indent, &format!("{}: {}", self.0, ends.join(", ")), 0, Style::PLAIN)?;
        if let Some(retirement) = self.retirement() {
            paragraph(f, indent + 4, &format!("retired: {retirement}"), 0, Style::PLAIN)?;
        }
        let named = self.0.holders.iter().filter(|holder| holder.what != "handle");
        let count = named.clone().count();
        for holder in named.take(2 * SHOWN) {
            let known = if holder.sure { "" } else { ", when last heard of" };
            let text = format!("{}: {}{known}", holder.what, holder.path);
            paragraph(f, indent + 4, &text, 0, Style::PLAIN)?;
        }
        match count.saturating_sub(2 * SHOWN) {
            0 => Ok(()),
            more => paragraph(f, indent + 4, &format!("and {more} more"), 0, Style::PLAIN),
        }
    }
}

fn counted(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

/// Drops the end of the last line.
fn without_end(
    f: &mut fmt::Formatter<'_>,
    write: impl FnOnce(&mut String) -> fmt::Result,
) -> fmt::Result {
    let mut text = String::new();
    write(&mut text)?;
    f.write_str(text.trim_end())
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_end(f, |text| self.write(text, 0))
    }
}

impl fmt::Display for ProcessState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_end(f, |text| self.write(text, 0, Style::PLAIN))
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        without_end(f, |text| self.write(text, 0))
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let blocked = self.processes.iter().filter(|p| matches!(p.state, State::Blocked(_)));
        let blocked = blocked.count();
        let processes = counted(self.processes.len(), "process", "processes");
        let channels = counted(self.channels.len(), "channel", "channels");
        writeln!(f, "network: {processes} ({blocked} blocked), {channels}")?;
        self.processes.iter().try_for_each(|process| process.write(f, 0, Style::PLAIN))?;
        if !self.channels.is_empty() {
            writeln!(f, "channels:")?;
        }
        self.channels.iter().try_for_each(|channel| channel.write(f, 0))
    }
}
