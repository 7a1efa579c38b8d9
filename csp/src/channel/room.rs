//! How full a channel is, and which channel an end belongs to.

use super::{Channel, Reader, Writer};

macro_rules! room {
    ($($end:ident $core:expr;)*) => { $(
        impl<T> $end<T> {
            /// Returns how many values wait in the buffer.
            ///
            /// This is advice, because other processes may write and read before the caller looks at it. A rendezvous
            /// channel has no buffer, and says 0. So does a channel that another OS process has ends of, because its values are not kept
            /// here. [`csp::network()`](fn@crate::network) shows the same number.
            ///
            /// ```
            /// let jobs = csp::Channel::buffered(2);
            /// let (writer, reader) = (jobs.writer(), jobs.reader());
            /// assert!(jobs.is_empty() && !jobs.is_full());
            /// writer.write(1)?;
            /// assert_eq!((reader.len(), writer.capacity(), jobs.is_full()), (1, 2, false));
            /// # Ok::<(), csp::Termination>(())
            /// ```
            pub fn len(&self) -> usize {
                $core(self).filling().0
            }

            /// Returns whether no value waits in the buffer. This is advice, as [`len`](Self::len) is. A rendezvous channel says
            /// true even if a writer waits, and so does a channel that another OS process has ends of. To take what is there, use
            /// [`try_read`](crate::Reader::try_read).
            pub fn is_empty(&self) -> bool {
                $core(self).filling().0 == 0
            }

            /// Returns whether the buffer has no room for another value. This is advice, as [`len`](Self::len) is. A rendezvous
            /// channel says true even if a reader waits, and so does a channel that another OS process has ends of. To write if there is
            /// room, use [`try_write`](crate::Writer::try_write).
            pub fn is_full(&self) -> bool {
                !$core(self).filling().1
            }

            /// Returns the number of values that the buffer has room for. It is 0 for a rendezvous, and never changes. It is known
            /// in other OS processes, too.
            pub fn capacity(&self) -> usize {
                $core(self).capacity()
            }

            /// Returns whether both belong to the same channel, also if the channel or its ends have come from another OS
            /// process.
            ///
            /// ```
            /// use csp::Channel;
            ///
            /// let (one, other) = (Channel::<u32>::new(), Channel::<u32>::new());
            /// assert!(one.reader().same_channel(&one.reader()));
            /// assert!(!one.reader().same_channel(&other.reader()));
            /// ```
            pub fn same_channel(&self, other: &Self) -> bool {
                $core(self).is_same($core(other))
            }
        }
    )* };
}

room! {
    Channel Channel::core;
    Reader Reader::core;
    Writer Writer::core;
}
