//! Frames without a stream: bytes cut anywhere, bytes that follow no rule, and time.

use std::time::Duration;

use super::frame::{FrameHead, FrameKind, HEAD, LONGEST_BODY, StreamLimits};
use super::frames::{Frames, LinkLoss, PEER_TIMEOUT, StreamSide};
use super::fuzzed::take_frames;
use crate::backend::subprocess::transport::link::Outgoing;
use crate::channel::far::Bytes;

const START: Duration = Duration::from_secs(100);
const MS: Duration = Duration::from_millis(1);

fn pair() -> (Frames, Frames) {
    let frames = |side| Frames::new(side, PEER_TIMEOUT, StreamLimits::USUAL, START);
    (frames(StreamSide::Starter), frames(StreamSide::Started))
}

/// Returns a number, from the same sequence every time.
fn draw(seed: &mut u64, below: usize) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize % below
}

fn message(number: u32, seed: &mut u64) -> Vec<u8> {
    let length = match draw(seed, 8) {
        0 => draw(seed, 400_000),
        1 => LONGEST_BODY - 2 + draw(seed, 4),
        2 => 2 * LONGEST_BODY,
        _ => draw(seed, 200),
    };
    let mut message = vec![number as u8; length.max(4)];
    message[..4].copy_from_slice(&number.to_le_bytes());
    message
}

fn outgoing(message: &[u8], at: usize) -> Outgoing {
    let (head, tail) = message.split_at(at);
    Outgoing { head: head.to_vec(), tail: Some(Bytes::copy(tail)), sent: 0 }
}

/// Returns what a side puts out now. The stream takes all of it.
fn put(side: &mut Frames, now: Duration) -> Vec<u8> {
    let mut bytes = Vec::new();
    side.output(now, &mut bytes);
    side.written(now, bytes.len());
    bytes
}

/// Returns whether the side gives the other up, having read all that has come.
fn judged(side: &mut Frames, now: Duration) -> Option<LinkLoss> {
    side.judge(now);
    side.loss(now).cloned()
}

/// Exchanges frames until neither side puts anything out.
fn exchange(one: &mut Frames, other: &mut Frames, now: Duration) {
    loop {
        let (there, back) = (put(one, now), put(other, now));
        if there.is_empty() && back.is_empty() {
            return;
        }
        other.input(now, &there);
        one.input(now, &back);
    }
}

fn kinds(mut bytes: &[u8]) -> Vec<FrameKind> {
    let mut kinds = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
        let head = FrameHead::parse(*head, LONGEST_BODY).expect("a frame");
        kinds.push(head.kind);
        bytes = &rest[head.length..];
    }
    assert!(bytes.is_empty());
    kinds
}

#[test]
fn messages_arrive_whole_and_in_order_however_the_stream_splits_them() {
    for seed in 0..40 {
        let mut seed = seed;
        let (mut one, mut other) = pair();
        let messages: Vec<_> = (0..20).map(|number| message(number, &mut seed)).collect();
        for message in &messages {
            let at = draw(&mut seed, message.len());
            one.send(outgoing(message, at)).expect("not too long");
        }
        // The bytes that were put out and not taken, and those that the stream carries.
        let (mut out, mut carried, mut received) = (Vec::new(), Vec::new(), Vec::new());
        while received.len() < messages.len() {
            if out.is_empty() {
                one.output(START, &mut out);
            }
            let taken = draw(&mut seed, out.len() + 1);
            carried.extend(out.drain(..taken));
            one.written(START, taken);
            let read = match draw(&mut seed, 3) {
                0 => draw(&mut seed, carried.len().min(40) + 1),
                _ => draw(&mut seed, carried.len() + 1),
            };
            let read: Vec<u8> = carried.drain(..read).collect();
            other.input(START, &read);
            received.extend(other.receive(START));
            let back = put(&mut other, START);
            one.input(START, &back);
            assert_eq!((one.loss(START), other.loss(START)), (None, None));
        }
        assert!(received == messages);
        assert_eq!(other.receive(START), None);
    }
}

/// For a stream that is cut behind each of its bytes.
#[test]
fn a_message_is_unsent_exactly_if_its_last_byte_is_not_in_the_stream() {
    let messages: Vec<Vec<u8>> = vec![vec![1; 5], vec![2; 1], vec![3; 30], vec![4; 3]];
    let length = {
        let (mut one, _) = pair();
        messages.iter().for_each(|message| one.send(outgoing(message, 1)).expect("short"));
        put(&mut one, START).len()
    };
    for cut in 0..=length {
        let (mut one, mut other) = pair();
        // Its first ping is answered, so it may receive.
        let ping = put(&mut other, START);
        one.input(START, &ping);
        messages.iter().for_each(|message| one.send(outgoing(message, 1)).expect("short"));
        let mut out = Vec::new();
        one.output(START, &mut out);
        // The answer and the own ping are in front.
        let cut = cut + out.len() - length;
        one.written(START, cut);
        other.input(START, &out[..cut]);
        other.lose(LinkLoss::Ended);
        let received: Vec<_> = std::iter::from_fn(|| other.receive(START)).collect();
        one.lose(LinkLoss::Ended);
        let left = one.left();
        assert_eq!(left.unknown, received, "nothing was acknowledged");
        assert_eq!([received, left.unsent].concat(), messages);
    }
}

/// Returns a side that has sent three messages, and the other one, which has received two of them.
fn two_of_three_received() -> (Frames, Frames) {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    for number in 0..3 {
        one.send(outgoing(&[number; 9], 2)).expect("short");
    }
    exchange(&mut one, &mut other, START);
    assert!(other.receive(START).is_some() && other.receive(START).is_some());
    (one, other)
}

#[test]
fn an_acknowledged_message_is_not_left() {
    let (mut one, mut other) = two_of_three_received();
    // The second one is being handled.
    exchange(&mut one, &mut other, START + 5 * MS);
    let left = one.left();
    assert_eq!((left.unknown, left.unsent), (vec![vec![1; 9], vec![2; 9]], vec![]));
}

/// Without the last count its peer would not know which messages were handled.
#[test]
fn nothing_is_unknown_after_the_last_count() {
    let (mut one, mut other) = two_of_three_received();
    other.conclude();
    assert!(other.is_backed_up());
    assert_eq!(other.receive(START), None);
    exchange(&mut one, &mut other, START);
    assert!(!other.is_backed_up());
    one.send(outgoing(&[3; 9], 2)).expect("short");
    exchange(&mut one, &mut other, START);
    assert_eq!(other.receive(START), None);
    let left = one.left();
    assert_eq!((left.unknown, left.unsent), (vec![], vec![vec![2; 9], vec![3; 9]]));
    // A peer that handles more all the same breaks a rule.
    let mut handled = Vec::new();
    FrameHead { kind: FrameKind::Handled, length: 0, handled: 3 }.put(&mut handled);
    one.input(START, &handled);
    assert!(matches!(one.loss(START), Some(LinkLoss::Wild(_))));
}

#[test]
fn news_of_handled_messages_travel_alone_only_after_a_while() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    one.send(outgoing(&[1; 9], 2)).expect("short");
    exchange(&mut one, &mut other, START);
    assert!(other.receive(START).is_some() && other.receive(START).is_none());
    assert!(put(&mut other, START + 4 * MS).is_empty());
    assert_eq!(other.due(false), START + 5 * MS);
    assert_eq!(kinds(&put(&mut other, START + 5 * MS)), [FrameKind::Handled]);
    assert!(put(&mut other, START + 50 * MS).is_empty(), "it is said once");
    // A message takes them along.
    one.send(outgoing(&[1; 9], 2)).expect("short");
    exchange(&mut one, &mut other, START);
    assert!(other.receive(START).is_some() && other.receive(START).is_none());
    other.send(outgoing(&[2; 9], 2)).expect("short");
    assert_eq!(kinds(&put(&mut other, START)), [FrameKind::Last]);
    assert!(put(&mut other, START + 50 * MS).is_empty());
}

#[test]
fn no_more_is_sent_than_may_be_unhandled() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    for _ in 0..100 {
        one.send(outgoing(&[1; 100_000], 2)).expect("short");
    }
    exchange(&mut one, &mut other, START);
    let mut received = 0;
    while other.receive(START).is_some() {
        received += 1;
    }
    assert_eq!(received, 10, "1 MiB");
    assert!(other.should_tell(), "the peer may wait for it");
    exchange(&mut one, &mut other, START);
    assert!(other.receive(START).is_some());
    // A message that is longer than all that goes alone.
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    one.send(outgoing(&[1; 10], 2)).expect("short");
    one.send(outgoing(&vec![1; 2 << 20], 2)).expect("short");
    one.send(outgoing(&[1; 10], 2)).expect("short");
    for length in [10, 2 << 20, 10] {
        exchange(&mut one, &mut other, START);
        assert_eq!(other.receive(START).map(|message| message.len()), Some(length));
        assert_eq!(other.receive(START), None);
        exchange(&mut one, &mut other, START + 5 * MS);
    }
}

#[test]
fn pings_go_between_the_pieces_of_a_message() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    one.send(outgoing(&vec![1; 1 << 20], 2)).expect("short");
    assert_eq!(kinds(&put(&mut one, START)), [FrameKind::Piece]);
    let quarter = START + PEER_TIMEOUT / 4;
    let ping = put(&mut other, quarter);
    assert_eq!(kinds(&ping), [FrameKind::Ping]);
    one.input(quarter, &ping);
    let all = put(&mut one, quarter);
    assert_eq!(kinds(&all), [FrameKind::Pong, FrameKind::Ping, FrameKind::Piece]);
}

#[test]
fn a_message_longer_than_any_is_not_sent_and_not_received() {
    let longest = StreamLimits::USUAL.longest;
    let (mut one, mut other) = pair();
    assert!(one.send(outgoing(&vec![0; longest + 1], 0)).is_err());
    // A peer that sends pieces without end.
    let mut piece = Vec::new();
    FrameHead { kind: FrameKind::Piece, length: LONGEST_BODY, handled: 0 }.put(&mut piece);
    piece.resize(HEAD + LONGEST_BODY, 7);
    let rounds = longest / LONGEST_BODY;
    for _ in 0..rounds {
        other.input(START, &piece);
        assert_eq!(other.loss(START), None);
    }
    other.input(START, &piece[..HEAD]);
    assert!(matches!(other.loss(START), Some(LinkLoss::Wild(_))));
}

#[test]
fn a_started_side_gives_up_one_timeout_after_its_last_answered_ping() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    // The ping of this moment is answered later.
    let asked = START + PEER_TIMEOUT / 4;
    let ping = put(&mut other, asked);
    one.input(asked + 2000 * MS, &ping);
    let pong = put(&mut one, asked + 2000 * MS);
    other.input(asked + 4000 * MS, &pong);
    one.send(outgoing(&[1; 9], 2)).expect("short");
    let last = put(&mut one, asked + 2000 * MS);
    other.input(asked + 4000 * MS, &last);
    let end = asked + PEER_TIMEOUT;
    assert_eq!(other.clone().loss(end - MS), None);
    assert!(other.clone().receive(end - MS).is_some());
    // A message that has come is not handled any more.
    assert_eq!(other.receive(end), None);
    assert_eq!(other.loss(end), Some(&LinkLoss::Silent(PEER_TIMEOUT)));
    assert!(put(&mut other, end).is_empty());
    let end = asked + 2000 * MS + PEER_TIMEOUT * 3 / 2;
    assert_eq!(judged(&mut one, end - MS), None);
    assert_eq!(judged(&mut one, end), Some(LinkLoss::Silent(PEER_TIMEOUT * 3 / 2)));
}

/// To start an OS process takes a while if the machine is busy.
#[test]
fn silence_counts_from_the_beginning_of_the_peer() {
    let (mut one, _) = pair();
    let later = START + Duration::from_secs(3600);
    assert_eq!(judged(&mut one, later), None);
    one.begin(later);
    assert_eq!(judged(&mut one, later + PEER_TIMEOUT), None);
    let end = later + PEER_TIMEOUT * 3 / 2;
    assert_eq!(judged(&mut one, end), Some(LinkLoss::Silent(PEER_TIMEOUT * 3 / 2)));
}

#[test]
fn a_part_of_a_frame_is_heard() {
    let (mut one, mut other) = pair();
    one.begin(START);
    other.send(outgoing(&[1; 60], 2)).expect("short");
    let mut now = START;
    for part in put(&mut other, START).chunks(5) {
        now += PEER_TIMEOUT;
        one.input(now, part);
        assert_eq!(judged(&mut one, now), None);
    }
    assert!(one.receive(now).is_some());
}

#[test]
fn two_sides_that_answer_stay_linked_though_nothing_else_is_said() {
    let (mut one, mut other) = pair();
    let mut now = START;
    while now < START + Duration::from_secs(3600) {
        exchange(&mut one, &mut other, now);
        assert_eq!((judged(&mut one, now), judged(&mut other, now)), (None, None));
        now = one.due(false).min(other.due(false));
    }
}

/// The starter was stopped. All that has come meanwhile is heard before the silence is judged.
#[test]
fn a_starter_that_was_stopped_reads_before_it_judges() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    other.send(outgoing(&[1; 9], 2)).expect("short");
    let said = put(&mut other, START);
    let later = START + Duration::from_secs(60);
    assert_eq!(one.loss(later), None);
    one.input(later, &said);
    assert_eq!(judged(&mut one, later), None);
    assert!(one.receive(later).is_some());
}

/// Returns when this side gives the other up, and why. The other side answers its pings and handles nothing.
fn answers_pings_only(one: &mut Frames, other: &mut Frames) -> (Duration, LinkLoss) {
    let mut now = START;
    loop {
        exchange(one, other, now);
        if let Some(loss) = judged(one, now) {
            return (now, loss);
        }
        assert!(now < START + Duration::from_secs(3600), "it is never given up");
        now = one.due(false).min(other.due(false)).max(now + MS);
    }
}

#[test]
fn a_peer_that_handles_nothing_is_given_up_though_it_answers_pings() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    one.send(outgoing(&[1; 9], 2)).expect("short");
    let limit = PEER_TIMEOUT * 3 / 2;
    let given_up = answers_pings_only(&mut one, &mut other);
    assert_eq!(given_up, (START + limit, LinkLoss::Unhandled(limit)));
    assert_eq!(one.left().unknown, [[1; 9]]);
    // The other way.
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    other.send(outgoing(&[1; 9], 2)).expect("short");
    let given_up = answers_pings_only(&mut other, &mut one);
    assert_eq!(given_up, (START + PEER_TIMEOUT, LinkLoss::Unhandled(PEER_TIMEOUT)));
}

/// It handles two messages in each timeout, and leaves those behind it waiting.
#[test]
fn a_peer_that_handles_too_little_is_given_up() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    (0..9).for_each(|number| one.send(outgoing(&[number; 9], 2)).expect("short"));
    let mut now = START;
    let loss = loop {
        exchange(&mut one, &mut other, now);
        if let Some(loss) = judged(&mut one, now) {
            break loss;
        }
        other.receive(now);
        now += PEER_TIMEOUT / 2;
    };
    let limit = PEER_TIMEOUT * 3 / 2;
    assert_eq!((now, loss), (START + limit, LinkLoss::Unhandled(limit)));
}

/// It says pings of its own, and reads nothing.
#[test]
fn a_peer_that_reads_nothing_is_given_up_though_it_says_something() {
    let (mut one, mut other) = pair();
    exchange(&mut one, &mut other, START);
    one.send(outgoing(&[1; 100_000], 2)).expect("short");
    let mut out = Vec::new();
    one.output(START, &mut out);
    one.written(START, 60_000);
    let mut now = START;
    while now < START + PEER_TIMEOUT * 3 / 2 {
        assert_eq!(judged(&mut one, now), None);
        now += PEER_TIMEOUT / 4;
        let mut ping = Vec::new();
        FrameHead { kind: FrameKind::Ping, length: 8, handled: 0 }.put(&mut ping);
        ping.extend([7; 8]);
        one.input(now, &ping);
    }
    assert!(matches!(judged(&mut one, now), Some(LinkLoss::Unhandled(_))));
}

/// A slow stream, a window that is always full, and a peer that does not run yet are no faults of the peer.
#[test]
fn messages_that_wait_for_their_turn_end_no_link() {
    let (mut one, _) = pair();
    // Before the peer runs.
    (0..200).for_each(|_| one.send(outgoing(&[1; 300_000], 2)).expect("short"));
    let early = put(&mut one, START);
    one.begin(START);
    let mut now = START + PEER_TIMEOUT * 4 / 3;
    assert_eq!(judged(&mut one, now), None);
    let mut other = Frames::new(StreamSide::Started, PEER_TIMEOUT, StreamLimits::USUAL, now);
    other.input(now, &early);
    // 60 MB pass in more than ten minutes.
    let mut received = 0;
    while received < 200 {
        let (there, back) = (put(&mut one, now), put(&mut other, now));
        now += Duration::from_secs(1);
        other.input(now, &there);
        one.input(now, &back);
        received += usize::from(other.receive(now).is_some());
        assert_eq!((judged(&mut one, now), judged(&mut other, now)), (None, None));
    }
    assert!(now > START + 20 * PEER_TIMEOUT);
}

/// Nothing is handled by a peer that has said its last count. It ends in its own time.
#[test]
fn a_peer_that_has_ended_its_work_handles_nothing() {
    let (mut one, mut other) = two_of_three_received();
    other.conclude();
    let mut now = START;
    for _ in 0..100 {
        exchange(&mut one, &mut other, now);
        assert_eq!(judged(&mut one, now), None);
        now += PEER_TIMEOUT / 8;
    }
}

#[test]
fn a_started_side_receives_nothing_before_its_starter_has_answered() {
    let (mut one, mut other) = pair();
    one.send(outgoing(&[1; 9], 2)).expect("short");
    let sent = put(&mut one, START);
    other.input(START, &sent);
    assert_eq!(other.receive(START), None);
    exchange(&mut one, &mut other, START);
    assert!(other.receive(START).is_some());
}

#[test]
fn each_rule_that_is_broken_ends_the_link() {
    let frame = |kind, body: &[u8], handled| {
        let mut bytes = Vec::new();
        FrameHead { kind, length: body.len(), handled }.put(&mut bytes);
        bytes.extend_from_slice(body);
        bytes
    };
    let ping = frame(FrameKind::Ping, &[1; 8], 0);
    let with = |at: usize, byte: u8| {
        let mut bytes = ping.clone();
        bytes[at] = byte;
        bytes
    };
    let wild = [
        ("no kind", with(4, 0)),
        ("no kind", with(4, 7)),
        ("something where nothing stands", with(5, 1)),
        ("a ping of another length", with(0, 9)),
        ("a length of 4 GiB", with(3, 0xff)),
        ("more handled than was sent", frame(FrameKind::Handled, &[], 1)),
        ("an answer to no ping", frame(FrameKind::Pong, &[9; 8], 0)),
        ("a short piece", frame(FrameKind::Piece, &[1; 5], 0)),
        ("a body without a message", frame(FrameKind::Handled, &[1], 0)),
    ];
    for (what, bytes) in wild {
        let (_, mut other) = pair();
        other.input(START, &bytes);
        assert!(matches!(other.loss(START), Some(LinkLoss::Wild(_))), "{what}");
        assert!(put(&mut other, START).is_empty());
    }
    // The count of what is handled goes back.
    let (mut one, mut other) = pair();
    one.send(outgoing(&[1; 9], 2)).expect("short");
    exchange(&mut one, &mut other, START);
    assert!(other.receive(START).is_some() && other.receive(START).is_none());
    exchange(&mut one, &mut other, START + 5 * MS);
    one.input(START, &frame(FrameKind::Handled, &[], 0));
    assert!(matches!(one.loss(START), Some(LinkLoss::Wild(_))));
    // More than may be unhandled.
    let (_, mut other) = pair();
    for _ in 0..100 {
        other.input(START, &frame(FrameKind::Last, &[1; 60_000], 0));
    }
    assert!(matches!(other.loss(START), Some(LinkLoss::Wild(_))));
    let (_, mut other) = pair();
    for _ in 0..20_000 {
        other.input(START, &frame(FrameKind::Last, &[], 0));
    }
    assert!(matches!(other.loss(START), Some(LinkLoss::Wild(_))), "messages without bytes");
}

/// Returns short streams with frames of each kind.
pub(in crate::backend::subprocess) fn packed_frames() -> Vec<Vec<u8>> {
    let (mut one, mut other) = pair();
    let first = put(&mut other, START);
    one.input(START, &first);
    let mut all = vec![first, put(&mut one, START)];
    one.send(outgoing(&[1; 9], 2)).expect("short");
    one.send(outgoing(&[], 0)).expect("short");
    all.push(put(&mut one, START));
    for (kind, handled) in [(FrameKind::Handled, 2), (FrameKind::Concluded, 3)] {
        let mut count = Vec::new();
        FrameHead { kind, length: 0, handled }.put(&mut count);
        all.push(count);
    }
    all.push(all.concat());
    all
}

/// Returns a stream with a message that is longer than a frame.
fn packed_pieces() -> Vec<u8> {
    let mut long = Vec::new();
    for (kind, length) in [(FrameKind::Piece, LONGEST_BODY), (FrameKind::Last, 3)] {
        FrameHead { kind, length, handled: 2 }.put(&mut long);
        long.resize(long.len() + length, 7);
    }
    long
}

/// Streams of each kind, and many mutations of them.
#[test]
fn no_bytes_do_more_than_end_a_link() {
    let mut streams = packed_frames();
    streams.push(packed_pieces());
    streams.iter().for_each(|bytes| take_frames(bytes));
    let mut seed = 1;
    for _ in 0..5_000 {
        let mut bytes = streams[draw(&mut seed, streams.len())].clone();
        for _ in 0..=draw(&mut seed, 4) {
            let at = draw(&mut seed, bytes.len().min(100) + 1);
            match draw(&mut seed, 4) {
                0 => bytes.truncate(at),
                1 => bytes.insert(at, draw(&mut seed, 256) as u8),
                2 => bytes.extend_from_slice(&streams[draw(&mut seed, 3)]),
                _ if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0xff][draw(&mut seed, 4)],
                _ => {}
            }
        }
        take_frames(&bytes);
    }
}
