//! Tells ThreadSanitizer of the switches between stacks, in builds with `--cfg csp_tsan`: see `ci/tsan.sh`. In others it does
//! nothing.
//!
//! The sanitizer keeps a history of calls and of memory for each stack. So it has to know which one comes next before a switch.
#![allow(unsafe_code)]

/// The sanitizer's own idea of a stack.
#[cfg(csp_tsan)]
pub(super) struct Track(*mut std::ffi::c_void);

#[cfg(not(csp_tsan))]
pub(super) struct Track;

#[cfg(csp_tsan)]
unsafe extern "C" {
    fn __tsan_get_current_fiber() -> *mut std::ffi::c_void;
    fn __tsan_create_fiber(flags: u32) -> *mut std::ffi::c_void;
    fn __tsan_destroy_fiber(fiber: *mut std::ffi::c_void);
    fn __tsan_switch_to_fiber(fiber: *mut std::ffi::c_void, flags: u32);
}

#[cfg(csp_tsan)]
std::thread_local! {
    /// The stack that has resumed the present one. It has no destructor, because a thread that ends resumes stacks too.
    static RESUMER: std::cell::Cell<*mut std::ffi::c_void> = const {
        std::cell::Cell::new(std::ptr::null_mut())
    };
}

#[cfg(csp_tsan)]
impl Track {
    pub(super) fn new() -> Self {
        // SAFETY: it makes one.
        Self(unsafe { __tsan_create_fiber(0) })
    }

    /// Has the stack resumed by `resume`.
    #[inline(always)]
    pub(super) fn during<R>(&self, resume: impl FnOnce() -> R) -> R {
        // SAFETY: this stack is the present one, and the other one is suspended.
        let before = RESUMER.replace(unsafe { __tsan_get_current_fiber() });
        // SAFETY: as above.
        unsafe { __tsan_switch_to_fiber(self.0, 0) };
        let result = resume();
        RESUMER.set(before);
        result
    }

    /// Says that the present stack is left next, for the one that has resumed it.
    #[inline(always)]
    pub(super) fn suspends() {
        // SAFETY: the resumer waits for this.
        unsafe { __tsan_switch_to_fiber(RESUMER.get(), 0) };
    }
}

#[cfg(csp_tsan)]
impl Drop for Track {
    fn drop(&mut self) {
        // SAFETY: nobody runs on it any more.
        unsafe { __tsan_destroy_fiber(self.0) };
    }
}

#[cfg(not(csp_tsan))]
impl Track {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Self
    }

    #[inline(always)]
    pub(super) fn during<R>(&self, resume: impl FnOnce() -> R) -> R {
        resume()
    }

    #[inline(always)]
    pub(super) fn suspends() {}
}
