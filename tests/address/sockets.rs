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

/// Returns how many sockets of any kind an OS process has.
fn all_sockets(process: &str) -> usize {
    let links = fs::read_dir(Path::new("/proc").join(process).join("fd")).expect("a process");
    let links = links.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links.filter(|link| link.to_string_lossy().starts_with("socket:")).count()
}

fn port(address: &str) -> u16 {
    let port = address.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next());
    port.expect("a port").parse().expect("a number")
}

#[test]
fn a_program_has_one_socket_at_its_address_and_no_other() {
    let room = Program::start("room", "");
    let address = room.hear();
    // 127.0.0.1, as the kernel shows it.
    let its = format!("0100007F:{:04X}", port(&address));
    assert_eq!(sockets(&room.id().to_string()), std::slice::from_ref(&its));
    let member = Program::start("member", &address);
    member.hears("heard member is here");
    assert_eq!(sockets(&room.id().to_string()), [its]);
    let idle = Program::start("idle", "");
    idle.hears("idle");
    assert_eq!(all_sockets(&idle.id().to_string()), 0);
}

#[test]
fn a_program_has_no_socket_before_it_connects_and_one_afterwards() {
    let room = Program::start("room", "");
    let address = room.hear();
    let mut member = Program::start("later", &address);
    member.hears("not connected");
    let id = member.id().to_string();
    assert_eq!(all_sockets(&id), 0);
    member.tell("connect");
    member.hears("heard member is here");
    let its = sockets(&id);
    assert!(its.len() == 1 && its[0].starts_with("0100007F:"), "{its:?}");
    // By the same socket to two programs.
    let other = Program::start("room", "");
    let customer = Program::start("customer", &format!("{address} {}", other.hear()));
    customer.hears("both");
    let its = sockets(&customer.id().to_string());
    assert!(its.len() == 1 && its[0].starts_with("0100007F:"), "{its:?}");
}
