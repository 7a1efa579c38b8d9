//! [`Alternation`]: the choice whose guards are not known before the program runs.

#![allow(unsafe_code)]

use std::borrow::Borrow;
use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use crate::alternation::{Guards, Standing, choose_from};
use crate::barrier::{self, Barrier};
use crate::channel::core::Core;
use crate::channel::{Extended, Reader, Writer};
use crate::guard::{self, At, Delivery, Input, Output, Stand};
use crate::io::{self, Call, Due};
use crate::park;
use crate::sync::Arc;
use crate::termination::Termination;

/// A choice between guards that are added, enabled and disabled at run time, and kept from round to round.
///
/// Each guard comes with a closure that is called when the guard was chosen, after its communication; what that
/// returns, of one type `R` for all, is what [`choose`](Self::choose) returns. Guards on channels of different types, inputs and
/// outputs, timeouts and barriers may be mixed. An end may be borrowed or owned.
///
/// `new` makes a fair one: called in a loop, a guard that stays ready is chosen before any other is chosen twice,
/// whatever is enabled, disabled or added in between. `by_priority` takes the first ready guard in the order in which they
/// were added. Otherwise it does what [`alt!`](crate::alt) does, and ends as that ends.
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
    /// The guards that count from the beginning of a round.
    timed: Vec<usize>,
    fair: bool,
    start: usize,
    last: Option<usize>,
    /// What a choice that is awaited stands with.
    standing: Option<Box<Standing>>,
}

/// A guard with its closure.
trait Arm<R> {
    /// A round begins; for guards of time.
    fn begin(&self) {}
    fn guard(&self) -> &dyn Stand;
    /// It was chosen. An error: its value can't leave this OS process.
    fn perform(&mut self, place: &'static Location<'static>) -> Result<R, Termination>;
    /// It was chosen by one who awaits: what is to be awaited before it is [concluded](Self::conclude).
    fn hand_over(&mut self, _place: &'static Location<'static>) -> Option<Delivery> {
        None
    }
    /// The rest of `perform`, after [`hand_over`](Self::hand_over).
    fn conclude(&mut self, place: &'static Location<'static>) -> Result<R, Termination> {
        self.perform(place)
    }
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
    /// A fair one, without guards.
    pub const fn new() -> Self {
        Self::without_guards(true)
    }

    /// One that takes the first ready guard in order, without guards.
    pub const fn by_priority() -> Self {
        Self::without_guards(false)
    }

    const fn without_guards(fair: bool) -> Self {
        Self { arms: Vec::new(), timed: Vec::new(), fair, start: 0, last: None, standing: None }
    }

    fn add(&mut self, arm: impl Arm<R> + 'a) -> usize {
        self.withdraw();
        self.arms.push((true, Box::new(arm)));
        self.arms.len() - 1
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
        mut then: impl FnMut(Extended<'static, T>) -> R + 'a,
    ) -> usize {
        let input = Input::new(Arc::clone(end.borrow().core()));
        let then = move |value, release| then(Extended::new(value, release));
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
        self.add(TimeArm { at: guard::after(duration), then })
    }

    /// Is ready from that time on.
    pub fn at(&mut self, instant: Instant, then: impl FnMut() -> R + 'a) -> usize {
        self.add(TimeArm { at: guard::at(instant), then })
    }

    /// Is ready when the channel of this end is retired and has nothing left to read.
    pub fn retired<E: guard::End + 'a>(&mut self, end: E, then: impl FnMut() -> R + 'a) -> usize {
        self.add(PlainArm { guard: guard::watch(&end), then, _held: end })
    }

    /// Is ready when all others that are enrolled wait for the barrier.
    pub fn sync(
        &mut self,
        barrier: impl Borrow<Barrier> + 'a,
        then: impl FnMut() -> R + 'a,
    ) -> usize {
        self.add(PlainArm { guard: barrier::sync_of(barrier.borrow()), then, _held: barrier })
    }

    /// Makes a blocking call, and gives its result; see [`Call`], which may be borrowed or owned.
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
        self.add(IoArm { due: io::due_of(call), then })
    }

    /// Is always ready; for [`by_priority`](Self::by_priority), as the last one.
    ///
    /// # Panics
    /// In a fair alternation: it would poll.
    #[track_caller]
    pub fn skip(&mut self, then: impl FnMut() -> R + 'a) -> usize {
        assert!(
            !self.fair,
            "`skip` is for `by_priority`: a fair choice would take it though others are ready"
        );
        self.add(PlainArm { guard: guard::skip(), then, _held: () })
    }

    /// Takes a guard into the choice, or leaves it out, from the next round on. Guards are enabled when added.
    ///
    /// # Panics
    /// If there is no guard of this index: guards are counted from 0, and each method that adds one returns its index.
    #[track_caller]
    pub fn enable(&mut self, index: usize, enabled: bool) {
        self.withdraw();
        let count = self.arms.len();
        let Some((taken, _)) = self.arms.get_mut(index) else {
            panic!("there is no guard {index}: the alternation has {count}, counted from 0");
        };
        *taken = enabled;
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
        let start = self.begin_round();
        let index = choose_from(park::current(), &self.arms[..], start, place)?;
        self.start = index + 1;
        self.last = Some(index);
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

    /// A round begins; where it looks first.
    fn begin_round(&mut self) -> usize {
        self.withdraw();
        for &index in &self.timed {
            self.arms[index].1.begin();
        }
        if self.fair { self.start } else { 0 }
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
        let start = match begun {
            false => alternation.begin_round(),
            true if alternation.fair => alternation.start,
            true => 0,
        };
        let standing = alternation.standing.get_or_insert_with(|| Box::new(Standing::new(place)));
        if !begun {
            let guards = alternation.arms.iter();
            // SAFETY: it is in a box, the guards are in others, and whatever changes them withdraws first.
            unsafe {
                standing.begin(guards.map(|(enabled, arm)| enabled.then(|| arm.guard())), place);
            }
        }
        // SAFETY: as above.
        let Poll::Ready(chosen) = (unsafe { standing.poll(start, waking.waker()) }) else {
            return Poll::Pending;
        };
        let index = match chosen {
            Ok(index) => index,
            Err(termination) => return Poll::Ready(Err(termination)),
        };
        alternation.start = index + 1;
        alternation.last = Some(index);
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

struct ReadArm<T, E, F> {
    input: Input<T, Arc<Core<T>>, false>,
    then: F,
    _end: E,
}

impl<T, E, R, F: FnMut(T) -> R> Arm<R> for ReadArm<T, E, F> {
    fn guard(&self) -> &dyn Stand {
        &self.input
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(self.input.value()))
    }
}

struct BeginArm<T, E, F> {
    input: Input<T, Arc<Core<T>>, true>,
    then: F,
    _end: E,
}

impl<T, E, R, F> Arm<R> for BeginArm<T, E, F>
where
    F: FnMut(T, crate::channel::core::Release<T>) -> R,
{
    fn guard(&self) -> &dyn Stand {
        &self.input
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(self.input.value(), self.input.release()))
    }
}

struct WriteArm<T, E, V, F> {
    output: Output<T, Arc<Core<T>>>,
    value: V,
    then: F,
    _end: E,
}

impl<T, E, R, V: FnMut() -> T, F: FnMut() -> R> Arm<R> for WriteArm<T, E, V, F> {
    fn guard(&self) -> &dyn Stand {
        &self.output
    }

    fn perform(&mut self, place: &'static Location<'static>) -> Result<R, Termination> {
        let handover = self.output.handover(place);
        handover.deliver((self.value)())?;
        Ok((self.then)())
    }

    fn hand_over(&mut self, place: &'static Location<'static>) -> Option<Delivery> {
        let handover = self.output.handover(place);
        Some(handover.deliver_async((self.value)()))
    }

    fn conclude(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)())
    }
}

struct IoArm<T, C, F> {
    due: Due<T, C>,
    then: F,
}

impl<T: Send + 'static, C: Borrow<Call<T>>, R, F: FnMut(T) -> R> Arm<R> for IoArm<T, C, F> {
    fn guard(&self) -> &dyn Stand {
        &self.due
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)(self.due.result()))
    }
}

struct TimeArm<F> {
    at: At,
    then: F,
}

impl<R, F: FnMut() -> R> Arm<R> for TimeArm<F> {
    fn begin(&self) {
        self.at.begin();
    }

    fn guard(&self) -> &dyn Stand {
        &self.at
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)())
    }
}

/// A guard that gives nothing.
struct PlainArm<G, H, F> {
    guard: G,
    then: F,
    _held: H,
}

impl<G: Stand, H, R, F: FnMut() -> R> Arm<R> for PlainArm<G, H, F> {
    fn guard(&self) -> &dyn Stand {
        &self.guard
    }

    fn perform(&mut self, _: &'static Location<'static>) -> Result<R, Termination> {
        Ok((self.then)())
    }
}
