//! What happens when a process needs more stack than it has: a message that names it, and the end of the
//! program.
//!
//! A fault in a guard page comes as a signal on a stack of its own, for there is no room on the overflowed
//! one. Its handler runs between two instructions of anything whatever, so it allocates nothing, locks
//! nothing and only writes. Faults that are not ours go on to the handler that was there before, Rust's own
//! for the stacks of threads among them.
#![allow(unsafe_code)]

use std::cell::Cell;
use std::fmt::{self, Write};
use std::mem::{MaybeUninit, zeroed};
use std::ptr::null_mut;
use std::sync::OnceLock;

use super::memory;
use super::region::Slot;

/// Writes the path of the process that runs on this thread, for a signal handler: it must not allocate, lock
/// or fail.
pub(in super::super) type Name = fn(&mut dyn Write) -> fmt::Result;

static NAME: OnceLock<Name> = OnceLock::new();

const SIGNALS: [libc::c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];
/// What was there before, in the order of `SIGNALS`; complete before the handler is installed.
static BEFORE: [OnceLock<libc::sigaction>; 2] = [const { OnceLock::new() }; 2];

/// How processes are named in the message. The first call counts.
pub(in super::super) fn name_by(name: Name) {
    let _ = NAME.set(name);
}

/// Before the first stack is used on a thread: the handler is installed, and has a stack to run on here.
pub(super) fn watch_this_thread() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(install);
    // A thread that is ending has made its own arrangements.
    let _ = ALTERNATE.try_with(AlternateStack::provide);
}

fn install() {
    for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
        // SAFETY: reads the present action, keeps it, and only then puts in a handler that does what a
        // handler may.
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
    // SAFETY: what the kernel hands to a handler with SA_SIGINFO.
    let (code, address, stack_pointer) =
        unsafe { ((*info).si_code, (*info).si_addr().addr(), stack_pointer(context.cast())) };
    // Anything above 0 is from the kernel, and then the address is one.
    if code > 0
        && let Some(slot) = Slot::at(address)
        && overflows(slot, address, stack_pointer)
    {
        report(slot);
        // SAFETY: may be called from a handler.
        unsafe { libc::abort() };
    }
    pass_on(signal, info, context);
}

/// Whether it is this stack's own computation that came to its guard, rather than somebody's stray pointer.
fn overflows(slot: Slot, address: usize, stack_pointer: usize) -> bool {
    // Rust touches every page of a frame in turn; C may first move the pointer by the whole of a large frame.
    const LARGE_FRAME: usize = 1 << 20;
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

fn report(slot: Slot) {
    let mut message = Message { text: [MaybeUninit::uninit(); 256], length: 0 };
    let size = Size(slot.class.bytes());
    let _ = message.write_str("\nthe process `");
    let _ = match NAME.get() {
        Some(name) => name(&mut message),
        None => message.write_str("?"),
    };
    let _ = writeln!(message, "` has overflowed its stack of {size}");
    let more = Size(2 * slot.class.bytes());
    let _ = writeln!(
        message,
        "raise it: `#[process(stack = \"{more}\")]`, or `.stack({})` on the value",
        more.0
    );
    message.flush();
}

/// Bytes as an attribute takes them.
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
struct Message {
    text: [MaybeUninit<u8>; 256],
    length: usize,
}

impl Message {
    fn flush(&mut self) {
        // SAFETY: the first `length` bytes are written.
        unsafe { libc::write(libc::STDERR_FILENO, self.text.as_ptr().cast(), self.length) };
        self.length = 0;
    }
}

impl Write for Message {
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

/// Does what would have happened without us.
fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let before = SIGNALS.iter().position(|&s| s == signal).and_then(|index| BEFORE[index].get());
    // SAFETY: called as the kernel would have called it: with the flags that it was installed with, on the
    // same thread, with the same arguments. The kernel puts the signal mask back when our own handler
    // returns.
    unsafe {
        let mut default: libc::sigaction = zeroed();
        default.sa_sigaction = libc::SIG_DFL;
        let before = before.unwrap_or(&default);
        let handler = before.sa_sigaction;
        if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
            // The faulting instruction runs again and ends the program, with the core of the right moment. A
            // signal that somebody sent has no such instruction.
            libc::sigaction(signal, before, null_mut());
            if (*info).si_code <= 0 && handler == libc::SIG_DFL {
                libc::raise(signal);
            }
            return;
        }
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

/// The stack that the handler runs on in this thread, where the thread has none that is large enough.
struct AlternateStack {
    start: Cell<*mut libc::c_void>,
}

impl AlternateStack {
    /// Above what the kernel saves there, which with all vector registers may be 12 KiB.
    const ROOM: usize = 16 << 10;

    fn bytes() -> usize {
        // SAFETY: asks for a number.
        let saved = unsafe { libc::getauxval(libc::AT_MINSIGSTKSZ) } as usize;
        (saved.max(libc::MINSIGSTKSZ) + AlternateStack::ROOM).next_multiple_of(memory::page())
    }

    fn provide(&self) {
        if !self.start.get().is_null() {
            return;
        }
        let bytes = AlternateStack::bytes();
        // SAFETY: a mapping of our own, with a guard page below it, becomes the alternate stack; `drop` ends
        // that before the mapping goes. One that is there is left to its owner.
        unsafe {
            let mut present: libc::stack_t = zeroed();
            libc::sigaltstack(std::ptr::null(), &mut present);
            if present.ss_flags & libc::SS_DISABLE == 0 && present.ss_size >= bytes {
                return;
            }
            let guard = memory::page();
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
        let (guard, bytes) = (memory::page(), AlternateStack::bytes());
        // SAFETY: the mapping of `provide`, no longer the alternate stack when it goes.
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
