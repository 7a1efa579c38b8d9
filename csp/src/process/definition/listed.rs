//! Hosts that the environment lists: `CSP_HOSTS`, or a batch system.

use std::ffi::OsString;
use std::fmt;

/// The most hosts that a list may have. `node[1-999999999]` is a mistake.
const MOST: usize = 65_536;

/// The host, and how many turns it has in a round.
pub(super) type HostSlots = (String, usize);

/// The hosts of the environment, and how they are reached.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum ListedHosts {
    Ssh(Vec<HostSlots>),
    Srun(Vec<HostSlots>),
}

/// The environment lists no hosts, or a list that can't be read. It is returned by [`Hosts::from_env`](super::Hosts::from_env).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HostsError(String);

impl fmt::Display for HostsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for HostsError {}

/// Reads the first list that is there. `variable` and `file` return the contents of one.
pub(super) fn hosts(
    variable: impl Fn(&str) -> Option<OsString>,
    file: impl Fn(&str) -> std::io::Result<String>,
) -> Result<ListedHosts, HostsError> {
    let text = |name: &str| {
        let value = variable(name).filter(|value| !value.is_empty());
        let text = |value: OsString| value.into_string().map_err(|_| "is no text".to_owned());
        value
            .map(|value| text(value).map_err(|reason| HostsError(format!("`{name}` {reason}"))))
            .transpose()
    };
    let wrong = |name: &str, value: &str, reason: String| {
        HostsError(format!("`{name}` lists no hosts: {reason} in {value:?}"))
    };
    if let Some(list) = text("CSP_HOSTS")? {
        let hosts = by_blanks(&list).map_err(|reason| wrong("CSP_HOSTS", &list, reason))?;
        return Ok(ListedHosts::Ssh(hosts));
    }
    if let Some(list) = text("SLURM_JOB_NODELIST")? {
        let name = "SLURM_JOB_NODELIST";
        let hosts = node_list(&list).map_err(|reason| wrong(name, &list, reason))?;
        let name = "SLURM_TASKS_PER_NODE";
        let slots = match text(name)? {
            Some(tasks) => tasks_per_node(&tasks, hosts.len())
                .map_err(|reason| HostsError(format!("`{name}`: {reason} in {tasks:?}")))?,
            None => vec![1; hosts.len()],
        };
        return Ok(ListedHosts::Srun(hosts.into_iter().zip(slots).collect()));
    }
    if let Some(path) = text("PBS_NODEFILE")? {
        let lines = file(&path).map_err(|error| {
            HostsError(format!("`PBS_NODEFILE`: {path} can't be read ({error})"))
        })?;
        let mut hosts: Vec<HostSlots> = Vec::new();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match hosts.iter_mut().find(|(host, _)| host == line) {
                Some((_, slots)) => *slots += 1,
                None => hosts.push((line.to_owned(), 1)),
            }
        }
        return match hosts.is_empty() {
            true => Err(HostsError(format!("`PBS_NODEFILE`: {path} lists no hosts"))),
            false => Ok(ListedHosts::Ssh(hosts)),
        };
    }
    Err(HostsError(
        "no hosts are listed: `CSP_HOSTS` can, as in `node1 node2*4`, and SLURM and PBS do in their jobs"
            .to_owned(),
    ))
}

/// Reads hosts that blanks or commas part, each perhaps with `*` and a number of slots.
fn by_blanks(list: &str) -> Result<Vec<HostSlots>, String> {
    let mut hosts = Vec::new();
    for word in list.split([' ', '\t', '\n', ',']).filter(|word| !word.is_empty()) {
        let (host, slots) = match word.split_once('*') {
            Some((host, slots)) => (host, number(slots).filter(|slots| *slots > 0)),
            None => (word, Some(1)),
        };
        let slots = slots.ok_or_else(|| format!("`{word}` has no number of slots"))?;
        if host.is_empty() {
            return Err(format!("`{word}` has no host"));
        }
        hosts.push((host.to_owned(), slots));
    }
    match hosts.is_empty() {
        true => Err("no host is".to_owned()),
        false => Ok(hosts),
    }
}

fn number(text: &str) -> Option<usize> {
    let number = text.parse().ok().filter(|number| *number <= MOST);
    number.filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Reads a list as SLURM writes it: `node[01-03,7],rack[1-2]n[1-2]`.
fn node_list(list: &str) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    let mut rest = list;
    while !rest.is_empty() {
        // One word: texts, and numbers in brackets.
        let mut words = vec![String::new()];
        loop {
            let end = rest.find([',', '[']).unwrap_or(rest.len());
            let (text, after) = rest.split_at(end);
            words.iter_mut().for_each(|word| word.push_str(text));
            let Some(after) = after.strip_prefix('[') else {
                rest = after.strip_prefix(',').unwrap_or(after);
                break;
            };
            let (inside, after) = after.split_once(']').ok_or("a bracket does not end")?;
            let numbers = numbers(inside)?;
            if words.len() * numbers.len() + hosts.len() > MOST {
                return Err(format!("more than {MOST} hosts are"));
            }
            let longer = |word: &String| {
                let word = word.clone();
                numbers.iter().map(move |number| format!("{word}{number}")).collect::<Vec<_>>()
            };
            words = words.iter().flat_map(longer).collect();
            rest = after;
        }
        if words.iter().any(|word| word.is_empty() || word.contains(']')) {
            return Err("a host without a name is".to_owned());
        }
        hosts.extend(words);
    }
    Ok(hosts)
}

/// Reads numbers and ranges. They keep their width.
fn numbers(list: &str) -> Result<Vec<String>, String> {
    let mut numbers = Vec::new();
    for range in list.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let bounds = || {
            let bound = |text: &str| {
                let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
                text.parse::<u64>().ok().filter(|_| is_number)
            };
            Some((bound(first)?, bound(last)?)).filter(|(first, last)| first <= last)
        };
        let (from, to) = bounds().ok_or_else(|| format!("`{range}` is no range"))?;
        if to - from >= MOST as u64 {
            return Err(format!("more than {MOST} hosts are"));
        }
        let width = first.len();
        numbers.extend((from..=to).map(|number| format!("{number:0width$}")));
        if numbers.len() > MOST {
            return Err(format!("more than {MOST} hosts are"));
        }
    }
    Ok(numbers)
}

/// Reads what SLURM writes of so many hosts: `4(x2),1`.
fn tasks_per_node(list: &str, hosts: usize) -> Result<Vec<usize>, String> {
    let mut all = Vec::new();
    for word in list.split(',') {
        let one = || match word.split_once("(x") {
            Some((tasks, times)) => Some((number(tasks)?, number(times.strip_suffix(')')?)?)),
            None => Some((number(word)?, 1)),
        };
        let (tasks, times) = one()
            .filter(|(tasks, _)| *tasks > 0)
            .ok_or_else(|| format!("`{word}` is no number of tasks"))?;
        all.extend(std::iter::repeat_n(tasks, times.min(hosts + 1)));
    }
    match all.len() == hosts {
        true => Ok(all),
        false => Err(format!("there are {hosts} hosts, and not as many numbers")),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<ListedHosts, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| OsString::from(value))
        };
        let file = |path: &str| match path {
            "empty" => Ok(String::new()),
            "nodes" => Ok("a\nb\na\n\na\n".to_owned()),
            _ => Err(std::io::ErrorKind::NotFound.into()),
        };
        hosts(variable, file).map_err(|error| error.to_string())
    }

    fn listed(hosts: &[(&str, usize)]) -> Vec<HostSlots> {
        hosts.iter().map(|(host, slots)| ((*host).to_owned(), *slots)).collect()
    }

    #[test]
    fn hosts_are_listed_by_hand_or_by_a_batch_system() {
        let ssh = |hosts: &[(&str, usize)]| Ok(ListedHosts::Ssh(listed(hosts)));
        let slurm = ("SLURM_JOB_NODELIST", "n[1-2],m");
        for (variables, hosts) in [
            (&[("CSP_HOSTS", "a, me@b*4\n c")][..], ssh(&[("a", 1), ("me@b", 4), ("c", 1)])),
            (&[("CSP_HOSTS", "a"), slurm], ssh(&[("a", 1)])),
            (&[("PBS_NODEFILE", "nodes")], ssh(&[("a", 3), ("b", 1)])),
            (
                &[("CSP_HOSTS", ""), slurm],
                Ok(ListedHosts::Srun(listed(&[("n1", 1), ("n2", 1), ("m", 1)]))),
            ),
            (
                &[slurm, ("SLURM_TASKS_PER_NODE", "4(x2),2")],
                Ok(ListedHosts::Srun(listed(&[("n1", 4), ("n2", 4), ("m", 2)]))),
            ),
        ] {
            assert_eq!(read(variables), hosts);
        }
    }

    #[test]
    fn an_error_names_the_variable() {
        let tasks = |tasks| [("SLURM_JOB_NODELIST", "a,b"), ("SLURM_TASKS_PER_NODE", tasks)];
        for (variables, name) in [
            (&[][..], "CSP_HOSTS"),
            (&[("CSP_HOSTS", "a*")], "CSP_HOSTS"),
            (&[("CSP_HOSTS", "a*0")], "CSP_HOSTS"),
            (&[("CSP_HOSTS", "*2")], "CSP_HOSTS"),
            (&[("CSP_HOSTS", " , ")], "CSP_HOSTS"),
            (&[("CSP_HOSTS", "a*99999999999999999999")], "CSP_HOSTS"),
            (&[("SLURM_JOB_NODELIST", "n[1-")], "SLURM_JOB_NODELIST"),
            (&[("SLURM_JOB_NODELIST", "n[2-1]")], "SLURM_JOB_NODELIST"),
            (&[("SLURM_JOB_NODELIST", "n[1-999999999]")], "SLURM_JOB_NODELIST"),
            (&[("SLURM_JOB_NODELIST", "n[1-300][1-300]")], "SLURM_JOB_NODELIST"),
            (&[("SLURM_JOB_NODELIST", "a,,b")], "SLURM_JOB_NODELIST"),
            (&tasks("1"), "SLURM_TASKS_PER_NODE"),
            (&tasks("1(x9)"), "SLURM_TASKS_PER_NODE"),
            (&tasks("0,1"), "SLURM_TASKS_PER_NODE"),
            (&tasks("x"), "SLURM_TASKS_PER_NODE"),
            (&[("PBS_NODEFILE", "empty")], "PBS_NODEFILE"),
            (&[("PBS_NODEFILE", "nowhere")], "PBS_NODEFILE"),
        ] {
            let error = read(variables).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{variables:?}: {error}");
        }
    }

    #[test]
    fn lists_of_slurm_keep_the_width_of_numbers() {
        for (list, hosts) in [
            ("a", "a"),
            ("n[08-10]", "n08 n09 n10"),
            ("n[9-11,3]x,m", "n9x n10x n11x n3x m"),
            ("r[1-2]n[1-2]", "r1n1 r1n2 r2n1 r2n2"),
        ] {
            assert_eq!(node_list(list).expect("a list").join(" "), hosts);
        }
    }
}
