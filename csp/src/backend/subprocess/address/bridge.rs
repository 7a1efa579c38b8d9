//! From a stream of iroh to a link, which knows descriptors: a pair of sockets, and two tasks that copy.
//!
//! Each direction has at most one piece in hand, so a reader that is slow slows its writer down. The link at the other
//! side says what it has handled. So nothing that is in here counts as delivered.

use std::io;
use std::os::unix::net::UnixStream;

use iroh::endpoint::{Connection, RecvStream, SendStream};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::backend::subprocess::transport::stream::StreamEnds;

/// The most bytes that are copied at once.
const PIECE: usize = 64 << 10;

/// Makes the two sockets: the descriptors of the link, and the side of the tasks.
pub(super) fn sockets() -> io::Result<(StreamEnds, tokio::net::UnixStream)> {
    let (link, ours) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((StreamEnds::of_socket(link)?, tokio::net::UnixStream::from_std(ours)?))
}

/// Copies until both directions have ended, and closes the connection.
pub(super) async fn copy(
    socket: tokio::net::UnixStream,
    (mut send, mut receive): (SendStream, RecvStream),
    connection: Connection,
) {
    let (mut from_link, mut to_link) = socket.into_split();
    let inwards = async {
        let mut piece = vec![0; PIECE];
        while let Ok(Some(length)) = receive.read(&mut piece).await {
            if to_link.write_all(&piece[..length]).await.is_err() {
                break;
            }
        }
        // The link reads what is there, and is then lost.
        let _ = to_link.shutdown().await;
    };
    let outwards = async {
        let mut piece = vec![0; PIECE];
        while let Ok(length @ 1..) = from_link.read(&mut piece).await {
            if send.write_all(&piece[..length]).await.is_err() {
                break;
            }
        }
        // The other side is to have the last bytes before the connection is closed.
        let _ = send.finish();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), send.stopped()).await;
        connection.close(0_u32.into(), b"");
    };
    tokio::join!(inwards, outwards);
}
