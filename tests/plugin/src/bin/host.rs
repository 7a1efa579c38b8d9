//! Loads the library of its argument and calls its `run`, once for each run of this `main`.
#![allow(unsafe_code, reason = "so are libraries loaded")]

use std::ffi::CString;

fn main() {
    println!("main");
    let library = std::env::args().nth(1).and_then(|path| CString::new(path).ok());
    let library = library.expect("which library");
    // SAFETY: the name is a C string, and it names the test's own library.
    let handle = unsafe { libc::dlopen(library.as_ptr(), libc::RTLD_NOW) };
    assert!(!handle.is_null(), "it can't be loaded");
    // SAFETY: the handle is that of a library, and the name is a C string.
    let run = unsafe { libc::dlsym(handle, c"run".as_ptr()) };
    assert!(!run.is_null(), "it has no `run`");
    // SAFETY: the library declares `run` with this type.
    let run: extern "C" fn() = unsafe { std::mem::transmute(run) };
    run();
}
