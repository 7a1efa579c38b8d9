//! The thread of iroh, and all that is published and connected.
//!
//! Links are made and ended on that thread only, each without a pause. So a program never has two names at once.
//! Locks: the state, then the node. The node calls nothing here under its lock, except to give this thread a task.
#![allow(unsafe_code)]

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, mpsc};
use std::time::{Duration, Instant};
use std::{io, thread};

use iroh::endpoint::{Connection, IdleTimeout, NetReportConfig, QuicTransportConfig, presets};
use iroh::{Endpoint, PublicKey, SecretKey};
use tokio::runtime::{Builder, Handle};

use super::bridge;
use super::door::StrangersDoor;
use super::key::ProgramKey;
use super::names::{AskedBySide, NameRefused, Names};
use super::text::Secret;
use super::words::PROTOCOL;
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::values::carry::Ends;
use crate::system::mutex::lock;
use crate::system::quiet;
use crate::wait::park;

/// Packs a clone of a published end for a node.
pub(super) type Packer = Box<dyn Fn(NodeId) -> Result<(Vec<u8>, Ends), String> + Send>;

/// The end that is published under a name.
pub(super) struct PublishedName {
    pub(super) secret: Mutex<Secret>,
    pub(super) shape: u64,
    pub(super) end: &'static str,
    /// `None` once it is published no more.
    pub(super) pack: Mutex<Option<Packer>>,
    pub(super) poison_passes: AtomicBool,
}

/// A socket that listens.
pub(super) struct Listener {
    pub(super) endpoint: Endpoint,
    pub(super) names: HashMap<String, Arc<PublishedName>>,
    pub(super) door: Arc<Mutex<StrangersDoor<tokio::task::AbortHandle>>>,
}

/// A connection with a link.
pub(super) struct LinkedProgram {
    pub(super) connection: Connection,
    pub(super) key: PublicKey,
    pub(super) from: SocketAddr,
    /// The place where the other program has asked for it. `None` if this one has asked.
    pub(super) at: Option<SocketAddr>,
    /// The names that the other program has connected to.
    pub(super) by: Vec<Arc<PublishedName>>,
    _alive: KeptAwake,
}

/// Counts as awake while something is published or connected, because others may go on with it.
pub(super) struct KeptAwake;

impl KeptAwake {
    pub(super) fn begin() -> Self {
        quiet::wake();
        Self
    }
}

impl Drop for KeptAwake {
    fn drop(&mut self) {
        quiet::fall_asleep();
    }
}

pub(super) struct State {
    pub(super) names: Names<PublicKey>,
    /// The key of this run.
    pub(super) key: ProgramKey,
    pub(super) listeners: HashMap<SocketAddr, Listener>,
    pub(super) callers: HashMap<IpAddr, Endpoint>,
    pub(super) links: HashMap<NodeId, LinkedProgram>,
    /// Connects one after the other to each program.
    pub(super) calls: HashMap<PublicKey, Arc<tokio::sync::Mutex<()>>>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| {
    Mutex::new(State {
        names: Names::new(Node::here().id()),
        key: ProgramKey::draw(),
        listeners: HashMap::new(),
        callers: HashMap::new(),
        links: HashMap::new(),
        calls: HashMap::new(),
    })
});

pub(super) fn state() -> MutexGuard<'static, State> {
    lock(&STATE)
}

static RUNTIME: OnceLock<Handle> = OnceLock::new();

/// Returns the runtime, whose thread is started at the first need.
///
/// # Errors
/// If this OS process can't have one.
pub(super) fn runtime() -> io::Result<Handle> {
    let node = Node::here();
    if node.has_parent() {
        return Err(io::Error::other(
            "only the OS process that the program began with can publish and connect: pass the end to this one",
        ));
    }
    if !node.is_here() {
        return Err(io::Error::other("this OS process is a copy that `fork` has made"));
    }
    static STARTS: Mutex<()> = Mutex::new(());
    let _one = lock(&STARTS);
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime.clone());
    }
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new().name("csp addresses".to_owned()).spawn(move || {
        quiet::ignore_this_thread();
        runtime.block_on(std::future::pending::<()>());
    })?;
    // SAFETY: the function may be called at any exit of this OS process.
    unsafe { libc::atexit(say_goodbye) };
    Ok(RUNTIME.get_or_init(|| handle).clone())
}

/// The longest time that the exit of a program waits until the others have heard of it.
const GOODBYE: Duration = Duration::from_millis(800);

/// Tells all that are connected that this program ends.
extern "C" fn say_goodbye() {
    let Some(runtime) = RUNTIME.get() else { return };
    if !Node::here().is_here() {
        return;
    }
    let until = Instant::now() + GOODBYE;
    while Node::here().is_backed_up_by_address() && Instant::now() < until {
        thread::sleep(Duration::from_millis(1));
    }
    let (tell, told) = mpsc::channel::<()>();
    runtime.spawn(async move {
        let endpoints: Vec<Endpoint> = {
            let state = state();
            let listening = state.listeners.values().map(|listener| listener.endpoint.clone());
            listening.chain(state.callers.values().cloned()).collect()
        };
        for endpoint in endpoints {
            endpoint.close().await;
        }
        drop(tell);
    });
    let _ = told.recv_timeout(GOODBYE);
}

/// Has a task done on that thread, and waits for what it returns. Other processes of this thread go on.
pub(super) fn done<R: Send + 'static>(
    task: impl Future<Output = R> + Send + 'static,
) -> io::Result<R> {
    let runtime = runtime()?;
    let (tell, told) = mpsc::channel();
    runtime.spawn(async move { drop(tell.send(task.await)) });
    let wait = move || told.recv();
    let done = match park::current().is_polled() {
        true => wait(),
        false => crate::backend::offload::io(wait),
    };
    done.map_err(|_| io::Error::other("the thread of addresses has ended"))
}

/// The time without any sign of life after which a connection is lost.
const SILENCE: Duration = Duration::from_secs(10);
/// The bytes that one side may have on their way.
const WINDOW: u32 = 1 << 20;

/// Makes an endpoint at this address and no other. `listens`: it takes connections.
pub(super) async fn endpoint(
    at: SocketAddr,
    key: SecretKey,
    listens: bool,
) -> io::Result<Endpoint> {
    let idle = IdleTimeout::try_from(SILENCE).map_err(io::Error::other)?;
    let transport = QuicTransportConfig::builder()
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(SILENCE / 4)
        .max_concurrent_bidi_streams(4_u32.into())
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(WINDOW.into())
        .send_window(u64::from(WINDOW))
        .datagram_receive_buffer_size(None)
        .build();
    let protocols = if listens { vec![PROTOCOL.to_vec()] } else { Vec::new() };
    // No relay, no lookup: both are absent unless they are asked for.
    Endpoint::builder(presets::Minimal)
        .clear_ip_transports()
        .clear_relay_transports()
        .clear_address_lookup()
        .bind_addr(at)
        .map_err(io::Error::other)?
        .secret_key(key)
        .alpns(protocols)
        .transport_config(transport)
        .net_report_config(NetReportConfig::minimal())
        .bind()
        .await
        .map_err(io::Error::other)
}

/// Returns the address of the one socket of an endpoint.
pub(super) fn bound(endpoint: &Endpoint) -> io::Result<SocketAddr> {
    let mut sockets = endpoint.bound_sockets().into_iter();
    sockets.next().ok_or_else(|| io::Error::other("no socket could be bound"))
}

/// Makes the link to a program, which has asked for it at the place `at`, if this one has not. Returns the name of its node
/// here, and the socket to copy to and from. Called on the thread of the runtime.
pub(super) fn link(
    node: u64,
    connection: &Connection,
    from: SocketAddr,
    at: Option<SocketAddr>,
) -> Result<(NodeId, tokio::net::UnixStream), NameRefused> {
    let here = Node::here();
    let key = connection.remote_id();
    let asked = if at.is_some() { AskedBySide::There } else { AskedBySide::Here };
    let is_known = |name| here.knows(name);
    let (name, lost) = state().names.meet(NodeId(node), key, asked, is_known)?;
    if let Some(lost) = lost {
        end(lost, "it has connected anew".to_owned());
    }
    let made = bridge::sockets().and_then(|(ends, socket)| {
        let kill = Box::new(move |reason: &str| end_later(name, reason.to_owned()));
        let on_loss = move |loss: crate::backend::subprocess::transport::stream::LinkLoss| {
            end_later(name, loss.to_string());
        };
        here.meet_by_address(name, ends, at.is_none(), kill, on_loss).map(|_| socket)
    });
    let Ok(socket) = made else {
        state().names.lost(name);
        return Err(NameRefused::TooOften);
    };
    let (connection, by) = (connection.clone(), Vec::new());
    let linked = LinkedProgram { connection, key, from, at, by, _alive: KeptAwake::begin() };
    state().links.insert(name, linked);
    Ok((name, socket))
}

/// Records that a linked program has connected to a name.
pub(super) fn join(id: NodeId, name: &Arc<PublishedName>) {
    if let Some(linked) = state().links.get_mut(&id)
        && !linked.by.iter().any(|by| Arc::ptr_eq(by, name))
    {
        linked.by.push(Arc::clone(name));
    }
    // `Published::poison_passes` has found this member, or what it has stored is seen here.
    if name.poison_passes.load(Ordering::Relaxed) {
        Node::here().pass_poison_of(id);
    }
}

/// Ends a link soon. May be called under the node's lock.
pub(super) fn end_later(name: NodeId, reason: String) {
    if let Some(runtime) = RUNTIME.get() {
        runtime.spawn(async move { end(name, reason) });
    }
}

/// Ends a link, if it is there.
fn end(name: NodeId, reason: String) {
    let linked = {
        let mut state = state();
        state.names.lost(name);
        state.links.remove(&name)
    };
    let Some(linked) = linked else { return };
    let process = format!("the program at {}", linked.from);
    Node::here().lost_by_address(name, process, reason);
    linked.connection.close(0_u32.into(), b"");
    let at = linked.at;
    drop(linked);
    if let Some(at) = at {
        close_unused(at);
    }
}

/// Closes a socket that nothing is published at any more, and that nobody is connected by.
pub(super) fn close_unused(at: SocketAddr) {
    let mut state = state();
    let is_used = state.links.values().any(|linked| linked.at == Some(at));
    if state.listeners.get(&at).is_none_or(|listener| is_used || !listener.names.is_empty()) {
        return;
    }
    if let (Some(listener), Some(runtime)) = (state.listeners.remove(&at), RUNTIME.get()) {
        runtime.spawn(async move { listener.endpoint.close().await });
    }
}
