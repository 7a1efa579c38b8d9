//! The reason why a value could not be packed or unpacked.

use serde::{de, ser};
use std::fmt;

/// The reason why a value could not be packed or unpacked.
#[derive(Debug)]
pub(in crate::backend::subprocess) struct Failed {
    text: String,
    /// A field is missing that its reader would count. Such a value has to be
    /// [described](super::described).
    pub(super) left_out: bool,
}

impl Failed {
    pub(super) fn new(text: String) -> Self {
        Self { text, left_out: false }
    }

    #[cold]
    pub(super) fn ends_early() -> Self {
        Self::new("the value ends before it should".to_owned())
    }

    #[cold]
    pub(super) fn too_large() -> Self {
        Self::new("the value takes too much memory for its bytes".to_owned())
    }

    #[cold]
    pub(super) fn left_out(name: &str) -> Self {
        let text =
            format!("a field of `{name}` is left out: then nobody knows which come after it");
        Self { text, left_out: true }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }
}

impl de::Error for Failed {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::new(text.to_string())
    }
}
