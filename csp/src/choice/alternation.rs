//! [`Alternation`]: the choice whose guards are not known before the program runs.

#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::arms::{Arm, BeginArm, IoArm, JoinArm, PlainArm, ReadArm, TimeArm, WriteArm};
use super::barrier::{self, Barrier};
use super::choose::{Guards, Order, Standing, choose_first, choose_from};
use super::guard::{self, Stand};
use super::guards::call::{Call, due_of};
use super::guards::join::{self, Joined};
use super::guards::late::{Delivery, Output};
use super::guards::read::Input;
use super::guards::retired::{self, End};
use super::guards::time;
use crate::channel::{Extended, Reader, Writer};
use crate::process::Failure;
use crate::report::termination::Termination;
use crate::sync::Arc;
use crate::wait::park;

/// A choice between guards that are added, enabled and disabled at run time, and kept from round to round.
///
/// Each guard comes with a closure that is called when the guard was chosen, after its communication; what that
/// returns, of one type `R` for all, is what [`choose`](Self::choose) returns. Guards on channels of different types, inputs and
/// outputs, timeouts and barriers may be mixed. An end may be borrowed or owned.
///
/// `new` makes a fair one: called in a loop, a guard that stays ready is chosen before any other is chosen twice,
/// whatever is enabled, disabled or added in between. `by_priority` takes the first ready guard in the order in which they
/// were added, as [`pri_alt!`](crate::pri_alt) does, at one moment. Otherwise it does what [`alt!`](crate::alt) does, and ends as that ends.
///
/// Idea: `Alternative` of JCSP (`fairSelect`, `priSelect`), `Alternation` of PyCSP.
///
/// ```
/// use csp::{parallel, process, Alternation, Channel, Reader, Writer};
///
/// #[process]
/// fn source(out: Writer<usize>, n: usize) -> csp::Result {
///     for _ in 0..100 {
///         out.write(n)?;
///     }
///     Ok(())
/// }
/// #[process]
/// fn merge(inputs: Vec<Reader<usize>>) -> Vec<usize> {
///     let mut counts = vec![0; inputs.len()];
///     let mut choice = Alternation::new();
///     for input in inputs {
///         choice.read(input, |n| n);
///     }
///     while let Ok(n) = choice.choose() {      // until all have retired
///         counts[n] += 1;
///     }
///     drop(choice);
///     counts
/// }
///
/// let channels = 5 * Channel::new();
/// let sources: Vec<_> = channels.iter().enumerate().map(|(n, c)| source(c.writer(), n)).collect();
/// let inputs = channels.iter().map(Channel::reader).collect();
/// let (_, counts) = parallel!(sources, merge(inputs));
/// assert_eq!(counts, [100; 5]);
/// ```
pub struct Alternation<'a, R> {
    arms: Vec<(bool, Box<dyn Arm<R> + 'a>)>,
    /// The indices of the guards, in order. A guard that was removed leaves no gap in `arms`, and its index is not used again.
    indices: Vec<usize>,
    next: usize,
    /// The places of the guards that count from the beginning of a round.
    timed: Vec<usize>,
    fair: bool,
    start: usize,
    last: Option<usize>,
    /// The offers of a choice that is awaited.
    standing: Option<Box<Standing>>,
}

impl<R> Guards for [(bool, Box<dyn Arm<R> + '_>)] {
    fn len(&self) -> usize {
        <[_]>::len(self)
    }

    fn get(&self, index: usize) -> Option<&dyn Stand> {
        let (enabled, arm) = &self[index];
        enabled.then(|| arm.guard())
    }
}

impl<'a, R> Alternation<'a, R> {
    /// Makes a fair alternation without guards.
    #[must_use]
    pub const fn new() -> Self {
        Self::without_guards(true)
    }

    /// Makes an alternation without guards that takes the first ready one in order.
    #[must_use]
    pub const fn by_priority() -> Self {
        Self::without_guards(false)
    }

    const fn without_guards(fair: bool) -> Self {
        Self {
            arms: Vec::new(),
            indices: Vec::new(),
            next: 0,
            timed: Vec::new(),
            fair,
            start: 0,
            last: None,
            standing: None,
        }
    }

    /// Adds an arm of a room above.
    #[allow(dead_code, reason = "for descriptors")]
    pub(crate) fn add_arm(&mut self, arm: impl Arm<R> + 'a) -> usize {
        self.add(arm)
    }

    fn add(&mut self, arm: impl Arm<R> + 'a) -> usize {
        self.withdraw();
        self.arms.push((true, Box::new(arm)));
        self.indices.push(self.next);
        self.next += 1;
        self.next - 1
    }

    /// Reads a value. Gives the index of the guard, as all that add one.
    pub fn read<T: 'a>(
        &mut self,
        end: impl Borrow<Reader<T>> + 'a,
        then: impl FnMut(T) -> R + 'a,
    ) -> usize {
        let input = Input::new(Arc::clone(end.borrow().core()));
        self.add(ReadArm { input, then, _end: end })
    }

    /// Reads a value by extended rendezvous: its writer goes on when the closure has dropped the guard it gets.
    pub fn begin<T: 'static>(
        &mut self,
        end: impl Borrow<Reader<T>> + 'a,
        then: impl FnMut(Extended<'static, T>) -> R + 'a,
    ) -> usize {
        let input = Input::new(Arc::clone(end.borrow().core()));
        self.add(BeginArm { input, then, _end: end })
    }

    /// Writes a value, which is made when a reader has committed.
    pub fn write<T: 'a>(
        &mut self,
        end: impl Borrow<Writer<T>> + 'a,
        value: impl FnMut() -> T + 'a,
        then: impl FnMut() -> R + 'a,
    ) -> usize {
        let output = Output::new(Arc::clone(end.borrow().core()));
        self.add(WriteArm { output, value, then, _end: end })
    }

    /// Is ready so long after each call of [`choose`](Self::choose).
    pub fn after(&mut self, duration: Duration, then: impl FnMut() -> R + 'a) -> usize {
        self.timed.push(self.arms.len());
        self.add(TimeArm { at: time::after(duration), then })
    }

    /// Is ready from that time on.
    pub fn at(&mut self, instant: Instant, then: impl FnMut() -> R + 'a) -> usize {
        self.add(TimeArm { at: time::at(instant), then })
    }

    /// Is ready when the channel of this end is retired and has nothing left to read.
    pub fn retired<E: End + 'a>(&mut self, end: E, then: impl FnMut() -> R + 'a) -> usize {
        self.add(PlainArm { guard: retired::watch(&end), then, _held: end })
    }

    /// Is ready when all others that are enrolled wait for the barrier.
    pub fn sync(
        &mut self,
        barrier: impl Borrow<Barrier> + 'a,
        then: impl FnMut() -> R + 'a,
    ) -> usize {
        self.add(PlainArm { guard: barrier::sync_of(barrier.borrow()), then, _held: barrier })
    }

    /// Makes a blocking call, and gives its result. The [`Call`] may be borrowed or owned.
    ///
    /// ```
    /// # use csp::{Alternation, io::Call};
    /// let mut choice = Alternation::new();
    /// choice.io(Call::new(|| std::fs::metadata("Cargo.toml")), |found| found.is_ok());
    /// assert_eq!(choice.choose(), Ok(true));
    /// ```
    pub fn io<T: Send + 'static>(
        &mut self,
        call: impl Borrow<Call<T>> + 'a,
        then: impl FnMut(T) -> R + 'a,
    ) -> usize {
        self.add(IoArm { due: due_of(call), then })
    }

    /// Waits for the end of a spawned process. The closure is given its result, or its failure. From then on the guard counts as one of
    /// a channel that has retired.
    ///
    /// ```
    /// # use csp::{Alternation, process, spawn};
    /// #[process]
    /// fn square(n: u32) -> u32 { n * n }
    ///
    /// let mut choice = Alternation::new();
    /// for n in 1..=3 {
    ///     choice.join(spawn(square(n)), |square| square.unwrap());
    /// }
    /// let mut sum = 0;
    /// while let Ok(square) = choice.choose() {
    ///     sum += square;
    /// }
    /// assert_eq!(sum, 14);
    /// ```
    pub fn join<C: Joined + 'a>(
        &mut self,
        child: C,
        then: impl FnMut(Result<C::Result, Failure>) -> R + 'a,
    ) -> usize
    where
        C::Result: 'a,
    {
        self.add(JoinArm { end: join::try_join(&child), then, _child: child })
    }

    /// Is always ready. It is useful as the last guard of [`by_priority`](Self::by_priority).
    ///
    /// # Panics
    /// In a fair alternation: it would poll.
    #[track_caller]
    pub fn skip(&mut self, then: impl FnMut() -> R + 'a) -> usize {
        assert!(
            !self.fair,
            "`skip` is for `by_priority`: a fair choice would take it though others are ready"
        );
        self.add(PlainArm { guard: time::skip(), then, _held: () })
    }

    /// Takes a guard into the choice, or leaves it out, from the next round on. Guards are enabled when added.
    ///
    /// # Panics
    /// If there is no guard of this index: guards are counted from 0, and each method that adds one returns its index.
    #[track_caller]
    #[doc(alias = "enable")]
    pub fn set_enabled(&mut self, index: usize, enabled: bool) {
        self.withdraw();
        let at = self.place_of(index);
        self.arms[at].0 = enabled;
    }

    /// Removes a guard, and drops its end and its closures. The indices of the others stay the same.
    ///
    /// # Panics
    /// Panics if there is no guard of this index.
    ///
    /// ```
    /// # use csp::{Alternation, Channel};
    /// let (clients, mut choice) = (2 * Channel::buffered(1), Alternation::new());
    /// let indices: Vec<_> = clients.iter().map(|client| choice.read(client.reader(), |n| n)).collect();
    /// let writers: Vec<_> = clients.iter().map(Channel::writer).collect();
    /// choice.remove(indices[0]);
    /// assert!(writers[0].write(1).is_err(), "its only reader has gone");
    /// writers[1].write(2).unwrap();
    /// assert_eq!((choice.choose(), choice.chosen()), (Ok(2), Some(indices[1])));
    /// ```
    #[track_caller]
    pub fn remove(&mut self, index: usize) {
        self.withdraw();
        let at = self.place_of(index);
        let removed = self.arms.remove(at);
        self.indices.remove(at);
        self.timed.retain(|&timed| timed != at);
        self.timed.iter_mut().filter(|timed| **timed > at).for_each(|timed| *timed -= 1);
        // The next turn is that of the same guard as before.
        self.start -= usize::from(self.start > at);
        // The end and the closures are the user's, and may panic.
        drop(removed);
    }

    #[track_caller]
    fn place_of(&self, index: usize) -> usize {
        match self.indices.binary_search(&index) {
            Ok(at) => at,
            Err(_) => panic!(
                "there is no guard {index}: the alternation has {}, and has had {}, counted from 0",
                self.arms.len(),
                self.next
            ),
        }
    }

    /// How many guards there are.
    pub fn len(&self) -> usize {
        self.arms.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.arms.is_empty()
    }

    /// The guard that was chosen last.
    pub fn chosen(&self) -> Option<usize> {
        self.last
    }

    /// Waits until a guard is ready, performs it, and gives what its closure returns.
    ///
    /// # Errors
    /// [`Termination::Retired`] when the channels of all enabled guards have retired, timeouts or not;
    /// [`Termination::Poisoned`] when one is poisoned, or when no guard is enabled at all.
    #[track_caller]
    pub fn choose(&mut self) -> Result<R, Termination> {
        let place = Location::caller();
        let context = park::current();
        let index = match self.begin_round() {
            Order::From(start) => choose_from(context, &self.arms[..], start, place)?,
            Order::Priority => choose_first(context, &self.arms[..], place)?,
        };
        self.start = index + 1;
        self.last = Some(self.indices[index]);
        self.arms[index].1.perform(place)
    }

    /// [`choose`](Self::choose) in an `async` process.
    ///
    /// Dropped before it is done it leaves no trace, but that a value that it had been handed is the next reader's, as with
    /// [`read_async`](Reader::read_async).
    ///
    /// # Errors
    /// As [`choose`](Self::choose).
    #[track_caller]
    pub fn choose_async(
        &mut self,
    ) -> impl Future<Output = Result<R, Termination>> + use<'_, 'a, R> {
        let place = Location::caller();
        ChooseAsync { alternation: self, begun: false, chosen: None, place }
    }

    /// Begins a round. Returns the guard that it looks at first.
    fn begin_round(&mut self) -> Order {
        self.withdraw();
        for &index in &self.timed {
            self.arms[index].1.begin();
        }
        self.order()
    }

    fn order(&self) -> Order {
        if self.fair { Order::From(self.start) } else { Order::Priority }
    }

    /// Nothing stands any more.
    fn withdraw(&mut self) {
        if let Some(standing) = &mut self.standing {
            standing.withdraw();
        }
    }
}

impl<R> Drop for Alternation<'_, R> {
    fn drop(&mut self) {
        self.withdraw();
    }
}

struct ChooseAsync<'c, 'a, R> {
    alternation: &'c mut Alternation<'a, R>,
    begun: bool,
    /// Its value is with a reader who may keep it waiting.
    chosen: Option<(usize, Delivery)>,
    place: &'static Location<'static>,
}

impl<R> Future for ChooseAsync<'_, '_, R> {
    type Output = Result<R, Termination>;

    fn poll(mut self: Pin<&mut Self>, waking: &mut Context<'_>) -> Poll<Self::Output> {
        let (place, begun) = (self.place, std::mem::replace(&mut self.begun, true));
        if let Some((index, delivery)) = &mut self.chosen {
            let index = *index;
            let delivered = ready!(Pin::new(delivery).poll(waking));
            self.chosen = None;
            delivered?;
            return Poll::Ready(self.alternation.arms[index].1.conclude(place));
        }
        let alternation = &mut *self.alternation;
        let order = if begun { alternation.order() } else { alternation.begin_round() };
        let standing = alternation.standing.get_or_insert_with(|| Box::new(Standing::new(place)));
        if !begun {
            let guards = alternation.arms.iter();
            // SAFETY: it is in a box, the guards are in others, and whatever changes them withdraws first.
            unsafe {
                standing.begin(guards.map(|(enabled, arm)| enabled.then(|| arm.guard())), place);
            }
        }
        // SAFETY: as above.
        let Poll::Ready(chosen) = (unsafe { standing.poll(order, waking.waker()) }) else {
            return Poll::Pending;
        };
        let index = match chosen {
            Ok(index) => index,
            Err(termination) => return Poll::Ready(Err(termination)),
        };
        alternation.start = index + 1;
        alternation.last = Some(alternation.indices[index]);
        if let Some(mut delivery) = alternation.arms[index].1.hand_over(place) {
            match Pin::new(&mut delivery).poll(waking) {
                Poll::Ready(delivered) => delivered?,
                Poll::Pending => {
                    self.chosen = Some((index, delivery));
                    return Poll::Pending;
                }
            }
        }
        Poll::Ready(alternation.arms[index].1.conclude(place))
    }
}

impl<R> Drop for ChooseAsync<'_, '_, R> {
    fn drop(&mut self) {
        self.alternation.withdraw();
    }
}

impl<R> Default for Alternation<'_, R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Alternation<'_, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        for (enabled, arm) in &self.arms {
            let state = if *enabled { "" } else { "disabled: " };
            list.entry(&format_args!("{state}{:?}", guard::Entry(Some(arm.guard()))));
        }
        list.finish()
    }
}
