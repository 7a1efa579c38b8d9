//! No socket before something is published or connected, and one afterwards.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use crate::programs::Program;

/// Returns the local addresses of the sockets of UDP that an OS process has.
fn sockets(process: &str) -> Vec<String> {
    let folder = Path::new("/proc").join(process);
    let links = fs::read_dir(folder.join("fd")).expect("a process").flatten();
    let inodes: HashSet<String> = links
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    ["net/udp", "net/udp6"]
        .iter()
        .flat_map(|table| {
            let table = fs::read_to_string(folder.join(table)).unwrap_or_default();
            table.lines().skip(1).map(str::to_owned).collect::<Vec<_>>()
        })
        .filter_map(|line| {
            let parts: Vec<&str> = line.split_whitespace().collect();
            inodes.contains(*parts.get(9)?).then(|| parts[1].to_owned())
        })
        .collect()
}

#[test]
fn a_program_has_one_socket_at_its_address_and_no_other() {
    let room = Program::start("room", "");
    let address = room.hear();
    let port: u16 = address
        .rsplit_once(':')
        .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
        .expect("a port");
    // 127.0.0.1, as the kernel shows it.
    assert_eq!(sockets(&room.id().to_string()), [format!("0100007F:{port:04X}")]);
    let member = Program::start("member", &address);
    member.hears("heard member is here");
    let its = sockets(&member.id().to_string());
    assert!(its.len() == 1 && its[0].starts_with("0100007F:"), "{its:?}");
    let idle = Program::start("idle", "");
    idle.hears("idle");
    assert!(sockets(&idle.id().to_string()).is_empty());
}
