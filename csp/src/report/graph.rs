//! A network as a graph: processes, the things that they wait for, and the processes that hold
//! those.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::deadlock::Deadlock;
use super::network::{ChannelState, Network, Operation, ProcessState, State, Thing};

pub(super) struct Graph<'a> {
    processes: &'a [ProcessState],
    things: Vec<&'a Thing>,
}

/// An arrow, with its direction.
struct Edge<'a> {
    process: usize,
    thing: usize,
    label: &'a str,
    /// From the process to the thing.
    out: bool,
    /// It shows a process that could end the wait.
    holds: bool,
}

impl<'a> Graph<'a> {
    pub(super) fn of(processes: &'a [ProcessState], channels: &'a [ChannelState]) -> Self {
        let wants = processes.iter().flat_map(ProcessState::wants);
        let wanted = wants.filter_map(|want| want.object.as_ref());
        let mut things: Vec<_> = wanted.chain(channels.iter().map(|channel| &channel.0)).collect();
        things.sort_by_key(|thing| thing.address);
        things.dedup_by_key(|thing| thing.address);
        Self { processes, things }
    }

    fn edges(&self) -> Vec<Edge<'a>> {
        let mut edges = Vec::new();
        // One edge for each thing that a process waits for.
        for (process, state) in self.processes.iter().enumerate() {
            for want in state.wants() {
                let Some(object) = &want.object else { continue };
                let Some(thing) = self.number(object) else { continue };
                let (label, out) = match want.operation {
                    Operation::Read | Operation::Handover => ("reads", false),
                    Operation::Write | Operation::Release => ("writes", true),
                    Operation::Retirement => ("waits for retirement", false),
                    Operation::Sync => ("synchronises", true),
                    Operation::Join | Operation::JoinAll => ("joins", true),
                    _ => ("waits", true),
                };
                edges.push(Edge { process, thing, label, out, holds: false });
            }
        }
        // One edge for each end that a process holds.
        for (thing, object) in self.things.iter().enumerate() {
            let mut holders = object.holders.clone();
            holders.sort();
            holders.dedup();
            for holder in holders.iter().filter(|holder| holder.what != "handle") {
                let found =
                    self.processes.iter().position(|process| process.who == Some(holder.who));
                let Some(process) = found else { continue };
                edges.push(Edge {
                    process,
                    thing,
                    label: holder.what,
                    out: holder.what != "reader",
                    holds: true,
                });
            }
        }
        edges
    }

    fn number(&self, thing: &Thing) -> Option<usize> {
        self.things.binary_search_by_key(&thing.address, |thing| thing.address).ok()
    }

    /// Returns the processes with their numbers, those of one scheduler together.
    fn by_scheduler(&self) -> BTreeMap<Option<usize>, Vec<(usize, &'a ProcessState)>> {
        let mut groups: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (number, process) in self.processes.iter().enumerate() {
            groups.entry(process.scheduler).or_default().push((number, process));
        }
        groups
    }

    pub(super) fn dot(&self) -> String {
        let mut dot = String::from("digraph network {\n    rankdir=LR;\n");
        for (scheduler, processes) in self.by_scheduler() {
            if let Some(number) = scheduler {
                let frame = format!("subgraph cluster_{number} {{ label=\"scheduler {number}\";");
                let _ = writeln!(dot, "    {frame}");
            }
            for (number, process) in processes {
                let blocked = matches!(process.state, State::Blocked(_));
                let color = if blocked { "red" } else { "black" };
                let label = escaped(&process.path);
                let _ =
                    writeln!(dot, "    p{number} [shape=box, color={color}, label=\"{label}\"];");
            }
            dot += if scheduler.is_some() { "    }\n" } else { "" };
        }
        for (number, thing) in self.things.iter().enumerate() {
            let label = escaped(&thing.short());
            let _ = writeln!(dot, "    t{number} [shape=ellipse, label=\"{label}\"];");
        }
        for Edge { process, thing, label, out, holds } in self.edges() {
            let style = if holds { ", style=dashed" } else { "" };
            let _ = match out {
                true => writeln!(dot, "    p{process} -> t{thing} [label=\"{label}\"{style}];"),
                false => writeln!(dot, "    t{thing} -> p{process} [label=\"{label}\"{style}];"),
            };
        }
        dot + "}\n"
    }

    pub(super) fn mermaid(&self) -> String {
        let mut mermaid = String::from("flowchart LR\n");
        for (scheduler, processes) in self.by_scheduler() {
            if let Some(number) = scheduler {
                let _ = writeln!(mermaid, "    subgraph s{number}[\"scheduler {number}\"]");
            }
            for (number, process) in processes {
                let label = process.path.replace('"', "'");
                let _ = writeln!(mermaid, "    p{number}[\"{label}\"]");
            }
            mermaid += if scheduler.is_some() { "    end\n" } else { "" };
        }
        for (number, thing) in self.things.iter().enumerate() {
            let _ = writeln!(mermaid, "    t{number}([\"{}\"])", thing.short().replace('"', "'"));
        }
        for Edge { process, thing, label, out, holds } in self.edges() {
            let arrow = if holds { "-.->" } else { "-->" };
            let _ = match out {
                true => writeln!(mermaid, "    p{process} {arrow}|{label}| t{thing}"),
                false => writeln!(mermaid, "    t{thing} {arrow}|{label}| p{process}"),
            };
        }
        mermaid
    }
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"")
}

impl Deadlock {
    /// Returns the graph of waits and holders in the language of Graphviz.
    pub fn dot(&self) -> String {
        Graph::of(&self.blocked, &[]).dot()
    }

    /// Returns the same graph in the language of Mermaid.
    pub fn mermaid(&self) -> String {
        Graph::of(&self.blocked, &[]).mermaid()
    }
}

impl Network {
    /// Returns the network as a graph in the language of Graphviz. Processes are in boxes, the
    /// blocked ones red. Channels and the other things that they wait for stand in between. Dashed
    /// lines connect each end with its holder. A frame is around the processes of each scheduler, if there are several.
    pub fn dot(&self) -> String {
        Graph::of(&self.processes, &self.channels).dot()
    }

    /// Returns the same graph in the language of Mermaid.
    pub fn mermaid(&self) -> String {
        Graph::of(&self.processes, &self.channels).mermaid()
    }
}
