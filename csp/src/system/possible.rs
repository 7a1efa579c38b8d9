//! Whether a channel may ever be away. If no backend with OS processes is compiled in, it may not, and the compiler knows it.
//!
//! Then [`Possible`] has no value, and so has nothing that keeps something of a channel that is away. An `Option` of it takes no
//! room, and a test of it is no instruction.

pub(crate) use self::here::{Kept, Possible};

/// A value may have been read although its write has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Doubt {
    _possible: Possible,
}

impl Doubt {
    #[cfg_attr(
        not(target_os = "linux"),
        allow(dead_code, reason = "there are no other OS processes")
    )]
    pub(crate) fn new(possible: Possible) -> Self {
        Self { _possible: possible }
    }
}

#[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
mod here {
    use std::ops::{Deref, DerefMut};

    /// There may be other OS processes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Possible;

    /// Something that is kept of a channel that is away.
    pub(crate) struct Kept<T>(Box<T>);

    impl<T> Kept<T> {
        pub(crate) fn new(thing: T, Possible: Possible) -> Self {
            Self(Box::new(thing))
        }
    }

    impl<T> Deref for Kept<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    impl<T> DerefMut for Kept<T> {
        fn deref_mut(&mut self) -> &mut T {
            &mut self.0
        }
    }
}

#[cfg(not(all(feature = "subprocess", target_os = "linux", not(loom))))]
mod here {
    use std::marker::PhantomData;
    use std::ops::{Deref, DerefMut};

    /// There are no other OS processes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Possible {}

    /// No channel is away, so nothing is kept.
    pub(crate) struct Kept<T>(Possible, PhantomData<fn() -> T>);

    impl<T> Kept<T> {
        pub(crate) fn new(_: T, possible: Possible) -> Self {
            match possible {}
        }
    }

    impl<T> Deref for Kept<T> {
        type Target = T;

        fn deref(&self) -> &T {
            match self.0 {}
        }
    }

    impl<T> DerefMut for Kept<T> {
        fn deref_mut(&mut self) -> &mut T {
            match self.0 {}
        }
    }

    const _: () = assert!(size_of::<Option<Kept<u64>>>() == 0, "a test for it is an instruction");
}
