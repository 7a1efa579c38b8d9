//! Large buffers that are passed on and not copied, to OS processes too.

use std::fmt;
use std::io;
use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::backend::memory::Memory;

/// Bytes that processes pass on to each other without copying them, whatever they run on.
///
/// A value like any other: argument, result, element of a channel, field of a struct. Between coroutines and threads it is moved as
/// a `Vec` is. On its way to another OS process or back only the right to it travels: the bytes stand in memory that both have
/// mapped (ipc-channel's `IpcSharedMemory`), where a `Vec` is written to a channel and read from it. That is worth it from some 100 KiB on: a
/// buffer takes a descriptor and a mapping, and some ten microseconds to send.
///
/// A clone is one more handle to the same bytes, here or elsewhere. Bytes that anybody else has a handle to can't be changed:
/// [`get_mut`](Self::get_mut) gives them to their only holder, and [`make_mut`](Self::make_mut) makes a copy for who is not. A buffer has
/// the length that it was made with.
///
/// The bytes are freed with the last handle. A buffer on its way counts as one that whoever has written it holds; it is given up when the
/// value is dropped unread, with its channel or its reader. If the OS process that has written it is killed
/// before whoever reads the value has unpacked it, the buffer is lost: that read fails, with [`Cause::Serialization`](crate::Cause::Serialization).
/// An OS process that was killed stays counted as a holder of what it held.
///
/// Serialised with anything but a channel, the arguments or the result of a process it is bytes.
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
    /// A buffer of so many bytes, all zero. To be filled by [`get_mut`](Self::get_mut).
    ///
    /// # Errors
    /// If the system has not so much memory, or no descriptor for it.
    pub fn new(length: usize) -> io::Result<Self> {
        Memory::new(length).map(Self)
    }

    /// A buffer with a copy of these bytes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn copied(bytes: &[u8]) -> io::Result<Self> {
        let mut buffer = Memory::new(bytes.len())?;
        buffer.bytes_mut().expect("new").copy_from_slice(bytes);
        Ok(Self(buffer))
    }

    /// The bytes to be changed, if this is the only handle to them anywhere. Of a buffer that has just come from another OS process
    /// its writer may still hold one for a moment.
    pub fn get_mut(&mut self) -> Option<&mut [u8]> {
        self.0.bytes_mut()
    }

    /// The bytes to be changed: these if this is the only handle to them anywhere, else a copy. Waits up to a millisecond
    /// for a writer in another OS process that has yet to let go.
    ///
    /// # Errors
    /// As [`new`](Self::new), if it has to be a copy.
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
