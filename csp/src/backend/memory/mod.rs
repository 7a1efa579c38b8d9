//! Floor 5. Large buffers that processes pass on without copying them, to other OS processes too.

#[cfg(feature = "serde")]
pub(super) mod from_bytes;
#[cfg(not(all(feature = "subprocess", target_os = "linux", not(loom))))]
#[path = "ordinary.rs"]
pub(super) mod store;
#[cfg(all(feature = "subprocess", target_os = "linux", not(loom)))]
#[path = "shared.rs"]
pub(super) mod store;

use std::ops::Deref;
use std::time::{Duration, Instant};
use std::{fmt, io};

use self::store::Memory;

/// A buffer of bytes that processes pass on to each other without copying them, whatever they run on.
///
/// It is a value like any other: an argument, a result, an element of a channel, a field of a struct. Between
/// coroutines and threads it is moved as a `Vec` is. To another OS process and back, only the right to the bytes
/// travels. The bytes stay in memory that both have mapped (ipc-channel's `IpcSharedMemory`), whereas a `Vec` is
/// written to a channel and read from it. This pays from some 100 KiB on: a buffer needs a descriptor and a
/// mapping, and some ten microseconds to send.
///
/// A clone is one more handle to the same bytes, here or elsewhere. Bytes to which there is another handle can't be
/// changed. [`get_mut`](Self::get_mut) lends them to their only holder, and [`make_mut`](Self::make_mut) makes a
/// copy for any other. The length of a buffer never changes.
///
/// The bytes are freed with the last handle. A buffer on its way counts as held by its writer. That handle is given
/// up when the value is dropped unread, with its channel or its reader. If the OS process of the writer is killed
/// before the reader has deserialized the value, the buffer is lost. The read then fails with
/// [`Cause::Serialization`](crate::Cause::Serialization). A killed OS process stays counted as a holder of the
/// buffers that it held.
///
/// Serialization for any purpose other than a channel, or the arguments or the result of a process, writes the
/// bytes.
///
/// ```
/// # use csp::{Channel, Reader, SharedBuf, Writer, multiprocess, parallel};
/// #[multiprocess]
/// fn brighten(input: Reader<SharedBuf>, output: Writer<SharedBuf>) -> csp::Result {
///     loop {
///         let mut image = input.read()?;
///         let pixels = image.make_mut().expect("memory");
///         pixels.iter_mut().for_each(|pixel| *pixel = pixel.saturating_add(100));
///         output.write(image)?;
///     }
/// }
///
/// let (dark, bright) = (Channel::new(), Channel::new());
/// let brightening = csp::spawn(brighten(dark.reader(), bright.writer()));
/// let mut image = SharedBuf::new(1 << 20)?;
/// image.get_mut().expect("nobody else has it")[7] = 200;
/// dark.writer().write(image)?;
/// let image = bright.reader().read()?;
/// assert_eq!((image[6], image[7]), (100, 255));
/// # let _ = brightening.join();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct SharedBuf(Memory);

impl SharedBuf {
    /// Makes a buffer of `length` bytes, all zero, to be filled through [`get_mut`](Self::get_mut).
    ///
    /// # Errors
    /// Returns an error if the system has not enough memory, or no descriptor for it.
    pub fn new(length: usize) -> io::Result<Self> {
        Memory::new(length).map(Self)
    }

    /// Makes a buffer with a copy of these bytes.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn copied(bytes: &[u8]) -> io::Result<Self> {
        let mut buffer = Memory::new(bytes.len())?;
        buffer.bytes_mut().expect("new").copy_from_slice(bytes);
        Ok(Self(buffer))
    }

    /// Returns the bytes for changes, if this is the only handle to them anywhere. A buffer that has just come from
    /// another OS process may still have a handle at its writer for a moment.
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        self.0.bytes_mut()
    }

    /// Returns bytes for changes: these bytes if this is the only handle to them anywhere, otherwise a copy. Waits
    /// up to a millisecond for a writer in another OS process that has yet to let go.
    ///
    /// # Errors
    /// As for [`new`](Self::new), if a copy is needed.
    pub fn make_mut(&mut self) -> io::Result<&mut [u8]> {
        let began = Instant::now();
        while self.0.bytes_mut().is_none() {
            if began.elapsed() > Duration::from_millis(1) {
                *self = Self::copied(self)?;
                break;
            }
            std::thread::yield_now();
        }
        Ok(self.0.bytes_mut().expect("nobody else has it"))
    }
}

impl TryFrom<&[u8]> for SharedBuf {
    type Error = io::Error;

    /// Makes a buffer with a copy of these bytes, as [`copied`](Self::copied) does.
    ///
    /// ```
    /// use csp::SharedBuf;
    ///
    /// let buffer = SharedBuf::try_from(&b"copied"[..])?;
    /// assert_eq!(&buffer[..], b"copied");
    /// assert_eq!(SharedBuf::try_from(vec![1_u8, 2])?[..], [1, 2]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    fn try_from(bytes: &[u8]) -> io::Result<Self> {
        Self::copied(bytes)
    }
}

impl TryFrom<Vec<u8>> for SharedBuf {
    type Error = io::Error;

    /// Makes a buffer with a copy of these bytes. The memory of a `Vec` can't be shared with other OS processes.
    fn try_from(bytes: Vec<u8>) -> io::Result<Self> {
        Self::copied(&bytes)
    }
}

impl Deref for SharedBuf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.bytes()
    }
}

impl AsRef<[u8]> for SharedBuf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl PartialEq for SharedBuf {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for SharedBuf {}

impl fmt::Debug for SharedBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBuf({} bytes)", self.len())
    }
}
