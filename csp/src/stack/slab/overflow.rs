//! The report of a process that needs more stack than it has: a message that names it, and the end
//! of the program.
//!
//! A fault in a guard comes as a signal on a stack of its own, because the overflowed stack has no
//! room. The handler runs between any two instructions, so it allocates nothing, locks nothing and
//! only writes. Other faults go on to the handler that was there before. Rust's own handler for the
//! stacks of threads is among those.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fmt::{self, Write};
use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::time::Duration;

use super::region::StackSlot;
use super::stack::page;
use crate::system::stderr;

/// Writes the path of the process that runs on this thread, for a signal handler. It must not
/// allocate, lock or fail.
pub(crate) type Name = fn(&mut dyn Write) -> fmt::Result;

static NAME: OnceLock<Name> = OnceLock::new();

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];
/// The former actions, in the order of `SIGNALS`. They are complete before the handler is
/// installed.
static BEFORE: [OnceLock<libc::sigaction>; 2] = [const { OnceLock::new() }; 2];

/// Sets how processes are named in the message. The first call counts.
pub(crate) fn name_by(name: Name) {
    let _ = NAME.set(name);
}

/// Names overflows of this thread's own stack too. The standard library does that, unless it was
/// not there at the start: in a child that is caught ahead of `main`.
pub(crate) fn watch_stack_of_this_thread(name: Name) {
    name_by(name);
    // SAFETY: the thread asks about itself, with memory for the answers.
    let known = unsafe {
        let mut attributes: libc::pthread_attr_t = zeroed();
        if libc::pthread_getattr_np(libc::pthread_self(), &mut attributes) != 0 {
            return;
        }
        let (mut start, mut size, mut guard) = (null_mut(), 0, 0);
        let known = libc::pthread_attr_getstack(&attributes, &mut start, &mut size) == 0
            && libc::pthread_attr_getguardsize(&attributes, &mut guard) == 0;
        libc::pthread_attr_destroy(&mut attributes);
        known.then_some(OwnStack { start: start.addr(), end: start.addr() + size, guard })
    };
    if let Some(stack) = known {
        OWN.set(Some(stack));
        watch_this_thread();
    }
}

/// The stack that a thread was made with. It depends on the C library whether its guard lies below
/// `start` or above.
#[derive(Clone, Copy)]
struct OwnStack {
    start: usize,
    end: usize,
    guard: usize,
}

thread_local! {
    static OWN: Cell<Option<OwnStack>> = const { Cell::new(None) };
}

impl OwnStack {
    fn overflows(self, address: usize, stack_pointer: usize) -> bool {
        let guard = self.start - self.guard..self.start + self.guard;
        guard.contains(&address)
            && (self.start.saturating_sub(LARGE_FRAME)..self.end).contains(&stack_pointer)
    }
}

/// Prepares this thread before its first stack is used: the handler is installed, and has a stack
/// to run on here.
pub(super) fn watch_this_thread() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(install);
    // A thread that is ending has made its own arrangements.
    let _ = ALTERNATE.try_with(AlternateStack::provide);
}

fn install() {
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        // SAFETY: reads the present action, keeps it, and only then installs a handler that does
        // only what a handler may.
        unsafe {
            let mut present = zeroed();
            libc::sigaction(signal, std::ptr::null(), &mut present);
            let _ = before.set(present);
            let mut ours: libc::sigaction = zeroed();
            ours.sa_sigaction = on_fault as *const () as libc::sighandler_t;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &ours, null_mut());
        }
    }
}

extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel passes these to a handler with SA_SIGINFO.
    let (code, address, stack_pointer) =
        unsafe { ((*info).si_code, (*info).si_addr().addr(), stack_pointer(context.cast())) };
    // A code above 0 is from the kernel, and then the address is one.
    if code > 0
        && let Some(slot) = StackSlot::at(address)
        && overflows(slot, address, stack_pointer)
    {
        report(slot.class.bytes());
        // SAFETY: may be called from a handler.
        unsafe { libc::abort() };
    }
    if code > 0
        && let Ok(Some(stack)) = OWN.try_with(Cell::get)
        && stack.overflows(address, stack_pointer)
    {
        report((stack.end - stack.start).next_multiple_of(1 << 10));
        // SAFETY: as above.
        unsafe { libc::abort() };
    }
    pass_on(signal, info, context);
}

/// Rust touches every page of a frame in turn. C may first move the pointer by the whole of a large
/// frame, and touch it anywhere.
const LARGE_FRAME: usize = 1 << 20;

/// Returns whether this stack's own computation came to its guard, rather than a stray pointer of
/// other code.
fn overflows(slot: StackSlot, address: usize, stack_pointer: usize) -> bool {
    address < slot.floor()
        && (slot.start.saturating_sub(LARGE_FRAME)..slot.end()).contains(&stack_pointer)
}

fn stack_pointer(context: *const libc::ucontext_t) -> usize {
    // SAFETY: the context that the kernel saved for this handler.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        (*context).uc_mcontext.gregs[libc::REG_RSP as usize] as usize
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        (*context).uc_mcontext.sp as usize
    }
}

/// The time that the message waits for a reader.
const PATIENCE: Duration = Duration::from_millis(500);

fn report(bytes: usize) {
    // Queued reports are older, so they come first.
    stderr::settle();
    let mut message = OverflowMessage { text: [MaybeUninit::uninit(); 256], length: 0 };
    let size = Size(bytes);
    let _ = message.write_str("\nthe process `");
    let _ = match NAME.get() {
        Some(name) => name(&mut message),
        None => message.write_str("?"),
    };
    let _ = writeln!(message, "` has overflowed its stack of {size}");
    let more = Size(2 * bytes);
    let _ = writeln!(
        message,
        "raise it: `#[process(stack = \"{more}\")]`, or `.stack({})` on the value",
        more.0
    );
    message.flush();
}

/// The number of bytes, in the form of the attribute.
struct Size(usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes.is_multiple_of(1 << 30) => write!(f, "{} GiB", bytes >> 30),
            bytes if bytes.is_multiple_of(1 << 20) => write!(f, "{} MiB", bytes >> 20),
            bytes => write!(f, "{} KiB", bytes >> 10),
        }
    }
}

/// Text on its way to standard error, in as few pieces as there is room for.
struct OverflowMessage {
    text: [MaybeUninit<u8>; 256],
    length: usize,
}

impl OverflowMessage {
    fn flush(&mut self) {
        // SAFETY: the first `length` bytes are written.
        let text = unsafe { std::slice::from_raw_parts(self.text.as_ptr().cast(), self.length) };
        // If nobody reads it, the program ends nevertheless.
        stderr::write_now(text, PATIENCE);
        self.length = 0;
    }
}

impl Write for OverflowMessage {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            if self.length == self.text.len() {
                self.flush();
            }
            self.text[self.length].write(byte);
            self.length += 1;
        }
        Ok(())
    }
}

/// Does what the system would have done without this handler.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = SIGNALS.iter().position(|&s| s == signal).and_then(|index| BEFORE[index].get());
    // SAFETY: called as the kernel would have called it: with the flags that it was installed with,
    // on the same thread, with the same arguments. The kernel puts the signal mask back when our
    // own handler returns.
    unsafe {
        let mut default: libc::sigaction = zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        let before = before.unwrap_or(&default);
        let handler = before.sa_sigaction;
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
            // The faulting instruction runs again and ends the program, with the core of the right
            // moment. A signal that was sent has no such instruction.
            libc::sigaction(signal, before, null_mut());
            if (*info).si_code <= 0 && handler == libc::SIG_DFL {
                libc::raise(signal);
            }
            return;
        }
        // A handler: its flags first, as the kernel would apply them.
        if before.sa_flags & libc::SA_RESETHAND != 0 {
            libc::sigaction(signal, &default, null_mut());
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &before.sa_mask, null_mut());
        if before.sa_flags & libc::SA_NODEFER != 0 {
            let mut this: libc::sigset_t = zeroed();
            libc::sigemptyset(&mut this);
            libc::sigaddset(&mut this, signal);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &this, null_mut());
        }
        if before.sa_flags & libc::SA_SIGINFO != 0 {
            type Detailed = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            std::mem::transmute::<libc::sighandler_t, Detailed>(handler)(signal, info, context);
        } else {
            std::mem::transmute::<libc::sighandler_t, extern "C" fn(libc::c_int)>(handler)(signal);
        }
    }
}

thread_local! {
    static ALTERNATE: AlternateStack = const { AlternateStack { start: Cell::new(null_mut()) } };
}

/// The stack that the handler runs on in this thread, if the thread has no stack that is large
/// enough.
struct AlternateStack {
    start: Cell<*mut libc::c_void>,
}

impl AlternateStack {
    /// Room above the registers that the kernel saves there, which with all vector registers may be
    /// 12 KiB.
    const ROOM: usize = 16 << 10;

    fn bytes() -> usize {
        // SAFETY: asks for a number.
        let saved = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        (saved.max(libc::MINSIGSTKSZ) + AlternateStack::ROOM).next_multiple_of(page())
    }

    fn provide(&self) {
        if !self.start.get().is_null() {
            return;
        }
        let bytes = AlternateStack::bytes();
        // SAFETY: a mapping of our own, with a guard page below it, becomes the alternate stack.
        // `drop` ends that before the mapping goes. A stack that is there already is left to its
        // owner.
        unsafe {
            let mut present: libc::stack_t = zeroed();
            libc::sigaltstack(std::ptr::null(), &mut present);
            if present.ss_flags & libc::SS_DISABLE == 0 && present.ss_size >= bytes {
                return;
            }
            let guard = page();
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let start = libc::mmap(null_mut(), guard + bytes, libc::PROT_NONE, flags, -1, 0);
            if start == libc::MAP_FAILED {
                return;
            }
            let ours = libc::stack_t { ss_sp: start.byte_add(guard), ss_flags: 0, ss_size: bytes };
            libc::mprotect(ours.ss_sp, bytes, libc::PROT_READ | libc::PROT_WRITE);
            libc::sigaltstack(&ours, null_mut());
            self.start.set(start);
        }
    }
}

impl Drop for AlternateStack {
    fn drop(&mut self) {
        if self.start.get().is_null() {
            return;
        }
        let (guard, bytes) = (page(), AlternateStack::bytes());
        // SAFETY: the mapping of `provide`, which is no longer the alternate stack when it goes.
        unsafe {
            let mut present: libc::stack_t = zeroed();
            libc::sigaltstack(std::ptr::null(), &mut present);
            if present.ss_sp == self.start.get().byte_add(guard) {
                let none =
                    libc::stack_t { ss_sp: null_mut(), ss_flags: libc::SS_DISABLE, ss_size: bytes };
                libc::sigaltstack(&none, null_mut());
            }
            libc::munmap(self.start.get(), guard + bytes);
        }
    }
}
