//! The interface: `publish`, `connect`, and the values that they return.

use std::collections::hash_map::Entry;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::{any, error, fmt, io};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::{self, ProgramKey};
use super::runtime::{self, KeptAwake, Listener, Packer, PublishedName, bound, endpoint, state};
use super::text::{self, Address, Secret};
use super::words::ConnectError;
use super::{calling, listening};
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::values::carry::{self, Packing, Unpacking};
use crate::backend::subprocess::values::crossed::shape;
use crate::channel::{Reader, Writer};
use crate::system::mutex::lock;

/// Ends that can be published: [`Reader`] and [`Writer`], if their values can be serialised.
pub trait Connectable:
    Serialize + DeserializeOwned + Clone + Send + 'static + sealed::Shaped
{
}

mod sealed {
    /// Tells types apart.
    #[allow(unreachable_pub, reason = "it seals a public trait")]
    pub trait Shaped {
        fn shape() -> u64;
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> sealed::Shaped for Reader<T> {
    fn shape() -> u64 {
        shape::<T>()
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> sealed::Shaped for Writer<T> {
    fn shape() -> u64 {
        shape::<T>()
    }
}

impl<T: Serialize + DeserializeOwned + Send + 'static> Connectable for Reader<T> {}
impl<T: Serialize + DeserializeOwned + Send + 'static> Connectable for Writer<T> {}

/// Publishes a channel end at `host:port/name`. Every program that has the [address](Published::address) gets a clone of the end,
/// and nothing else.
///
/// The address has a key, by which the other program knows that it has reached this one, and a secret, which is the
/// permission. Both are drawn at each start ([`ProgramKey`] keeps them). A port 0 stands for any free one. The program listens at that
/// address of its host, and no other, as long as something is published there or somebody is connected by it.
///
/// If a connected program is lost, panics or poisons the channel, its ends retire and the channel lives
/// on. [`poison_passes`](Published::poison_passes) asks for the other. An end crosses one connection: neither program can pass an end of the other on, to a
/// third program or to another OS process. A program that has published something, or is connected, is never taken for
/// deadlocked.
///
/// The feature `address` has this, on Linux. [`connect`] is the other side.
///
/// # Errors
/// Returns an error if the place is not written so, if it can't be bound, or if the name is taken.
///
/// ```
/// # use csp::{Channel, Writer};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let said: Channel<String> = Channel::new();
/// let published = csp::publish("127.0.0.1:0/chat", said.writer())?;
/// // Another program has this text.
/// let address: String = published.address();
/// # Ok(())
/// # }
/// ```
pub fn publish<E: Connectable>(place: &str, end: E) -> Result<Published, PublishError> {
    runtime::runtime().map_err(PublishError::Io)?;
    let key = state().key.clone();
    key.publish(place, end)
}

impl ProgramKey {
    /// Publishes an end, as [`publish`](fn@crate::publish) does, with this key. The address is the same at each start, if the place is.
    ///
    /// # Errors
    /// Returns the same errors. All that is published at one place has one key.
    pub fn publish<E: Connectable>(&self, place: &str, end: E) -> Result<Published, PublishError> {
        let (host, port, name) = text::place(place).map_err(PublishError::NoPlace)?;
        let at = (host.as_str(), port).to_socket_addrs().map_err(PublishError::Io)?.next();
        let at = at.ok_or(PublishError::NoPlace("its host has no address"))?;
        if at.ip().is_unspecified() {
            return Err(PublishError::NoPlace(
                "others reach no program there: give one address of this host",
            ));
        }
        let secret = match self.is_kept {
            true => Secret::of_kept(&self.key, &name),
            false => Secret::draw(),
        };
        let pack: Packer = Box::new(move |to: NodeId| {
            let packing = Packing::begin(to);
            let mut bytes = Vec::new();
            carry::put(&end, &mut bytes)?;
            Ok((bytes, packing.done()))
        });
        let entry = Arc::new(PublishedName {
            secret: Mutex::new(secret),
            shape: E::shape(),
            end: any::type_name::<E>(),
            pack: Mutex::new(Some(pack)),
            poison_passes: AtomicBool::new(false),
        });
        let (its, key) = ((Arc::clone(&entry), name.clone()), self.key.clone());
        let at = runtime::done(bind(at, key, its)).map_err(PublishError::Io)??;
        let address = Address { key: self.key.public(), host, port: at.port(), name, secret };
        Ok(Published { at, address: Mutex::new(address), entry, _alive: KeptAwake::begin() })
    }
}

/// Adds a name to a socket, which is bound if it is not there.
async fn bind(
    at: SocketAddr,
    key: iroh::SecretKey,
    (entry, name): (Arc<PublishedName>, String),
) -> Result<SocketAddr, PublishError> {
    // One after the other, so that a place is bound once.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    if let Some(listener) = state().listeners.get_mut(&at) {
        if listener.endpoint.id() != key.public() {
            return Err(PublishError::OtherKey);
        }
        return match listener.names.entry(name) {
            Entry::Occupied(taken) => Err(PublishError::NameTaken(taken.key().clone())),
            Entry::Vacant(free) => {
                free.insert(entry);
                Ok(at)
            }
        };
    }
    let endpoint = endpoint(at, key, true).await.map_err(PublishError::Io)?;
    let at = bound(&endpoint).map_err(PublishError::Io)?;
    let names = [(name, entry)].into();
    let listener = Listener { endpoint: endpoint.clone(), names, door: Arc::default() };
    state().listeners.insert(at, listener);
    tokio::spawn(listening::listen(endpoint, at));
    Ok(at)
}

/// Connects to an address, and returns a clone of the end that is published there.
///
/// It waits ten seconds at most. A program that connects twice to another one has one connection. If the other program is lost, the
/// channels that it has made are poisoned, and so are the channels of which it held ends.
///
/// The address is a permission. The error does not show it.
///
/// # Errors
/// Returns at once if the name is not there, or if type, secret, key or version are others.
///
/// ```no_run
/// # use csp::Writer;
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let address = std::fs::read_to_string("chat.address")?;
/// let said: Writer<String> = csp::connect(&address)?;
/// said.write("hello".to_owned())?;
/// # Ok(())
/// # }
/// ```
pub fn connect<E: Connectable>(address: &str) -> Result<E, ConnectError> {
    let address = Address::parse(address).map_err(ConnectError::NoAddress)?;
    let call = calling::call(address, any::type_name::<E>(), E::shape());
    let (bytes, ends) = runtime::done(call).map_err(ConnectError::Io)??;
    let _unpacking = Unpacking::begin(ends);
    carry::take::<E>(&mut &bytes[..]).map_err(ConnectError::Refused)
}

/// An end that is published. Dropping it takes the name back. Those who are connected stay so.
pub struct Published {
    at: SocketAddr,
    address: Mutex<Address>,
    entry: Arc<PublishedName>,
    _alive: KeptAwake,
}

impl Published {
    /// Returns the address, with its secret. A program that has this text may connect.
    #[must_use]
    pub fn address(&self) -> String {
        lock(&self.address).text()
    }

    /// Saves the address in a file that only its owner can read. A file that is there is replaced.
    ///
    /// # Errors
    /// Returns an error if the file can't be written. So it is if it is a link, or if others can read it.
    pub fn save(&self, path: impl AsRef<Path>) -> io::Result<()> {
        key::save(path.as_ref(), &self.address())
    }

    /// Lets the poison of connected programs pass to this channel. The loss and the panic of one of them then poison it as well.
    #[must_use]
    pub fn poison_passes(self) -> Self {
        self.entry.poison_passes.store(true, Ordering::Relaxed);
        for member in self.members() {
            Node::here().pass_poison_of(member.id);
        }
        self
    }

    /// Draws another secret. The old address is worth nothing from now on. Those who are connected stay so.
    pub fn renew_secret(&self) {
        let secret = Secret::draw();
        *lock(&self.entry.secret) = secret;
        lock(&self.address).secret = secret;
    }

    /// Returns the programs that are connected by this name.
    #[must_use]
    pub fn members(&self) -> Vec<Member> {
        let state = state();
        let theirs = state
            .links
            .iter()
            .filter(|(_, linked)| linked.by.iter().any(|by| Arc::ptr_eq(by, &self.entry)));
        theirs.map(|(id, linked)| Member { id: *id, from: linked.from }).collect()
    }
}

impl fmt::Debug for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = lock(&self.address).name.clone();
        f.debug_struct("Published")
            .field("at", &self.at)
            .field("name", &name)
            .finish_non_exhaustive()
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let name = lock(&self.address).name.clone();
        if let Some(listener) = state().listeners.get_mut(&self.at) {
            listener.names.remove(&name);
        }
        // The end is dropped outside of all locks.
        let pack = lock(&self.entry.pack).take();
        drop(pack);
        runtime::close_unused(self.at);
    }
}

/// A program that is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    id: NodeId,
    from: SocketAddr,
}

impl Member {
    /// Returns the address that it connected from.
    #[must_use]
    pub fn from(&self) -> SocketAddr {
        self.from
    }

    /// Ends its connection. Its ends retire. It can connect again as long as it has the address: see [`Published::renew_secret`].
    pub fn cut_off(self) {
        runtime::end_later(self.id, "it was cut off".to_owned());
    }
}

/// The reason why something could not be published.
#[derive(Debug)]
#[non_exhaustive]
pub enum PublishError {
    /// It is not written as `host:port/name`, or nobody could reach it.
    NoPlace(&'static str),
    /// Something else has this name there.
    NameTaken(String),
    /// Something else is published there with another key.
    OtherKey,
    /// The system says no.
    Io(io::Error),
}

impl fmt::Display for PublishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPlace(why) => {
                write!(f, "no place to publish at, as `192.0.2.7:7447/chat` is: {why}")
            }
            Self::NameTaken(name) => write!(f, "something else is published there as `{name}`"),
            Self::OtherKey => f.write_str("something else is published there with another key"),
            Self::Io(error) => write!(f, "it could not be published: {error}"),
        }
    }
}

impl error::Error for PublishError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}
