//! Values on their way to other OS processes: bytes, and the channel ends in them as tokens.
//!
//! The user's `Serialize` and `Deserialize` run here, under no lock. Their panics become errors. An
//! end only goes along with a value of a channel, or with the arguments or the result of a process.
//! Elsewhere nobody would count it.
//!
//! Invariant: all of this works in a thread that ends, too, because the processes that a thread has
//! left to its end run after the destructors of all `thread_local!`s.

use serde::de::{self, DeserializeOwned};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser};
use std::any::type_name;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Mutex, PoisonError};

use super::codec::{self, Fields};
use super::described;
use super::failed::Failed;
use super::probe::probe;
use crate::backend::memory::store::Memory;
use crate::backend::subprocess::node::Node;
use crate::backend::subprocess::transport::inbox::longest_value;
use crate::channel::core::Core;
use crate::channel::far::names::{ChannelId, Direction, NodeId, Parcel, Token, TransitId};
use crate::channel::far::{BROKEN, Bytes, Codec, Far, Opened, PROMISE, Possible, Received, Remote};
use crate::channel::{Reader, Writer};
use crate::report::place::Birth;
use crate::sync::Arc;
use crate::wait::blocked::Side;
use crate::wait::{park, quietly};
use crate::watch::{registry, usage};

/// The kind of a value: the value itself, a promise of it, or the value with names.
const VALUE: u8 = 0;
const DESCRIBED: u8 = 2;

/// The way in which values of a type are packed.
#[derive(Clone)]
enum Form {
    Plain,
    /// Plain, if the first value shows that all fields that are read are written.
    First(Fields),
    Described,
}

std::thread_local! {
    /// By the place in memory of the type's name. A thread that has lost this asks each time.
    static FORMS: RefCell<HashMap<(usize, usize), Form>> = RefCell::default();
    /// The type that was packed last, if it is plain.
    static PLAIN: Cell<usize> = const { Cell::new(0) };
}

fn form_key<T>() -> (usize, usize) {
    let name = type_name::<T>();
    (name.as_ptr().addr(), name.len())
}

/// Returns how values of this type are packed. The type is asked once.
#[cold]
fn form<T: DeserializeOwned>() -> Form {
    let key = form_key::<T>();
    if let Ok(Some(form)) = FORMS.try_with(|forms| forms.borrow().get(&key).cloned()) {
        return form;
    }
    // The user's code will panic again where its panic is reported.
    let found = quietly::catch(probe::<T>).unwrap_or_default();
    let form = match found.asks {
        true => Form::Described,
        false => Form::First(Rc::new(found.fields)),
    };
    remember_form(key, form.clone());
    form
}

fn remember_form(key: (usize, usize), form: Form) {
    let _ = FORMS.try_with(|forms| forms.borrow_mut().insert(key, form));
}

/// Appends a value, with its form in front.
#[cold]
fn pack_in<T: Serialize>(value: &T, form: Form, to: &mut Vec<u8>) -> Result<(), Failed> {
    let fields = match form {
        Form::Plain => None,
        Form::First(fields) => Some(fields),
        Form::Described => {
            to.push(DESCRIBED);
            return described::pack(value, to);
        }
    };
    let (start, is_first) = (to.len(), fields.is_some());
    to.push(VALUE);
    let packed = codec::pack_to(value, to, fields);
    let form = match &packed {
        Ok(()) if is_first => Form::Plain,
        Err(failed) if failed.left_out => Form::Described,
        _ => return packed,
    };
    remember_form(form_key::<T>(), form.clone());
    match form {
        Form::Described => {
            to.truncate(start);
            pack_in(value, form, to)
        }
        _ => packed,
    }
}

/// The session of a process that packs or unpacks. User code may let other processes of its thread
/// go on meanwhile.
pub(super) struct Carrying {
    by: usize,
    node: &'static dyn Remote,
    pub(super) what: What,
}

pub(super) enum What {
    Packing { via: NodeId, tokens: Vec<Token> },
    Unpacking(Vec<Option<Token>>),
}

/// The sessions of the processes of one thread.
struct Sessions(RefCell<Vec<Carrying>>);

std::thread_local! {
    static CARRYING: Sessions = const { Sessions(RefCell::new(Vec::new())) };
}

/// The sessions of processes whose threads have lost `CARRYING`.
static LATE: Mutex<Vec<Carrying>> = Mutex::new(Vec::new());

impl Drop for Sessions {
    fn drop(&mut self) {
        let left = std::mem::take(self.0.get_mut());
        if !left.is_empty() {
            LATE.lock().unwrap_or_else(PoisonError::into_inner).extend(left);
        }
    }
}

/// Gives the sessions of this thread, or of all threads that have lost theirs. No user code may run
/// in `act`.
fn sessions<R>(act: impl FnOnce(&mut Vec<Carrying>) -> R) -> R {
    let mut act = Some(act);
    let mut take = || act.take().expect("it is called once");
    CARRYING
        .try_with(|sessions| take()(&mut sessions.0.borrow_mut()))
        .unwrap_or_else(|_| take()(&mut LATE.lock().unwrap_or_else(PoisonError::into_inner)))
}

fn by() -> usize {
    std::ptr::from_ref(park::current()).addr()
}

pub(super) fn carrying<R>(f: impl FnOnce(Option<&mut Carrying>) -> R) -> R {
    let by = by();
    sessions(|all| f(all.iter_mut().rev().find(|carrying| carrying.by == by)))
}

/// Lasts from its making to `end`. Ends that are left in it then have not gone anywhere.
struct Session;

impl Session {
    fn begin(node: &'static dyn Remote, what: What) -> Self {
        let by = by();
        sessions(|all| all.push(Carrying { by, node, what }));
        Self
    }

    fn close() -> Option<Carrying> {
        let by = by();
        sessions(|all| {
            let at = all.iter().rposition(|carrying| carrying.by == by)?;
            Some(all.remove(at))
        })
    }

    /// Returns the tokens of the ends that were packed.
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

/// Runs the user's code. A panic of it is an error.
fn guarded<T, R>(what: &str, act: impl FnOnce() -> Result<R, Failed>) -> Result<R, String> {
    match quietly::catch(act) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(format!("`{what}` of `{}` failed: {error}", type_name::<T>())),
        Err(payload) => {
            Err(format!("`{what}` of `{}` panicked: {}", type_name::<T>(), payload.told().0))
        }
    }
}

/// Packs a value up for `via`, which has charge of it next.
fn pack_for<T: Serialize + DeserializeOwned>(
    value: &T,
    node: &'static dyn Remote,
    via: NodeId,
    mut start: Vec<u8>,
) -> Result<(Vec<u8>, Vec<Token>), String> {
    let session = Session::begin(node, What::Packing { via, tokens: Vec::new() });
    let name = form_key::<T>().0;
    let bytes = guarded::<T, _>("Serialize", || {
        // A plain type, as last time. A value whose reader would count a missing field is packed
        // anew, with names.
        if PLAIN.get() == name {
            start.push(VALUE);
            match codec::pack_to(value, &mut start, None) {
                Ok(()) => return Ok(start),
                Err(failed) if failed.left_out => {}
                Err(failed) => return Err(failed),
            }
            remember_form(form_key::<T>(), Form::Described);
            start.pop();
        }
        // Any other type, by its form.
        let form = form::<T>();
        pack_in(value, form, &mut start)?;
        if start.first() == Some(&VALUE) {
            PLAIN.set(name);
        }
        Ok(start)
    })?;
    let longest = longest_value();
    if bytes.len() > longest {
        return Err(format!(
            "a value of {} bytes is too long, because another host takes at most {longest}: write it in parts",
            bytes.len(),
        ));
    }
    Ok((bytes, session.packed()))
}

fn encode<T: Serialize + DeserializeOwned>(
    value: &T,
    node: &'static dyn Remote,
    via: NodeId,
) -> Result<Parcel<Bytes>, String> {
    std::thread_local! {
        static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        /// The length of the last value. The next one may be as long.
        static LENGTH: Cell<usize> = const { Cell::new(0) };
    }
    let mut start = BUFFER.try_with(RefCell::take).unwrap_or_default();
    start.clear();
    if start.capacity() == 0 {
        start.reserve(LENGTH.get());
    }
    let (mut bytes, tokens) = pack_for(value, node, via, start)?;
    LENGTH.set(bytes.len());
    let body = Bytes::rest(&mut bytes, 0);
    if bytes.capacity() <= 4096 {
        // A short value has been copied, so the buffer is kept for the next one.
        let _ = BUFFER.try_with(|buffer| buffer.replace(bytes));
    }
    Ok(Parcel::new(body, tokens))
}

fn decode<T: Serialize + DeserializeOwned>(received: Received) -> Result<Opened<T>, String> {
    match received.body.first() {
        Some(&VALUE) => {
            let (body, node, tokens) = apart(received);
            unpack_from(&body[1..], node, tokens, false).map(Opened::Value)
        }
        Some(&DESCRIBED) => {
            let (body, node, tokens) = apart(received);
            unpack_from(&body[1..], node, tokens, true).map(Opened::Value)
        }
        Some(&PROMISE) => {
            let (node, turn) = (received.node, received.turn);
            let (_, _, mut tokens) = apart(received);
            let token = tokens.pop().ok_or("a promise of nothing")?;
            Ok(Opened::Late(Far::new(node, token.channel, ways::<T>()).in_turn(turn)))
        }
        Some(&BROKEN) => Err(String::from_utf8_lossy(&received.body[1..]).into_owned()),
        _ => Err("a value of no kind".to_owned()),
    }
}

fn apart(mut received: Received) -> (Bytes, &'static dyn Remote, Vec<Token>) {
    let tokens = std::mem::take(&mut received.tokens);
    (received.body.clone(), received.node, tokens)
}

fn unpack_from<T: DeserializeOwned>(
    bytes: &[u8],
    node: &'static dyn Remote,
    tokens: Vec<Token>,
    is_described: bool,
) -> Result<T, String> {
    let tokens = tokens.into_iter().map(Some).collect();
    let _session = Session::begin(node, What::Unpacking(tokens));
    guarded::<T, _>("Deserialize", || match is_described {
        false => codec::unpack(&mut &bytes[..]),
        true => described::unpack(&mut &bytes[..]),
    })
}

pub(crate) fn ways<T: Serialize + DeserializeOwned>() -> Codec<T> {
    Codec::new(encode::<T>, decode::<T>, Possible)
}

/// Appends a value. The ends in it go along if the process is [packing](Packing).
pub(crate) fn put<T: Serialize>(value: &T, to: &mut Vec<u8>) -> Result<(), String> {
    // If the type was not asked, only the fields that it writes are known.
    let asked = ASKED.replace(ManuallyDrop::new(None));
    let form = ManuallyDrop::into_inner(asked).unwrap_or(Form::Plain);
    pack_in(value, form, to).map_err(|error| error.to_string())
}

std::thread_local! {
    /// The form for the next value that is put. It has no destructor, so it outlasts those of all others.
    static ASKED: Cell<ManuallyDrop<Option<Form>>> = const { Cell::new(ManuallyDrop::new(None)) };
}

/// A marker in place of bytes. A value is not taken from it: its type is asked how the value that
/// is put next is to be packed.
static ASKS: [u8; 1] = [0];

pub(crate) fn asking() -> &'static [u8] {
    &ASKS
}

/// Takes the value in front. The ends in it belong to the session that is [unpacking](Unpacking).
pub(crate) fn take<T: DeserializeOwned>(from: &mut &[u8]) -> Result<T, String> {
    if std::ptr::eq(*from, asking()) {
        let asked = ManuallyDrop::new(Some(form::<T>()));
        drop(ManuallyDrop::into_inner(ASKED.replace(asked)));
        return Err("asked".to_owned());
    }
    let taken = match from.split_first() {
        Some((&VALUE, mut rest)) => {
            let value = codec::unpack(&mut rest);
            *from = rest;
            value
        }
        Some((&DESCRIBED, mut rest)) => {
            let value = described::unpack(&mut rest);
            *from = rest;
            value
        }
        _ => return Err("a value of no kind".to_owned()),
    };
    taken.map_err(|error| error.to_string())
}

/// The ends among the arguments of a process, or in its result.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Ends(pub(super) Vec<Written>);

impl Ends {
    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }
}

/// From here on the ends in the values that this process packs go to another node. If it is dropped
/// before it is done, they do not.
pub(crate) struct Packing(Session);

impl Packing {
    pub(crate) fn begin(to: NodeId) -> Self {
        Self(Session::begin(Node::here(), What::Packing { via: to, tokens: Vec::new() }))
    }

    pub(crate) fn done(self) -> Ends {
        Ends(self.0.packed().iter().map(Written::from).collect())
    }
}

/// These ends have come. Dropping it drops the ends that nobody has taken.
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

/// A token in its written form.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) home: u64,
    index: u64,
    writes: bool,
    pub(super) origin: u64,
    seq: u64,
    key: u64,
}

impl From<&Token> for Written {
    fn from(token: &Token) -> Self {
        Self {
            home: token.channel.home.0,
            index: token.channel.index,
            writes: token.direction == Direction::Write,
            origin: token.transit.origin.0,
            seq: token.transit.seq,
            key: token.transit.key,
        }
    }
}

impl From<Written> for Token {
    fn from(written: Written) -> Self {
        Self {
            channel: ChannelId { home: NodeId(written.home), index: written.index },
            direction: if written.writes { Direction::Write } else { Direction::Read },
            transit: TransitId {
                origin: NodeId(written.origin),
                seq: written.seq,
                key: written.key,
            },
        }
    }
}

/// Stands for an end among the bytes of a value.
#[derive(Serialize, Deserialize)]
struct End {
    /// Its place among the tokens.
    place: u32,
    /// The type of its values.
    values: u64,
    capacity: usize,
    name: Option<String>,
    /// The place where its channel was made: file, line, column.
    birth: (String, u32, u32),
}

/// FNV-1a (Fowler, Noll, Vo).
pub(super) fn kind<T>() -> u64 {
    let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    type_name::<T>().bytes().fold(0xcbf2_9ce4_8422_2325, fold)
}

/// Attaches memory to the values that this process packs. Returns the place of the end that stands
/// for it, or `None` if nothing is packed.
pub(super) fn attach(memory: &Memory) -> Option<u32> {
    let via = carrying(|carrying| match carrying {
        Some(Carrying { what: What::Packing { via, .. }, .. }) => Some(*via),
        _ => None,
    })?;
    let token = Node::here().keep(memory.clone(), via);
    Some(pushed(token))
}

pub(super) fn is_unpacking() -> bool {
    carrying(|carrying| matches!(carrying, Some(Carrying { what: What::Unpacking(_), .. })))
}

/// Takes the end that stands for the memory at this place.
pub(super) fn detach(place: u32) -> Option<Token> {
    taken(place, Direction::Read).map(|(_, token)| token)
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

fn taken(place: u32, direction: Direction) -> Option<(&'static dyn Remote, Token)> {
    carrying(|carrying| match carrying {
        Some(Carrying { node, what: What::Unpacking(tokens), .. }) => {
            let token = tokens.get_mut(place as usize)?;
            Some((*node, token.take_if(|token| token.direction == direction)?))
        }
        _ => None,
    })
}

#[cfg(feature = "address")]
pub(in crate::backend::subprocess) const ONE_CONNECTION: &str = "a channel end crosses one connection between programs only: it can't go from \
    there to a third program, nor to another OS process of this one. Make a channel here, and pass the values on";

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
    let far = core.share(node, ways::<T>()).map_err(ser::Error::custom)?;
    #[cfg(feature = "address")]
    if !node.may_cross(far.channel(), via) {
        return Err(ser::Error::custom(ONE_CONNECTION));
    }
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
    registry::list(&core, usage::scope());
    Ok(core)
}

/// An end crosses to another OS process in a value that is written to a channel. It also crosses
/// among the arguments or in the result of a process. Any other serializer returns an error. The end
/// it was made from stays, as if that had been cloned.
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

/// An end crosses to another OS process in a value that is written to a channel. It also crosses
/// among the arguments or in the result of a process. Any other serializer returns an error. The end
/// it was made from stays, as if that had been cloned.
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
