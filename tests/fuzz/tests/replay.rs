//! The short run: the corpus, and a fixed number of changes of it, without instrumentation. The
//! changes follow from a seed, which is printed, and are others for each target; `FUZZ_SEED` and `FUZZ_TIMES` set them.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

/// Changes of an input join in at most so many others.
const CHANGES_MAX: u64 = 4;

/// Bytes of a changed input.
const INPUT_MAX: usize = 64 << 10;

/// Numbers at the edges of what fields hold.
const NUMBERS: &[u64] =
    &[0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0xff_ffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

macro_rules! targets {
    ($($name:ident: $times:literal changes),* $(,)?) => {$(
        #[test]
        fn $name() {
            replay(stringify!($name), fuzz::$name, $times);
        }
    )*};
}

// About a second each.
targets! {
    config: 10_000 changes,
    datagram: 500_000 changes,
    flv: 15_000 changes,
    frame: 150_000 changes,
    join_token: 60_000 changes,
    peer: 250 changes,
    request: 12_000 changes,
    rest: 3_000 changes,
    rtmp: 40_000 changes,
    signalling: 500_000 changes,
    stream_header: 60_000 changes,
    websocket: 100_000 changes,
}

fn replay(name: &str, target: fn(&[u8]), times: u64) {
    let corpus = corpus(name);
    corpus.iter().for_each(|(file, input)| run(target, input, file));
    let seed = environment("FUZZ_SEED").unwrap_or(1);
    println!("{name}: {} inputs, then changes of them from seed {seed}", corpus.len());
    let mut random = Random(seed);
    for number in 0..environment("FUZZ_TIMES").unwrap_or(times) {
        let input = random.changed(&corpus);
        run(target, &input, &format!("seed {seed}, change {number}"));
    }
}

/// What was sent when it fails is written down, to become an input of the corpus.
fn run(target: fn(&[u8]), input: &[u8], which: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(input))) {
        let path = std::env::temp_dir().join(format!("fuzz-{}", std::process::id()));
        fs::write(&path, input).expect("a failing input is written");
        eprintln!("{which} fails: {}", path.display());
        resume_unwind(panic);
    }
}

fn environment(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

/// File names and contents, in the order of names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut paths: Vec<_> =
        fs::read_dir(&folder).expect("a corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    paths.iter().map(|path| (path.display().to_string(), fs::read(path).expect("an input"))).collect()
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.number() % end.max(1) as u64) as usize
    }

    fn pick<'a>(&mut self, corpus: &'a [(String, Vec<u8>)]) -> &'a [u8] {
        &corpus[self.below(corpus.len())].1
    }

    fn changed(&mut self, corpus: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut input = self.pick(corpus).to_vec();
        for _ in 0..=self.number() % CHANGES_MAX {
            let other = self.pick(corpus);
            self.change(&mut input, other);
        }
        input.truncate(INPUT_MAX);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(input.len());
        let length = self.below((input.len() - at).min(32)) + 1;
        let range = at..(at + length).min(input.len());
        match self.below(8) {
            0 if !input.is_empty() => input[at] ^= 1 << self.below(8),
            1 if !input.is_empty() => input[at] = self.number() as u8,
            2 => input.truncate(at),
            3 => drop(input.drain(range)),
            4 => {
                let doubled = input[range].repeat(self.below(4) + 1);
                input.splice(at..at, doubled);
            }
            5 => {
                let from = self.below(other.len());
                let end = from + self.below(other.len() - from + 1);
                input.splice(range, other[from..end].iter().copied());
            }
            6 => {
                let width = 1 << self.below(4);
                let number = NUMBERS[self.below(NUMBERS.len())].to_be_bytes();
                for (byte, value) in input[at..].iter_mut().zip(&number[8 - width..]) {
                    *byte = *value;
                }
            }
            _ => {
                let number = NUMBERS[self.below(NUMBERS.len())].to_string();
                input.splice(range, number.into_bytes());
            }
        }
    }
}
