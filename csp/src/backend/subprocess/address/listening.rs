//! The side that has published something: strangers come, and those who have the address become members.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use iroh::Endpoint;
use iroh::endpoint::{Connection, Incoming, IncomingAddr, RecvStream, SendStream};
use tokio::time::timeout;

use super::bridge;
use super::door::PATIENCE;
use super::names::NameRefused;
use super::runtime::{self, PublishedName, state};
use super::text::Secret;
use super::words::{self, Answer, ConnectWish, FirstWord, Refusal, VERSION};
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::node::control::addressed::on_link;
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::values::codec;
use crate::system::mutex::lock;

/// Takes connections until the endpoint is closed.
pub(super) async fn listen(endpoint: Endpoint, at: SocketAddr) {
    let door = match state().listeners.get(&at) {
        Some(listener) => Arc::clone(&listener.door),
        None => return,
    };
    while let Some(incoming) = endpoint.accept().await {
        let IncomingAddr::Ip(from) = incoming.remote_addr() else {
            incoming.refuse();
            continue;
        };
        let mut opened = lock(&door);
        if opened.is_crowded() && !incoming.remote_addr_validated() {
            let _ = incoming.retry();
            continue;
        }
        let number = opened.next();
        let its_door = Arc::clone(&door);
        // The task runs once this one waits.
        let task = tokio::spawn(async move {
            let heard = timeout(PATIENCE, hear(incoming)).await;
            lock(&its_door).leave(number);
            if let Ok(Some((connection, streams, hello))) = heard {
                receive(connection, streams, hello, from, at).await;
            }
        });
        if let Some(oldest) = opened.enter(number, from.ip(), task.abort_handle()) {
            oldest.abort();
        }
    }
}

/// Hears what a stranger wants.
async fn hear(incoming: Incoming) -> Option<(Connection, (SendStream, RecvStream), FirstWord)> {
    let connection = incoming.await.ok()?;
    let (send, mut receive) = connection.accept_bi().await.ok()?;
    match words::hear(&mut receive).await {
        Ok(hello) => Some((connection, (send, receive), hello)),
        Err(_) => {
            connection.close(1_u32.into(), b"what it says can't be read");
            None
        }
    }
}

/// Finds what a program may have.
fn admit(hello: &FirstWord, at: SocketAddr) -> Result<(ConnectWish, Arc<PublishedName>), Refusal> {
    if hello.version != VERSION {
        return Err(Refusal::Version(VERSION));
    }
    let wish: ConnectWish = codec::unpack_whole(&hello.wish)
        .map_err(|_| Refusal::Other("its wish can't be read".to_owned()))?;
    let name = state().listeners.get(&at).and_then(|of| of.names.get(&wish.name).cloned());
    let name = name.ok_or(Refusal::Name)?;
    if !lock(&name.secret).is(&Secret(wish.secret)) {
        return Err(Refusal::Secret);
    }
    if (wish.end.as_str(), wish.shape) != (name.end, name.shape) {
        return Err(Refusal::Type(name.end.to_owned()));
    }
    Ok((wish, name))
}

/// Receives a program: it becomes a member, or hears why not.
async fn receive(
    connection: Connection,
    (mut send, receive): (SendStream, RecvStream),
    hello: FirstWord,
    from: SocketAddr,
    at: SocketAddr,
) {
    let admitted = admit(&hello, at).and_then(|(wish, name)| {
        match runtime::link(wish.node, &connection, from, Some(at)) {
            Ok((id, socket)) => {
                runtime::join(id, &name);
                Ok((wish, name, id, socket))
            }
            Err(NameRefused::Itself) => Err(Refusal::Itself),
            Err(NameRefused::Connected) => Err(Refusal::Connected),
            Err(NameRefused::TooOften) => {
                Err(Refusal::Other("it can have no more connections".to_owned()))
            }
        }
    });
    let (wish, id, socket) = match admitted {
        Ok((wish, name, id, socket)) => {
            let answer = welcome(name, id).await;
            let is_in = matches!(answer, Answer::Welcome { .. });
            if words::say(&mut send, &answer).await.is_err() || !is_in {
                // The link is lost with the socket.
                return part(send, &connection).await;
            }
            (wish, id, socket)
        }
        Err(refusal) => {
            let _ = words::say(&mut send, &Answer::Refused(refusal)).await;
            return part(send, &connection).await;
        }
    };
    tokio::spawn(bridge::copy(socket, (send, receive), connection.clone()));
    // It may ask for more.
    while let Ok((mut send, mut receive)) = connection.accept_bi().await {
        let Ok(Ok(hello)) = timeout(PATIENCE, words::hear::<FirstWord>(&mut receive)).await else {
            break;
        };
        let answer = match admit(&hello, at) {
            Ok((again, _)) if again.node != wish.node => {
                Answer::Refused(Refusal::Other("it is another program now".to_owned()))
            }
            Ok((_, name)) => {
                runtime::join(id, &name);
                welcome(name, id).await
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        if words::say(&mut send, &answer).await.is_err() || send.finish().is_err() {
            break;
        }
    }
}

/// Closes a connection once its last word has come.
async fn part(mut send: SendStream, connection: &Connection) {
    let _ = send.finish();
    let _ = timeout(Duration::from_secs(1), send.stopped()).await;
    connection.close(0_u32.into(), b"");
}

/// Gives a program a clone of what is published.
async fn welcome(name: Arc<PublishedName>, id: NodeId) -> Answer {
    // The thread of the runtime is no process, and packing asks which process packs.
    let packed =
        tokio::task::spawn_blocking(move || lock(&name.pack).as_ref().map(|pack| pack(id)));
    let here = Node::here().id();
    match packed.await {
        Ok(Some(Ok((end, ends)))) => match ends.renamed(|node| on_link(node, here, id)) {
            Some(ends) => Answer::Welcome { node: here.0, end, ends },
            None => Answer::Refused(Refusal::Other("its end can't go there".to_owned())),
        },
        Ok(Some(Err(reason))) => Answer::Refused(Refusal::Other(reason)),
        Ok(None) => Answer::Refused(Refusal::Name),
        Err(_) => Answer::Refused(Refusal::Other("it could not pack its end".to_owned())),
    }
}
