//! Members of a room come, go, and fail. The room serves the others.

use crate::programs::Program;

fn room() -> (Program, String) {
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

#[test]
fn a_line_reaches_all_members() {
    let (room, address) = room();
    let (mut one, two) = (joined(&room, &address), joined(&room, &address));
    one.tell("hello");
    room.hears("hello");
    one.hears("heard hello");
    two.hears("heard hello");
}

/// A program that ends tells so, and nobody waits until it counts as lost.
#[test]
fn a_member_that_ends_is_gone_at_once() {
    let (mut room, address) = room();
    let mut one = joined(&room, &address);
    assert!(one.ends());
    let began = std::time::Instant::now();
    loop {
        room.tell("count");
        if room.hear() == "0" {
            break;
        }
    }
    assert!(began.elapsed().as_secs() < 5, "its connection was closed, and not lost");
}

#[test]
fn the_room_serves_the_others_if_a_member_is_killed() {
    let (room, address) = room();
    let (mut one, mut two) = (joined(&room, &address), joined(&room, &address));
    one.kill();
    two.tell("still here");
    room.hears("still here");
    two.hears("heard still here");
    let three = joined(&room, &address);
    two.tell("three of us");
    three.hears("heard three of us");
}

#[test]
fn the_room_serves_the_others_if_a_member_panics() {
    let (room, address) = room();
    let (mut one, mut two) = (joined(&room, &address), joined(&room, &address));
    one.tell("panic");
    assert!(!one.ends());
    two.tell("still here");
    room.hears("still here");
    two.hears("heard still here");
}

#[test]
fn the_room_serves_the_others_if_a_member_poisons() {
    let (room, address) = room();
    let (mut one, mut two) = (joined(&room, &address), joined(&room, &address));
    one.tell("poison");
    one.tell("from the poisoner");
    one.hears("not written");
    two.tell("still here");
    room.hears("still here");
    two.hears("heard still here");
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

/// The end of one channel goes to two programs, each by its own connection.
#[test]
fn an_end_of_this_program_goes_to_two_others() {
    let (rooms, others) = (room(), room());
    let customer = Program::start("customer", &format!("{} {}", rooms.1, others.1));
    customer.hears("both");
}

/// The end comes back to its writer, which uses it as before.
#[test]
fn an_end_of_another_program_goes_to_no_third_one() {
    let (letterbox, (room, address)) = (Program::start("letterbox", ""), room());
    let go_between = Program::start("go_between", &format!("{} {address}", letterbox.hear()));
    let refusal = go_between.hear();
    assert!(refusal.contains("crosses one connection"), "{refusal}");
    letterbox.hears("by its own program");
    room.hears("still here");
}

#[test]
fn a_program_that_waits_for_others_is_not_taken_for_deadlocked() {
    let (mut room, address) = room();
    let quiet = Program::start("quiet", &address);
    quiet.hears("quiet is here");
    // Its own watch, and that of the room, would have spoken by now.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    room.tell("count");
    room.hears("1");
    let mut other = Program::start("member", &address);
    other.tell("at last");
    quiet.hears("member is here");
}
