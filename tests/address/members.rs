//! Members of a room come, go, and fail. The room serves the others.

use crate::programs::Program;

pub(crate) fn room() -> (Program, String) {
    let room = Program::start("room", "");
    let address = room.hear();
    (room, address)
}

fn joined(room: &Program, address: &str) -> Program {
    let member = Program::start("member", address);
    room.hears("member is here");
    member.hears("heard member is here");
    member
}

/// Returns one member of a room, and two others.
fn three(room: &Program, address: &str) -> (Program, [Program; 2]) {
    (joined(room, address), [joined(room, address), joined(room, address)])
}

/// Each of the two says something, and both hear it.
fn are_served(room: &Program, members: &mut [Program; 2]) {
    for who in 0..2 {
        let line = format!("{who} is still here");
        members[who].tell(&line);
        room.hears(&line);
        members.iter().for_each(|member| member.hears(&format!("heard {line}")));
    }
}

#[test]
fn a_line_reaches_all_members() {
    let (room, address) = room();
    let (mut one, two) = (joined(&room, &address), joined(&room, &address));
    one.tell("hello");
    room.hears("hello");
    one.hears("heard hello");
    two.hears("heard hello");
}

/// A program that ends says so. Another one that was killed before counts as lost later, because it says nothing.
#[test]
fn a_member_that_ends_is_gone_at_once() {
    let gates = Program::start("gates", "");
    let mut addresses = [gates.hear(), gates.hear()];
    addresses.sort();
    let mut visitors = addresses.map(|line| {
        let (name, address) = line.split_once(' ').expect("a name");
        let visitor = Program::start("visitor", address);
        gates.hears(&format!("{name} has come"));
        visitor
    });
    let [killed, ends] = &mut visitors;
    killed.kill();
    // It was heard after the other.
    ends.tell("still here");
    gates.hears("second still here");
    assert!(ends.ends());
    assert_eq!(gates.hear(), "second is gone");
}

#[test]
fn the_room_serves_the_others_if_a_member_is_killed() {
    let (room, address) = room();
    let (mut one, mut others) = three(&room, &address);
    one.kill();
    are_served(&room, &mut others);
    let new = joined(&room, &address);
    others[0].tell("three of us");
    new.hears("heard three of us");
}

#[test]
fn the_room_serves_the_others_if_a_member_panics() {
    let (room, address) = room();
    let (mut one, mut others) = three(&room, &address);
    one.tell("panic");
    assert!(!one.ends());
    are_served(&room, &mut others);
}

#[test]
fn the_room_serves_the_others_if_a_member_poisons() {
    let (room, address) = room();
    let (mut one, mut others) = three(&room, &address);
    one.tell("poison");
    one.tell("from the poisoner");
    one.hears("not written");
    are_served(&room, &mut others);
    joined(&room, &address);
}

#[test]
fn poison_passes_if_the_room_asks_for_it() {
    let room = Program::start("passing_room", "");
    let address = room.hear();
    let mut one = joined(&room, &address);
    one.tell("poison");
    room.hears("the room ends: true");
}

#[test]
fn members_hear_that_the_room_is_gone() {
    let (mut room, address) = room();
    let one = joined(&room, &address);
    room.end_of_input();
    assert!(one_line(&one, "the room is gone: Poisoned").contains("the program at 127.0.0.1"));
}

fn one_line(program: &Program, begin: &str) -> String {
    loop {
        let line = program.hear();
        if line.starts_with(begin) {
            return line;
        }
    }
}

#[test]
fn a_member_that_is_cut_off_may_come_back_as_long_as_it_has_the_secret() {
    let (mut room, address) = room();
    let one = joined(&room, &address);
    room.tell("cut");
    one_line(&one, "the room is gone");
    let _two = joined(&room, &address);
    room.tell("renew");
    let renewed = one_line(&room, "csp://");
    assert_ne!(renewed, address);
    let stranger = Program::start("stranger", &address);
    assert_eq!(stranger.hear(), "the secret of this address is not the right one");
    joined(&room, &renewed);
}

#[test]
fn rendezvous_go_both_ways_by_one_connection() {
    let adder = Program::start("adder", "");
    let asker = Program::start("asker", &adder.hear());
    assert_eq!(asker.hear(), "500500");
}

#[test]
fn an_alternation_chooses_among_three_programs() {
    let couriers = [Program::start("courier", ""), Program::start("courier", "")];
    let addresses = couriers.each_ref().map(Program::hear).join(" ");
    let chooser = Program::start("chooser", &addresses);
    assert_eq!(chooser.hear(), "[44850, 44850, 44850]");
}

/// A program keeps its address as long as it keeps its key and its place.
#[test]
fn an_address_stays_the_same_if_the_key_is_kept() {
    let folder = std::env::temp_dir().join(format!("csp-address-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let key = folder.join("key");
    // Nothing else of these tests is at this address, so the port stays free.
    let start = |port: &str| {
        let place = format!("{} 127.0.0.77:{port}/room", key.display());
        let room = Program::start("kept_room", &place);
        let address = room.hear();
        (room, address)
    };
    let (mut room, address) = start("0");
    joined(&room, &address);
    room.kill();
    let port = address.rsplit_once(':').and_then(|(_, rest)| rest.split('/').next());
    let (room, again) = start(port.expect("a port"));
    assert_eq!(again, address);
    joined(&room, &address);
    let _ = std::fs::remove_dir_all(&folder);
}

/// The one has published something, and the other has connected. Both do nothing else.
#[test]
fn a_program_that_waits_for_others_is_not_taken_for_deadlocked() {
    let waits = Program::plain("publish");
    let addresses = waits.hear();
    let (visits, letters) = addresses.split_once(' ').expect("two addresses");
    let quiet = Program::plain(letters);
    quiet.hears("connected");
    // The watch speaks soon. Two programs that begin now are taken for deadlocked, one after the other.
    for _ in 0..2 {
        let stuck = Program::plain("stuck");
        stuck.hears("stuck");
        stuck.falls_over();
    }
    let mut visitor = Program::start("visitor", visits);
    quiet.hears("has come");
    visitor.tell("at last");
    quiet.hears("at last");
}
