//! A thousand who come and say nothing, while a member connects.

use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use csp::Writer;
use iroh::endpoint::presets;
use iroh::{Endpoint, EndpointAddr, PublicKey};

use crate::members::room;
use crate::programs::{Program, Said, say};

/// How many come of each kind.
const MANY: usize = 1_000;
/// They come from 127.0.0.1, which is the member's own address, and from those behind it.
const HOSTS: usize = 9;

/// With `--nocapture` it shows how long each member takes to connect.
#[test]
fn a_thousand_silent_connections_keep_no_member_out() {
    let (_room, address) = room();
    let connects = |when| {
        let told = Program::start("hasty", &address).hear();
        println!("{when}: {told}");
        assert!(told.starts_with("Ok"), "{when}: {told}");
    };
    connects("alone");
    let crowd = Program::start("crowd", &address);
    crowd.hears("some have begun");
    (0..3).for_each(|_| connects("some have begun"));
    crowd.hears("all have begun");
    (0..3).for_each(|_| connects("all have begun"));
}

/// Connects, and says how long that took.
pub(crate) fn hasty(address: &str) {
    let began = Instant::now();
    let said = csp::connect::<Writer<Said>>(address);
    say(format!("{:?} after {:?}", said.map(drop), began.elapsed()));
}

/// Sends garbage, begins handshakes that it does not end, and makes connections by which it says nothing.
pub(crate) fn crowd(address: &str) {
    let (key, rest) = address.split_once('@').expect("a key");
    let key: PublicKey = key.trim_start_matches("csp://").parse().expect("a key");
    let place = rest.split('/').next().expect("a place").parse().expect("a place");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let garbage: Vec<UdpSocket> = (1..=HOSTS).map(socket).collect();
        let holds = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("a socket");
        let held = EndpointAddr::new(key).with_ip_addr(holds.local_addr().expect("a place"));
        let silent = EndpointAddr::new(key).with_ip_addr(place);
        tokio::spawn(hold(holds, place));
        let mut silents = Vec::new();
        for host in 1..=HOSTS {
            silents.push(endpoint(host).await);
        }
        let holder = endpoint(1).await;
        for number in 0..MANY {
            let _ = garbage[number % HOSTS].send_to(&[0xc0 | number as u8; 1_200], place);
            connect(&holder, held.clone());
            connect(&silents[number % HOSTS], silent.clone());
            tokio::task::yield_now().await;
            if number == MANY / 10 {
                say("some have begun");
            }
        }
        say("all have begun");
        std::future::pending::<()>().await;
    });
}

fn socket(host: usize) -> UdpSocket {
    UdpSocket::bind(format!("127.0.0.{host}:0")).expect("a socket")
}

async fn endpoint(host: usize) -> Endpoint {
    let at: SocketAddr = format!("127.0.0.{host}:0").parse().expect("a place");
    Endpoint::builder(presets::Minimal)
        .clear_ip_transports()
        .clear_relay_transports()
        .clear_address_lookup()
        .bind_addr(at)
        .expect("a place")
        .bind()
        .await
        .expect("an endpoint")
}

/// Begins a connection, and keeps it.
fn connect(by: &Endpoint, to: EndpointAddr) {
    let by = by.clone();
    tokio::spawn(async move {
        if let Ok(connection) = by.connect(to, b"csp").await {
            connection.closed().await;
        }
    });
}

/// Passes the first datagram of each connection on, from other addresses, and no other one. So each handshake
/// begins, and never ends.
async fn hold(from: tokio::net::UdpSocket, place: SocketAddr) {
    let sockets: Vec<UdpSocket> = (1..=HOSTS).map(socket).collect();
    let mut known = std::collections::HashSet::new();
    let mut datagram = [0; 2_048];
    while let Ok(length) = from.recv(&mut datagram).await {
        // The identifier that the caller has drawn for the other side, in a datagram with a long header.
        let id = datagram[6..].get(..usize::from(datagram[5])).unwrap_or_default().to_vec();
        if datagram[0] & 0x80 != 0 && known.insert(id) {
            let _ = sockets[known.len() % HOSTS].send_to(&datagram[..length], place);
        }
    }
}
