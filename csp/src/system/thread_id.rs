//! Asks the system whether a thread sleeps, and for what.
//!
//! A coroutine that waits in this library gives its thread to others. One whose thread sleeps for another thread while it has
//! the turn waits elsewhere: for a lock, a `OnceLock`, another executor. So does a process with a thread of its own that sleeps and shows no wait.

/// Returns the number that the system has given this thread. Returns 0 if the system does not say.
#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
pub(crate) fn of_this_thread() -> u32 {
    // SAFETY: it only returns a number.
    unsafe { libc::gettid() }.cast_unsigned()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn of_this_thread() -> u32 {
    0
}

/// Returns the system call that the thread is in, by its number and its arguments. Returns `None` if the thread
/// runs, or the system does not say.
#[cfg(target_os = "linux")]
fn call_of(thread: u32) -> Option<[u64; 5]> {
    let text = std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).ok()?;
    let mut words = text.split_whitespace();
    let number = words.next()?.parse().ok()?;
    let mut argument = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
    Some([number, argument()?, argument()?, argument()?, argument()?])
}

/// Returns whether it sleeps until another thread wakes it. Returns false if the system does not
/// say.
#[cfg(target_os = "linux")]
pub(crate) fn sleeps_in_futex(thread: u32) -> bool {
    call_of(thread).is_some_and(|[number, ..]| number.cast_signed() == libc::SYS_futex)
}

/// Returns how often it has fallen asleep, if it sleeps now, without a deadline, until another thread
/// wakes it.
#[cfg(target_os = "linux")]
pub(crate) fn sleeps_for_good(thread: u32) -> Option<u64> {
    const FLAGS: i32 = libc::FUTEX_PRIVATE_FLAG | libc::FUTEX_CLOCK_REALTIME;
    const WAITS: [i32; 4] =
        [libc::FUTEX_WAIT, libc::FUTEX_WAIT_BITSET, libc::FUTEX_LOCK_PI, libc::FUTEX_LOCK_PI2];
    let [number, _, operation, _, deadline] = call_of(thread)?;
    let waits = WAITS.contains(&((operation as i32) & !FLAGS));
    if number.cast_signed() != libc::SYS_futex || !waits || deadline != 0 {
        return None;
    }
    let status = std::fs::read_to_string(format!("/proc/self/task/{thread}/status")).ok()?;
    let count = |line: &str| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse().ok();
    status.lines().find_map(count)
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn sleeps_in_futex(_: u32) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn sleeps_for_good(_: u32) -> Option<u64> {
    None
}

/// Returns all threads of this program except those of the library, if there are no more than
/// `most`.
pub(crate) fn others(most: usize) -> Option<Vec<u32>> {
    let mut others = Vec::new();
    for entry in std::fs::read_dir("/proc/self/task").ok()? {
        let path = entry.ok()?.path();
        let name = std::fs::read(path.join("comm")).unwrap_or_default();
        if !name.starts_with(b"csp ") {
            others.push(path.file_name()?.to_str()?.parse().ok()?);
        }
        if others.len() > most {
            return None;
        }
    }
    Some(others)
}

#[cfg(all(test, target_os = "linux", not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_another_thread_sleeps_and_who_asks_or_has_a_deadline_does_not() {
        let (tell, told) = std::sync::mpsc::channel();
        let (go, goes) = std::sync::mpsc::channel::<()>();
        let waits = std::thread::spawn(move || {
            tell.send(of_this_thread()).unwrap();
            let _ = goes.recv();
            let _ = tell.send(0);
            std::thread::park_timeout(std::time::Duration::from_secs(600));
        });
        let thread = told.recv().unwrap();
        // Where the system does not tell there is nothing to see.
        if std::fs::read_to_string(format!("/proc/self/task/{thread}/syscall")).is_ok() {
            // The thread sleeps for good, and this one runs.
            while sleeps_for_good(thread).is_none() {
                std::thread::yield_now();
            }
            assert!(sleeps_in_futex(thread) && others(1_000).unwrap().contains(&thread));
            assert!(!sleeps_in_futex(of_this_thread()));
            assert_eq!(sleeps_for_good(of_this_thread()), None);
            // Then the thread sleeps with a deadline.
            drop(go);
            assert_eq!(told.recv(), Ok(0));
            while !sleeps_in_futex(thread) {
                std::thread::yield_now();
            }
            assert_eq!(sleeps_for_good(thread), None, "it has a deadline");
        } else {
            drop(go);
        }
        waits.thread().unpark();
        waits.join().unwrap();
    }
}
