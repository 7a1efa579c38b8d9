//! A report as a tree of values, for JSON and for serde.

use std::fmt::{self, Write as _};

use super::deadlock::Deadlock;
use super::network::{
    ChannelState, Fill, HolderName, Network, Operation, ProcessState, State, Thing, Wait, Wanted,
};
use super::place::Place;

/// `Display` gives JSON, in one line.
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Map(Vec<(&'static str, Value)>),
}

impl Value {
    fn list<T: Into<Value>>(values: impl IntoIterator<Item = T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Self::Number(value as u64)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<Place> for Value {
    fn from(place: Place) -> Self {
        Self::Text(place.to_string())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl From<&HolderName> for Value {
    fn from(holder: &HolderName) -> Self {
        Self::Map(vec![
            ("process", holder.path.as_str().into()),
            ("holds", holder.what.into()),
            ("certain", holder.sure.into()),
        ])
    }
}

fn thing(thing: &Thing) -> Vec<(&'static str, Value)> {
    let mut map = vec![
        ("name", Value::from(thing.name.as_deref())),
        ("type", thing.kind.as_str().into()),
        ("birth", thing.birth.into()),
    ];
    if let Some(Fill { capacity, values, readers, writers, handles, .. }) = thing.fill {
        map.extend([
            ("capacity", capacity.into()),
            ("values", values.into()),
            ("readers", readers.into()),
            ("writers", writers.into()),
            ("handles", handles.into()),
        ]);
    }
    map.push(("holders", Value::list(&thing.holders)));
    map
}

impl From<&Wanted> for Value {
    fn from(wanted: &Wanted) -> Self {
        let mut map = vec![("operation", Value::from(wanted.operation))];
        map.extend(wanted.object.iter().flat_map(thing));
        Self::Map(map)
    }
}

impl From<Operation> for Value {
    fn from(operation: Operation) -> Self {
        Self::from(match operation {
            Operation::Read => "read",
            Operation::Write => "write",
            Operation::Handover => "handover",
            Operation::Release => "release",
            Operation::Retirement => "retirement",
            Operation::Sync => "sync",
            Operation::FallIn => "fall_in",
            Operation::Join => "join",
            Operation::JoinAll => "join_all",
            Operation::Receive => "receive",
            Operation::Transmit => "send",
            Operation::Accept => "accept",
            Operation::Connect => "connect",
            Operation::Timeout => "timeout",
            Operation::Skip => "skip",
            Operation::Await => "await",
            Operation::Io => "io",
            Operation::Compute => "compute",
        })
    }
}

impl From<&ProcessState> for Value {
    fn from(process: &ProcessState) -> Self {
        let (state, more) = match &process.state {
            State::Running => ("running", Vec::new()),
            State::Ready => ("ready", Vec::new()),
            State::Unseen => ("unseen", Vec::new()),
            State::Unanswered => ("unanswered", Vec::new()),
            State::NotStarted { others } => ("not_started", vec![("others", (*others).into())]),
            State::Blocked(Wait { place, alternation, left, wants }) => {
                let left = left.map(|left| Value::Number(left.as_millis() as u64));
                let more = vec![
                    ("place", (*place).into()),
                    ("alternation", (*alternation).into()),
                    ("milliseconds_left", left.into()),
                    ("wants", Self::list(wants)),
                ];
                ("blocked", more)
            }
        };
        let mut map = vec![
            ("path", Value::from(process.path.as_str())),
            ("daemon", process.daemon.into()),
            ("state", state.into()),
        ];
        if let Some(scheduler) = process.scheduler {
            map.push(("scheduler", scheduler.into()));
        }
        map.extend(more);
        Self::Map(map)
    }
}

impl From<&ChannelState> for Value {
    fn from(channel: &ChannelState) -> Self {
        Self::Map(thing(&channel.0))
    }
}

impl From<&Network> for Value {
    fn from(network: &Network) -> Self {
        Self::Map(vec![
            ("processes", Self::list(&network.processes)),
            ("channels", Self::list(&network.channels)),
        ])
    }
}

impl From<&Deadlock> for Value {
    fn from(deadlock: &Deadlock) -> Self {
        let cycle = deadlock.cycle.iter().map(|link| {
            Self::Map(vec![
                ("process", link.path.as_str().into()),
                ("waits_at", link.at.as_str().into()),
            ])
        });
        let mut all = vec![
            ("summary", deadlock.summary().into()),
            ("total", deadlock.is_total().into()),
            ("blocked", Self::list(&deadlock.blocked)),
            ("cycle", Self::List(cycle.collect())),
            ("others", Self::list(&deadlock.others.processes)),
        ];
        if !deadlock.elsewhere().is_empty() {
            let elsewhere = deadlock.elsewhere().iter().map(|(path, text)| {
                Self::Map(vec![("path", path.as_str().into()), ("text", text.as_str().into())])
            });
            all.push(("elsewhere", Self::List(elsewhere.collect())));
        }
        Self::Map(all)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(text) => string(f, text),
            Self::List(values) => {
                f.write_char('[')?;
                for (number, value) in values.iter().enumerate() {
                    f.write_str(if number > 0 { "," } else { "" })?;
                    value.fmt(f)?;
                }
                f.write_char(']')
            }
            Self::Map(map) => {
                f.write_char('{')?;
                for (number, (key, value)) in map.iter().enumerate() {
                    f.write_str(if number > 0 { "," } else { "" })?;
                    string(f, key)?;
                    f.write_char(':')?;
                    value.fmt(f)?;
                }
                f.write_char('}')
            }
        }
    }
}

fn string(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for char in text.chars() {
        match char {
            '"' | '\\' => write!(f, "\\{char}")?,
            '\n' => f.write_str("\\n")?,
            char if char < ' ' => write!(f, "\\u{:04x}", u32::from(char))?,
            char => f.write_char(char)?,
        }
    }
    f.write_char('"')
}

#[cfg(feature = "serde")]
mod with_serde {
    use serde::ser::{Serialize, SerializeMap as _, Serializer};

    use super::Value;
    use crate::report::deadlock::Deadlock;
    use crate::report::network::{ChannelState, Network, ProcessState};

    impl Serialize for Value {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            match self {
                Self::Null => serializer.serialize_none(),
                Self::Bool(value) => serializer.serialize_bool(*value),
                Self::Number(value) => serializer.serialize_u64(*value),
                Self::Text(text) => serializer.serialize_str(text),
                Self::List(values) => serializer.collect_seq(values),
                Self::Map(entries) => {
                    let mut map = serializer.serialize_map(Some(entries.len()))?;
                    for (key, value) in entries {
                        map.serialize_entry(key, value)?;
                    }
                    map.end()
                }
            }
        }
    }

    macro_rules! as_values {
        ($($report:ty),*) => { $(
            /// Serialises the same tree that `json` writes. With the feature `serde`.
            impl Serialize for $report {
                fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    Value::from(self).serialize(serializer)
                }
            }
        )* };
    }

    as_values!(Network, ProcessState, ChannelState, Deadlock);
}

impl Deadlock {
    /// Returns the report in one line of JSON:
    /// `{"summary": …, "blocked": [{"path": …, "wants": […]}], "cycle": […], "others": […]}`. If
    /// some processes are in other OS processes, it also has
    /// `"elsewhere": [{"path": …, "text": …}]`.
    pub fn json(&self) -> String {
        Value::from(self).to_string()
    }
}

impl Network {
    /// Returns everything in one line of JSON:
    /// `{"processes": [{"path": "main/worker[3]", "state": "blocked", …}], "channels": […]}`. A process also has
    /// `"scheduler": 1`, the number of its scheduler, if the network is on several.
    pub fn json(&self) -> String {
        Value::from(self).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped() {
        let value = Value::Map(vec![
            ("a", Value::list(["\"", "\\", "a\nb", "\u{1}", "ü"])),
            ("b", None::<usize>.into()),
            ("c", Value::List(vec![true.into(), 3_usize.into()])),
        ]);
        let json = r#"{"a":["\"","\\","a\nb","\u0001","ü"],"b":null,"c":[true,3]}"#;
        assert_eq!(value.to_string(), json);
    }

    #[test]
    fn a_snapshot_is_json_and_serde_sees_the_same() {
        let channel = crate::Channel::<String>::buffered(3).named("with \"quotes\"");
        let writer = channel.writer();
        writer.write("value".into()).unwrap();
        let network = crate::network();
        let json: serde_json::Value = serde_json::from_str(&network.json()).unwrap();
        let channels = json["channels"].as_array().unwrap();
        let found = channels.iter().find(|found| found["name"] == "with \"quotes\"").unwrap();
        assert_eq!(found["type"], "Channel<String>");
        assert_eq!((&found["capacity"], &found["values"]), (&3.into(), &1.into()));
        assert_eq!((&found["readers"], &found["writers"]), (&0.into(), &1.into()));
        assert!(found["birth"].as_str().unwrap().contains("json.rs:"));
        let path = crate::current().path().to_owned();
        let processes = json["processes"].as_array().unwrap();
        let me = processes.iter().find(|process| process["path"] == path.as_str()).unwrap();
        assert_eq!((&me["state"], &me["daemon"]), (&"running".into(), &false.into()));
        #[cfg(feature = "serde")]
        assert_eq!(serde_json::to_value(&network).unwrap(), json);
    }
}
