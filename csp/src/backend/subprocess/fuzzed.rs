//! The decoders of all that comes from other OS processes, run on bytes that follow no rule. A decoder
//! may refuse them, and does nothing else: no panic, no hang, no memory that the bytes do not fill.
//!
//! The tests run them on a corpus and on mutations of it. With `--cfg csp_fuzz` the functions are also
//! public, under `__private`, for the targets of `fuzz/`.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

use super::node;
use super::protocol::NodeId;
use super::protocol::proof::scene;
use super::transport::wire;
use super::values::{codec, described};

/// A value with parts of all kinds.
#[derive(Serialize, Deserialize, Clone, PartialEq, Debug)]
enum Tree {
    Leaf,
    Number(i64),
    Pair(u8, char),
    Units(Vec<()>),
    Many(Vec<Tree>),
    Named { text: String, map: BTreeMap<u16, Option<Box<Tree>>>, bytes: Vec<u8>, exact: f64 },
}

const ME: NodeId = NodeId(0x0123_4567_89ab_cdef);

/// Reads a message of a node. A message that may be passed on can be read.
pub fn messages(bytes: &[u8]) {
    // A message that was read is written again as it was.
    if let Ok(message) = wire::decode(ME, &mut bytes.to_vec()) {
        let mut again = Vec::new();
        let tail = wire::encode(message.clone(), &mut again);
        again.extend(tail.iter().flat_map(|tail| tail.iter()));
        assert_eq!(wire::decode(ME, &mut again), Ok(message));
    }
    if wire::judge_passing(ME, bytes).is_ok() {
        assert!(wire::decode(ME, &mut bytes.to_vec()).is_ok());
    }
}

/// Reads a note of a node about others, or a home that it leaves.
pub fn notes(bytes: &[u8]) {
    node::unpack_notes(bytes);
}

/// Runs a node among hostile ones. The bytes decide what these say.
pub fn machine(bytes: &[u8]) {
    scene::play(bytes);
}

/// Takes a stream of frames.
#[cfg(feature = "hosts")]
pub fn frames(bytes: &[u8]) {
    super::transport::stream::take_frames(bytes);
}

/// Unpacks values of types that say nothing of themselves.
pub fn values(bytes: &[u8]) {
    if let Ok(tree) = codec::unpack::<Tree>(&mut &bytes[..]) {
        let again = codec::pack(&tree, Vec::new()).expect("what was unpacked can be packed");
        let again: Tree = codec::unpack(&mut &again[..]).expect("and unpacked");
        assert!(format!("{again:?}") == format!("{tree:?}"));
    }
    let _ = codec::unpack::<Vec<Vec<()>>>(&mut &bytes[..]);
    let _ = codec::unpack::<HashMap<(), String>>(&mut &bytes[..]);
    let _ = codec::unpack::<(String, [u16; 4], Option<Vec<bool>>, char)>(&mut &bytes[..]);
}

/// Unpacks values that come with names.
pub fn described(bytes: &[u8]) {
    fn unpack<T: serde::de::DeserializeOwned>(bytes: &[u8]) {
        let _: Result<T, _> = described::unpack(&mut &bytes[..]);
    }
    unpack::<Tree>(bytes);
    unpack::<Vec<Vec<()>>>(bytes);
    unpack::<HashMap<String, Option<i128>>>(bytes);
}

#[cfg(test)]
mod tests {
    //! `fuzz/corpus` has what the decoders are to start from. `CSP_BLESS=1` writes it anew.

    use std::path::PathBuf;
    use std::{env, fs};

    use super::super::transport::wire;
    use super::super::values::{codec, described};
    use super::{Tree, node};

    fn tree(depth: u32) -> Tree {
        match depth {
            0 => Tree::Many(vec![
                Tree::Leaf,
                Tree::Number(-5),
                Tree::Pair(7, 'ß'),
                Tree::Units(vec![(); 3]),
            ]),
            _ => Tree::Named {
                text: "text".to_owned(),
                map: [(1, None), (2, Some(Box::new(tree(depth - 1))))].into(),
                bytes: vec![9; 20],
                exact: 0.25,
            },
        }
    }

    type Decoder = fn(&[u8]);

    /// Each with how many of its mutations take as long as one of the others.
    const DECODERS: &[(&str, Decoder, usize)] = &[
        ("messages", super::messages, 1),
        ("notes", super::notes, 1),
        ("values", super::values, 1),
        ("described", super::described, 1),
        ("machine", super::machine, 20),
        #[cfg(feature = "hosts")]
        ("frames", super::frames, 1),
    ];

    /// Returns what the corpus of a decoder begins with.
    fn seeds(name: &str) -> Vec<Vec<u8>> {
        match name {
            "messages" => wire::samples::bytes(),
            "notes" => node::packed_notes(),
            "values" => {
                (0..4).map(|depth| codec::pack(&tree(depth), Vec::new()).expect("a tree")).collect()
            }
            #[cfg(feature = "hosts")]
            "frames" => super::super::transport::stream::packed_frames(),
            "described" => (0..4).map(described_tree).collect(),
            // Sequences of decisions, from the same numbers every time.
            _ => (1..=4)
                .map(|mut seed| (0..150).map(|_| draw(&mut seed, 256) as u8).collect())
                .collect(),
        }
    }

    fn described_tree(depth: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        described::pack(&tree(depth), &mut bytes).expect("a tree");
        bytes
    }

    fn folder(name: &str) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(name)
    }

    fn corpus(name: &str) -> Vec<Vec<u8>> {
        let folder = folder(name);
        if env::var_os("CSP_BLESS").is_some() {
            fs::create_dir_all(&folder).expect("a folder");
            for (at, seed) in seeds(name).iter().enumerate() {
                fs::write(folder.join(format!("{at:02}")), seed).expect("a file");
            }
        }
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .expect("fuzz/corpus")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        files.iter().map(|file| fs::read(file).expect("a file")).collect()
    }

    /// Returns a number, from the same sequence every time.
    fn draw(seed: &mut u64, below: usize) -> usize {
        *seed =
            seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*seed >> 33) as usize % below
    }

    fn mutate(bytes: &mut Vec<u8>, other: &[u8], seed: &mut u64) {
        let at = draw(seed, bytes.len() + 1);
        match draw(seed, 7) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, draw(seed, 256) as u8),
            2 => bytes.extend_from_slice(&other[draw(seed, other.len() + 1)..]),
            // A length, or a number at its edge.
            3 => {
                let number = [0, 1, 255, 65_536, 65_537, u64::from(u32::MAX), 1 << 40, u64::MAX];
                let number = number[draw(seed, 8)].to_le_bytes();
                bytes.truncate(at);
                bytes.extend(number);
                bytes.extend_from_slice(&other[draw(seed, other.len() + 1)..]);
            }
            _ if at < bytes.len() => {
                bytes[at] = [0, 1, 2, 0x7f, 0xff, draw(seed, 256) as u8][draw(seed, 6)]
            }
            _ => {}
        }
    }

    /// The corpus, and as many mutations of it as `CSP_FUZZ` says, or else 20,000, for each decoder.
    #[test]
    fn no_bytes_break_a_decoder() {
        let rounds =
            env::var("CSP_FUZZ").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(20_000);
        for &(name, decode, weight) in DECODERS {
            let corpus = corpus(name);
            assert!(corpus.len() >= 4, "the corpus of {name}");
            corpus.iter().for_each(|bytes| decode(bytes));
            let mut seed = 1;
            for _ in 0..rounds / weight {
                let mut bytes = corpus[draw(&mut seed, corpus.len())].clone();
                let other = &corpus[draw(&mut seed, corpus.len())];
                for _ in 0..=draw(&mut seed, 4) {
                    mutate(&mut bytes, other, &mut seed);
                }
                decode(&bytes);
            }
        }
    }

    /// Every seed is in the corpus, and every kind of message and note is a seed.
    #[test]
    fn the_corpus_has_every_kind() {
        for &(name, _, _) in DECODERS {
            let corpus = corpus(name);
            for seed in seeds(name) {
                assert!(corpus.contains(&seed), "{name}: `CSP_BLESS=1` writes the corpus anew");
            }
        }
        let kinds = |name| {
            let mut kinds: Vec<u8> =
                seeds(name).iter().filter_map(|seed| seed.first().copied()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds
        };
        assert_eq!(kinds("messages"), (1..=26).collect::<Vec<u8>>());
    }
}
