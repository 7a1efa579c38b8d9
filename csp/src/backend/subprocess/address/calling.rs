//! The side that connects.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;
use std::{error, io};

use iroh::endpoint::{Connection, RecvStream, SendStream};
use iroh::{Endpoint, EndpointAddr};
use tokio::time::timeout;

use super::bridge;
use super::names::NameRefused;
use super::runtime::{self, endpoint, state};
use super::text::Address;
use super::words::{
    self, Answer, ConnectError, ConnectWish, FirstWord, PROTOCOL, Refusal, VERSION,
};
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::node::control::addressed::off_link;
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::values::carry::Ends;
use crate::backend::subprocess::values::codec;

/// The longest time that `connect` waits.
const LONGEST: Duration = Duration::from_secs(10);

/// The packed end that a program has got.
pub(super) type Got = (Vec<u8>, Ends);

/// Connects to an address. `end` and `shape` are of the type that it is to have.
pub(super) async fn call(
    address: Address,
    end: &'static str,
    shape: u64,
) -> Result<Got, ConnectError> {
    match timeout(LONGEST, call_in_time(address, end, shape)).await {
        Ok(got) => got,
        Err(_) => Err(ConnectError::Unreachable("it does not answer".to_owned())),
    }
}

async fn call_in_time(
    address: Address,
    end: &'static str,
    shape: u64,
) -> Result<Got, ConnectError> {
    let one = Arc::clone(state().calls.entry(address.key).or_default());
    let _one = one.lock().await;
    let hello = hello(&address, end, shape)?;
    // By the connection that there is, or by a new one.
    let there = state().links.iter().find_map(|(name, linked)| {
        let is_its = linked.at.is_none() && linked.key == address.key;
        is_its.then(|| (*name, linked.connection.clone()))
    });
    if let Some((name, connection)) = there
        && let Ok((send, receive)) = connection.open_bi().await
    {
        let (answer, _) = ask(send, receive, &hello).await?;
        let (_, end, ends) = welcomed(answer, &address, end)?;
        return renamed(end, ends, name);
    }
    let (connection, from) = dial(&address).await?;
    let streams = connection.open_bi().await.map_err(unreachable)?;
    let (answer, (send, receive)) = ask(streams.0, streams.1, &hello).await?;
    let (node, end, ends) = welcomed(answer, &address, end)?;
    let (name, socket) = runtime::link(node, &connection, from, None).map_err(|refused| {
        connection.close(0_u32.into(), b"");
        match refused {
            NameRefused::Itself => ConnectError::Itself,
            NameRefused::Connected => ConnectError::AlreadyConnected,
            NameRefused::TooOften => ConnectError::Refused("too many connections".to_owned()),
        }
    })?;
    tokio::spawn(bridge::copy(socket, (send, receive), connection));
    renamed(end, ends, name)
}

/// Puts the names of this program's in place of those on the link.
fn renamed(end: Vec<u8>, ends: Ends, name: NodeId) -> Result<Got, ConnectError> {
    let here = Node::here().id();
    let ends = ends.renamed(|node| off_link(node, name, here));
    ends.map(|ends| (end, ends))
        .ok_or_else(|| ConnectError::Refused("it gives an end of a third program".to_owned()))
}

fn hello(address: &Address, end: &str, shape: u64) -> Result<FirstWord, ConnectError> {
    let wish = ConnectWish {
        node: Node::here().id().0,
        name: address.name.clone(),
        secret: address.secret.0,
        shape,
        end: end.to_owned(),
    };
    let wish = codec::pack(&wish, Vec::new())
        .map_err(|error| ConnectError::Io(io::Error::other(error.to_string())))?;
    Ok(FirstWord { version: VERSION, wish })
}

/// Says what is wanted, and returns the answer.
async fn ask(
    mut send: SendStream,
    mut receive: RecvStream,
    hello: &FirstWord,
) -> Result<(Answer, (SendStream, RecvStream)), ConnectError> {
    let ended =
        |reason| ConnectError::Unreachable(format!("it has ended the connection: {reason}"));
    words::say(&mut send, hello).await.map_err(ended)?;
    let answer = words::hear(&mut receive).await.map_err(ended)?;
    Ok((answer, (send, receive)))
}

fn welcomed(
    answer: Answer,
    address: &Address,
    end: &str,
) -> Result<(u64, Vec<u8>, Ends), ConnectError> {
    let refusal = match answer {
        Answer::Welcome { node, end, ends } => return Ok((node, end, ends)),
        Answer::Refused(refusal) => refusal,
    };
    let told = crate::backend::subprocess::values::text::reason;
    Err(match refusal {
        Refusal::Version(theirs) => ConnectError::Version { ours: VERSION, theirs },
        Refusal::Name => ConnectError::UnknownName(address.name.clone()),
        Refusal::Secret => ConnectError::WrongSecret,
        Refusal::Type(theirs) => {
            ConnectError::OtherType { ours: end.to_owned(), theirs: told(theirs) }
        }
        Refusal::Itself => ConnectError::Itself,
        Refusal::Connected => ConnectError::AlreadyConnected,
        Refusal::Other(reason) => ConnectError::Refused(told(reason)),
    })
}

fn unreachable(error: impl error::Error) -> ConnectError {
    ConnectError::Unreachable(error.to_string())
}

/// Returns the address of this host by which it reaches another.
fn way_to(to: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match to {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // It sends nothing.
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(to)?;
    Ok(socket.local_addr()?.ip())
}

/// Makes a connection to the program that has the key of this address.
async fn dial(address: &Address) -> Result<(Connection, SocketAddr), ConnectError> {
    let place = (address.host.clone(), address.port);
    let found = tokio::net::lookup_host(place).await;
    let to = found.map_err(unreachable)?.next();
    let to = to.ok_or_else(|| ConnectError::Unreachable("its host has no address".to_owned()))?;
    let caller = caller(way_to(to).map_err(unreachable)?).await.map_err(ConnectError::Io)?;
    let target = EndpointAddr::new(address.key).with_ip_addr(to);
    if caller.id() == address.key {
        return Err(ConnectError::Itself);
    }
    match caller.connect(target, PROTOCOL).await {
        Ok(connection) => Ok((connection, to)),
        Err(error) => {
            // The library's errors tell by their texts only which alert of TLS it was.
            let text = format!("{error:?}");
            Err(
                match text.contains("cryptographic handshake failed")
                    || text.contains("certificate")
                {
                    true => ConnectError::WrongKey,
                    false => ConnectError::Unreachable(error.to_string()),
                },
            )
        }
    }
}

/// Returns the endpoint by which this program connects from an address of this host.
async fn caller(from: IpAddr) -> io::Result<Endpoint> {
    let (there, key) = {
        let state = state();
        (state.callers.get(&from).cloned(), state.key.key.clone())
    };
    if let Some(caller) = there {
        return Ok(caller);
    }
    let made = endpoint(SocketAddr::new(from, 0), key, false).await?;
    // Another task may have been quicker.
    Ok(state().callers.entry(from).or_insert(made).clone())
}
