//! Values on their way to other OS processes: bytes, and the channel ends in them as tokens.
//!
//! The user's `Serialize` and `Deserialize` run here, under no lock; what they panic of becomes an error. An end is only
//! taken along by a value of a channel, or by the arguments or the result of a process: elsewhere nobody would count it.

use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use super::away::{Codec, Far, Opened};
use super::bytes::Bytes;
use super::codec::{self, Failed};
use super::memory::Memory;
use super::node::{Node, Received};
use super::protocol::{ChannelId, Direction, NodeId, Parcel, Token, TransitId};
use crate::channel::core::{Core, Side};
use crate::channel::{Reader, Writer};
use crate::park;
use crate::place::Birth;
use crate::sync::Arc;
use crate::termination::{Cause, Poison, Termination};
use crate::{leaks, registry};

/// What a value is: the value, or a promise of it.
const VALUE: u8 = 0;
const PROMISE: u8 = 1;

/// What is being packed or unpacked, and by whom: user code may let other processes of its thread go on meanwhile.
struct Carrying {
    by: usize,
    node: &'static Node,
    what: What,
}

enum What {
    Packing { via: NodeId, tokens: Vec<Token> },
    Unpacking(Vec<Option<Token>>),
}

std::thread_local! {
    static CARRYING: RefCell<Vec<Carrying>> = const { RefCell::new(Vec::new()) };
}

fn by() -> usize {
    std::ptr::from_ref(park::current()).addr()
}

fn carrying<R>(f: impl FnOnce(Option<&mut Carrying>) -> R) -> R {
    let by = by();
    CARRYING.with_borrow_mut(|all| f(all.iter_mut().rev().find(|carrying| carrying.by == by)))
}

/// From its making to `end`; what is left of it then has not gone anywhere.
struct Session;

impl Session {
    fn begin(node: &'static Node, what: What) -> Self {
        CARRYING.with_borrow_mut(|all| all.push(Carrying { by: by(), node, what }));
        Self
    }

    fn close() -> Option<Carrying> {
        let by = by();
        CARRYING.with_borrow_mut(|all| {
            let at = all.iter().rposition(|carrying| carrying.by == by)?;
            Some(all.remove(at))
        })
    }

    /// What was packed: the tokens of the ends in it.
    fn packed(self) -> Vec<Token> {
        let carrying = Self::close();
        std::mem::forget(self);
        match carrying.map(|carrying| carrying.what) {
            Some(What::Packing { tokens, .. }) => tokens,
            _ => Vec::new(),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        match Self::close() {
            Some(Carrying { node, what: What::Packing { tokens, .. }, .. }) => {
                tokens.into_iter().for_each(|token| node.discard(token));
            }
            Some(Carrying { node, what: What::Unpacking(tokens), .. }) => {
                for token in tokens.into_iter().flatten() {
                    node.drop_end(token.channel, token.direction);
                }
            }
            None => {}
        }
    }
}

/// Runs the user's code; what it panics of is an error.
fn guarded<T, R>(what: &str, act: impl FnOnce() -> Result<R, Failed>) -> Result<R, String> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("`{what}` of `{}` failed: {error}", type_name::<T>())),
        Err(payload) => {
            let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
            // What was thrown is the user's, and may panic when it is dropped.
            let _ = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            let text = text.unwrap_or_else(|| "something that is not text".to_owned());
            Err(format!("`{what}` of `{}` panicked: {text}", type_name::<T>()))
        }
    }
}

/// Packs a value up for `via`, who has charge of it next.
fn pack_for<T: Serialize>(
    value: &T,
    node: &'static Node,
    via: NodeId,
    start: Vec<u8>,
) -> Result<(Vec<u8>, Vec<Token>), String> {
    let session = Session::begin(node, What::Packing { via, tokens: Vec::new() });
    let bytes = guarded::<T, _>("Serialize", || codec::pack(value, start))?;
    Ok((bytes, session.packed()))
}

fn encode<T: Serialize>(
    value: &T,
    node: &'static Node,
    via: NodeId,
) -> Result<Parcel<Bytes>, String> {
    std::thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        /// How long the last value was: the next one may be as long.
        static LENGTH: Cell<usize> = const { Cell::new(0) };
    }
    let mut start = BUFFER.take();
    start.clear();
    if start.capacity() == 0 {
        start.reserve(LENGTH.get());
    }
    start.push(VALUE);
    let (mut bytes, tokens) = pack_for(value, node, via, start)?;
    LENGTH.set(bytes.len());
    let body = Bytes::rest(&mut bytes, 0);
    if bytes.capacity() <= 4096 {
        // Not taken, for the value is short: kept for the next one.
        BUFFER.set(bytes);
    }
    Ok(Parcel { body, tokens })
}

fn decode<T: Serialize + DeserializeOwned>(received: Received) -> Result<Opened<T>, String> {
    match received.body.first() {
        Some(&VALUE) => {
            let (body, node, tokens) = apart(received);
            unpack_from(&body[1..], node, tokens).map(Opened::Value)
        }
        Some(&PROMISE) => {
            let node = received.node;
            let (_, _, mut tokens) = apart(received);
            let token = tokens.pop().ok_or("a promise of nothing")?;
            Ok(Opened::Late(Far::new(node, token.channel, ways::<T>())))
        }
        _ => Err("a value of no kind".to_owned()),
    }
}

fn apart(mut received: Received) -> (Bytes, &'static Node, Vec<Token>) {
    let tokens = std::mem::take(&mut received.tokens);
    (received.body.clone(), received.node, tokens)
}

fn unpack_from<T: DeserializeOwned>(
    bytes: &[u8],
    node: &'static Node,
    tokens: Vec<Token>,
) -> Result<T, String> {
    let tokens = tokens.into_iter().map(Some).collect();
    let _session = Session::begin(node, What::Unpacking(tokens));
    guarded::<T, _>("Deserialize", || codec::unpack(&mut &bytes[..]))
}

pub(crate) fn ways<T: Serialize + DeserializeOwned>() -> Codec<T> {
    Codec { encode: encode::<T>, decode: decode::<T> }
}

/// Instead of a value: the end of a channel that it will come by.
pub(crate) fn promise<T>(late: &Arc<Core<T>>, far: &Far<T>) -> Result<Parcel<Bytes>, Termination> {
    let shared = late.share(far.codec()).map_err(|reason| {
        let process = park::current().path();
        Termination::Poisoned(Poison::new(Cause::Serialization { process, reason }))
    })?;
    let node = far.node();
    node.promises(shared.channel());
    let token = node.depart(shared.channel(), Direction::Read, far.channel().home);
    Ok(Parcel { body: Bytes::copy(&[PROMISE]), tokens: vec![token] })
}

/// Appends a value. The ends in it go along if somebody is [packing](Packing).
pub(crate) fn put<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<(), String> {
    *to = codec::pack(value, std::mem::take(to)).map_err(|error| error.to_string())?;
    Ok(())
}

/// Takes the value in front. The ends in it are those that are being [unpacked](Unpacking).
pub(crate) fn take<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, String> {
    codec::unpack(from).map_err(|error| error.to_string())
}

/// The ends among the arguments of a process, or in its result.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ends(Vec<Written>);

impl Ends {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }
}

/// From here on the ends in what this process packs go to another node; dropped before it is done, they do not.
pub(crate) struct Packing(Session);

impl Packing {
    pub(crate) fn begin(to: NodeId) -> Self {
        Self(Session::begin(Node::here(), What::Packing { via: to, tokens: Vec::new() }))
    }

    pub(crate) fn done(self) -> Ends {
        Ends(self.0.packed().iter().map(Written::from).collect())
    }
}

/// These ends have come; those that nobody has taken are dropped with it.
pub(crate) struct Unpacking(Session);

impl Unpacking {
    pub(crate) fn begin(ends: Ends) -> Self {
        let node = Node::here();
        let tokens: Vec<Token> = ends.0.into_iter().map(Token::from).collect();
        for token in &tokens {
            node.arrive(*token);
        }
        let tokens = tokens.into_iter().map(Some).collect();
        Self(Session::begin(node, What::Unpacking(tokens)))
    }
}

/// A token as it is written.
#[derive(Debug, Serialize, Deserialize)]
struct Written {
    home: u64,
    index: u64,
    writes: bool,
    origin: u64,
    seq: u64,
}

impl From<&Token> for Written {
    fn from(token: &Token) -> Self {
        Self {
            home: token.channel.home.0,
            index: token.channel.index,
            writes: token.direction == Direction::Write,
            origin: token.transit.origin.0,
            seq: token.transit.seq,
        }
    }
}

impl From<Written> for Token {
    fn from(written: Written) -> Self {
        Self {
            channel: ChannelId { home: NodeId(written.home), index: written.index },
            direction: if written.writes { Direction::Write } else { Direction::Read },
            transit: TransitId { origin: NodeId(written.origin), seq: written.seq },
        }
    }
}

/// What stands for an end among the bytes of a value.
#[derive(Serialize, Deserialize)]
struct End {
    /// Its place among the tokens.
    place: u32,
    /// Of which type its values are.
    values: u64,
    capacity: usize,
    name: Option<String>,
    /// Where its channel was made: file, line, column.
    birth: (String, u32, u32),
}

/// FNV-1a (Fowler, Noll, Vo).
fn kind<T>() -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    type_name::<T>().bytes().fold(0xcbf2_9ce4_8422_2325, fold)
}

/// Memory goes along with what this process packs: the place of the end that stands for it. None: nothing is packed.
pub(super) fn attach(memory: &Memory) -> Option<u32> {
    let (node, via) = carrying(|carrying| match carrying {
        Some(Carrying { node, what: What::Packing { via, .. }, .. }) => Some((*node, *via)),
        _ => None,
    })?;
    let token = node.keep(memory.clone(), via);
    Some(pushed(token))
}

pub(super) fn is_unpacking() -> bool {
    carrying(|carrying| matches!(carrying, Some(Carrying { what: What::Unpacking(_), .. })))
}

/// The end that stands for the memory at this place.
pub(super) fn detach(place: u32) -> Option<(&'static Node, Token)> {
    taken(place, Direction::Read)
}

fn pushed(token: Token) -> u32 {
    carrying(|carrying| match carrying {
        Some(Carrying { what: What::Packing { tokens, .. }, .. }) => {
            tokens.push(token);
            tokens.len() as u32 - 1
        }
        _ => u32::MAX,
    })
}

fn taken(place: u32, direction: Direction) -> Option<(&'static Node, Token)> {
    carrying(|carrying| match carrying {
        Some(Carrying { node, what: What::Unpacking(tokens), .. }) => {
            let token = tokens.get_mut(place as usize)?;
            Some((*node, token.take_if(|token| token.direction == direction)?))
        }
        _ => None,
    })
}

const ELSEWHERE: &str = "a channel end can leave its OS process only in a value that is written to a channel, or among the \
    arguments or in the result of a process: nobody else would count it";

fn send<T, S>(core: &Arc<Core<T>>, side: Side, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + DeserializeOwned,
    S: Serializer,
{
    let packing = carrying(|carrying| match carrying {
        Some(Carrying { node, what: What::Packing { via, .. }, .. }) => Some((*node, *via)),
        _ => None,
    });
    let Some((node, via)) = packing else {
        return Err(ser::Error::custom(ELSEWHERE));
    };
    let far = core.share(ways::<T>()).map_err(ser::Error::custom)?;
    let token = node.depart(far.channel(), side.into(), via);
    let place = pushed(token);
    let name = core.name().map(str::to_owned);
    let made = core.birth().place();
    let birth = (made.file().to_owned(), made.line(), made.column());
    End { place, values: kind::<T>(), capacity: core.capacity(), name, birth }.serialize(serializer)
}

fn receive<'de, T, D>(side: Side, deserializer: D) -> Result<Arc<Core<T>>, D::Error>
where
    T: Serialize + DeserializeOwned,
    D: Deserializer<'de>,
{
    let direction = Direction::from(side);
    if !is_unpacking() {
        return Err(de::Error::custom(ELSEWHERE));
    }
    let end = End::deserialize(deserializer)?;
    if end.values != kind::<T>() {
        let text = format!("this end is not of a channel of `{}`", type_name::<T>());
        return Err(de::Error::custom(text));
    }
    let Some((node, token)) = taken(end.place, direction) else {
        return Err(de::Error::custom("this end is not in the value"));
    };
    let (file, line, column) = end.birth;
    let birth = Birth::there(file, line, column);
    let core = Core::far(Far::new(node, token.channel, ways::<T>()), side, end.capacity, birth);
    if let Some(name) = end.name {
        core.set_name(name.into_boxed_str());
    }
    let core = Arc::new(core);
    registry::list(&core, leaks::scope());
    Ok(core)
}

/// An end crosses to another OS process in a value that is written to a channel, or among the arguments or in the result
/// of a process; with any other serializer it is an error. The end it was made from stays, as if that had been cloned.
impl<T: Serialize + DeserializeOwned> Serialize for Reader<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        send(self.core(), Side::Reader, serializer)
    }
}

/// See [`Serialize`](#impl-Serialize-for-Reader<T>).
impl<'de, T: Serialize + DeserializeOwned> Deserialize<'de> for Reader<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        receive(Side::Reader, deserializer).map(Reader::arrived)
    }
}

/// An end crosses to another OS process in a value that is written to a channel, or among the arguments or in the result
/// of a process; with any other serializer it is an error. The end it was made from stays, as if that had been cloned.
impl<T: Serialize + DeserializeOwned> Serialize for Writer<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        send(self.core(), Side::Writer, serializer)
    }
}

/// See [`Serialize`](#impl-Serialize-for-Writer<T>).
impl<'de, T: Serialize + DeserializeOwned> Deserialize<'de> for Writer<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        receive(Side::Writer, deserializer).map(Writer::arrived)
    }
}
