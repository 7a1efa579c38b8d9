//! A child whose link is a stream. The stream is a socket, which is the child's standard input until it is
//! taken over.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::sync::mpsc;

use crate::backend::subprocess::node;
use crate::backend::subprocess::node::control::streams::StreamInvitation;
use crate::backend::subprocess::protocol::NodeId;
use crate::backend::subprocess::transport::stream::{LinkLoss, StreamEnder, StreamEnds};

/// The parent's side of the stream of one child.
pub(super) struct ChildStream {
    /// The child's side, until the child has it.
    theirs: Option<UnixStream>,
    invitation: Option<StreamInvitation>,
    ender: StreamEnder,
    lost: mpsc::Receiver<LinkLoss>,
}

impl ChildStream {
    /// Makes the stream, and the child's place in the network.
    pub(super) fn prepare() -> io::Result<(NodeId, Self)> {
        let (ours, theirs) = UnixStream::pair()?;
        let (tell, lost) = mpsc::channel();
        let on_loss = move |loss| drop(tell.send(loss));
        let invitation = StreamInvitation::draw(None);
        let ender = node::control::streams::prepare_stream(
            &invitation,
            StreamEnds::of_socket(ours)?,
            on_loss,
        )?;
        let id = invitation.id();
        let (theirs, invitation) = (Some(theirs), Some(invitation));
        Ok((id, Self { theirs, invitation, ender, lost }))
    }

    /// Returns the standard input that the child is to have.
    pub(super) fn stdin(&mut self) -> Stdio {
        self.theirs.take().map_or_else(Stdio::null, |theirs| OwnedFd::from(theirs).into())
    }

    pub(super) fn start(&mut self) -> Option<StreamInvitation> {
        self.invitation.take()
    }

    /// Records that the child has been told to begin.
    pub(super) fn begin(&self) {
        self.ender.begin();
    }

    /// Waits until everything has come that a child has sent that is dead, or was never started.
    pub(super) fn drain(self) {
        drop(self.theirs);
        self.ender.end();
        // It comes in any case, because the end was asked for.
        let _ = self.lost.recv();
    }
}

/// Takes the stream over from standard input, and joins the parent's network by it. `end` ends this OS
/// process if its parent breaks the rules, and `die` if the parent is lost.
pub(super) fn join(
    invitation: StreamInvitation,
    above: fn(node::Carried),
    end: fn(&str),
    die: fn() -> !,
) -> io::Result<()> {
    let stream = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    let on_loss = move |loss: LinkLoss| match loss {
        LinkLoss::Wild(_) => end(&loss.to_string()),
        LinkLoss::Ended | LinkLoss::Failed(_) | LinkLoss::Silent(_) | LinkLoss::Unhandled(_) => {
            die()
        }
    };
    node::control::streams::join_stream(
        invitation,
        StreamEnds::of_socket(stream.into())?,
        above,
        end,
        on_loss,
    )
}
