//! A program that is not let in hears why, at once.

use std::net::UdpSocket;
use std::thread;

use csp::{Channel, ConnectError, PublishError, Writer};

use crate::programs::{Program, Said};

/// An address at which nobody answers. To connect there takes ten seconds.
struct Silence {
    _socket: UdpSocket,
    address: String,
}

impl Silence {
    fn at_the_address_of(program: &str) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("a port").port();
        let (front, rest) = program.rsplit_once(':').expect("a port");
        let (_, rest) = rest.split_once('/').expect("a name");
        Self { _socket: socket, address: format!("{front}:{port}/{rest}") }
    }

    /// Connects somewhere else, and is refused. That comes before the news that nobody answers here.
    fn is_slower_than(&self, address: &str) -> ConnectError {
        let silent = self.address.clone();
        let waits = thread::spawn(move || csp::connect::<Writer<Said>>(&silent).is_ok());
        let error = csp::connect::<Writer<Said>>(address).expect_err("a refusal");
        assert!(!waits.is_finished(), "{error} came late");
        let secret = address.rsplit_once('#').map_or("", |(_, secret)| secret);
        assert!(secret.len() < 8 || !format!("{error} {error:?}").contains(secret));
        error
    }
}

#[test]
fn each_refusal_is_a_value() {
    let room = Program::start("room", "");
    let address = room.hear();
    let (another, third) = (Program::start("room", ""), Program::start("room", ""));
    let (other, silence) = (another.hear(), Silence::at_the_address_of(&third.hear()));
    let connect = |address: &str| silence.is_slower_than(address);
    let (rest, secret) = address.split_once('#').expect("a secret");
    let (key, place) = rest.split_once('@').expect("a key");
    let other_digit = if secret.starts_with('0') { '1' } else { '0' };
    let other_secret = format!("{other_digit}{}", &secret[1..]);
    let error = connect(&format!("{rest}#{other_secret}"));
    assert!(matches!(error, ConnectError::WrongSecret), "{error:?}");
    let error = connect(&address.replace("/room#", "/other#"));
    assert!(matches!(error, ConnectError::UnknownName(ref name) if name == "other"), "{error:?}");
    // The key of another program.
    let other_key = other.split_once('@').expect("a key").0;
    let error = connect(&format!("{other_key}@{place}#{secret}"));
    assert!(matches!(error, ConnectError::WrongKey), "{error:?}");
    let error = connect(key);
    assert!(matches!(error, ConnectError::NoAddress(_)), "{error:?}");
    // The right address still works.
    let member = Program::start("member", &address);
    member.hears("heard member is here");
}

#[test]
fn another_type_is_refused_and_named() {
    let room = Program::start("room", "");
    let stranger = Program::start("stranger", &room.hear());
    for _ in 0..2 {
        let said = stranger.hear();
        assert!(said.contains("this is the address of a `") && said.contains("Said"), "{said}");
    }
}

#[test]
fn a_program_does_not_connect_to_itself() {
    let channel = Channel::<Said>::new();
    let published = csp::publish("127.0.0.1:0/self", channel.writer()).expect("a place");
    let error = csp::connect::<Writer<Said>>(&published.address()).expect_err("a refusal");
    assert!(matches!(error, ConnectError::Itself), "{error:?}");
}

#[test]
fn a_place_is_read_strictly_and_a_name_is_taken_once() {
    let channel = Channel::<u32>::new();
    for wrong in
        ["", "127.0.0.1/a", "127.0.0.1:1", "127.0.0.1:x/a", "127.0.0.1:0/a b", "0.0.0.0:0/a"]
    {
        let error = csp::publish(wrong, channel.writer()).expect_err("no place");
        assert!(matches!(error, PublishError::NoPlace(_)), "{wrong}: {error:?}");
    }
    let published = csp::publish("127.0.0.1:0/a", channel.writer()).expect("a place");
    let address = published.address();
    let place = address.split_once('@').and_then(|(_, rest)| rest.split_once('#')).expect("it").0;
    let error = csp::publish(place, channel.writer()).expect_err("a taken name");
    assert!(matches!(error, PublishError::NameTaken(_)), "{error:?}");
    drop(published);
    assert!(!format!("{error:?}").contains('#'));
}

/// Datagrams of anything at the port change nothing.
#[test]
fn garbage_at_the_port_keeps_no_member_out() {
    let room = Program::start("room", "");
    let address = room.hear();
    let place = address.split_once('@').and_then(|(_, rest)| rest.split_once('/')).expect("it").0;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let mut byte = 0_u8;
    for length in 0..1_400 {
        let garbage: Vec<u8> = (0..length)
            .map(|_| {
                byte = byte.wrapping_mul(73).wrapping_add(41);
                byte
            })
            .collect();
        let _ = socket.send_to(&garbage, place);
    }
    let mut member = Program::start("member", &address);
    member.tell("hello");
    member.hears("heard hello");
}
