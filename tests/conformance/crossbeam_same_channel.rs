//! crossbeam-channel's `tests/same_channel.rs`: ends made from an end belong to its channel, and others do not.
//!
//! Not here:
//! - `same_channel` itself: ends are not compared here. Their behaviour shows that they belong to one channel.
//! - `after`, `tick` and `never` channels: a time is a guard here, not a channel.

use csp::{Channel, Termination};
use csp_tests::{on_each_backend, poisoned_by_reason};

on_each_backend! {
    here: "the ported tests are about threads of one OS process";
    fn a_clone_is_an_end_of_the_same_channel(backend) {
        for capacity in [0, 1, 100] {
            let channel = Channel::buffered(capacity);
            let (reader, writer) = (channel.reader(), channel.writer());
            let (other_reader, other_writer) = (reader.clone(), channel.clone().writer());
            let writes = backend.spawn(move || {
                writer.write(1_u8).unwrap();
                writer.clone().write(2).unwrap();
                other_writer.write(3).unwrap();
            });
            assert_eq!(other_reader.read(), Ok(1));
            assert_eq!(reader.read(), Ok(2));
            assert_eq!(reader.clone().read(), Ok(3));
            writes.join();
            reader.poison("all of them");
            let end = other_reader.termination().unwrap();
            assert_eq!(poisoned_by_reason(&end).as_deref(), Some("all of them"));
            assert_eq!(channel.writer().termination(), Some(end));
        }
    }

    fn another_channel_is_another(backend) {
        let channels = [Channel::<u8>::new(), Channel::new(), Channel::buffered(1)];
        let more = 2 * channels[0].clone();
        let reader = channels[0].reader();
        backend.spawn(move || reader.poison("this one")).join();
        assert!(channels[0].writer().termination().is_some());
        for other in channels[1..].iter().chain(&more) {
            assert_eq!(other.writer().termination(), None::<Termination>);
        }
    }
}
