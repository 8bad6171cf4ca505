//! Whatever an encoder sends, the packager answers with an error or with chunks, and memory stays bounded.

use std::sync::LazyLock;

use crate::support::{Stream, Tag};
use bytes::Bytes;
use proptest::prelude::*;

use media::{CutterConfig, MediaEvent, Packager, TagKind};

static REAL: LazyLock<Vec<Tag>> =
    LazyLock::new(|| Stream { seconds: 2, b_frames: 2, size: "160x90", ..Stream::default() }.tags());

fn kind() -> impl Strategy<Value = TagKind> {
    prop_oneof![Just(TagKind::Audio), Just(TagKind::Video)]
}

/// Bodies that begin like real ones get further into the parser than noise does.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        Just(vec![]),
        Just(vec![0x17, 0, 0, 0, 0, 1]),
        Just(vec![0x17, 1]),
        Just(vec![0x27, 1, 0, 0, 0]),
        Just(vec![0xaf, 0]),
        Just(vec![0xaf, 1]),
        Just(vec![0x90]),
    ];
    (start, prop::collection::vec(any::<u8>(), 0..96)).prop_map(|(start, rest)| [start, rest].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn arbitrary_tags_never_panic(tags in prop::collection::vec((kind(), any::<u32>(), any::<u32>(), body()), 0..40)) {
        let mut packager = Packager::new(CutterConfig::default());
        packager.publish(0);
        for (kind, timestamp, now, body) in tags {
            let _ = packager.push(kind, timestamp, u64::from(now), Bytes::from(body));
        }
        packager.flush();
        while packager.poll().is_some() {}
    }
}

/// A change to a real stream.
#[derive(Debug, Clone)]
enum Mutation {
    Flip { at: usize, byte: u8 },
    Truncate { to: usize },
    Retime { timestamp_ms: u32 },
    Drop,
    Republish { now_ms: u64 },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip { at, byte }),
        (0..32_usize, any::<u8>()).prop_map(|(at, byte)| Mutation::Flip { at, byte }),
        any::<usize>().prop_map(|to| Mutation::Truncate { to }),
        any::<u32>().prop_map(|timestamp_ms| Mutation::Retime { timestamp_ms }),
        Just(Mutation::Drop),
        (0..10_000_u64).prop_map(|now_ms| Mutation::Republish { now_ms }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_damaged_stream_never_leads_back_in_time(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), mutation()), 1..12),
    ) {
        let mut changed: Vec<(Tag, Option<u64>)> = REAL.iter().map(|tag| (tag.clone(), None)).collect();
        for (index, mutation) in mutations {
            let at = index.index(changed.len());
            apply(mutation, &mut changed[at]);
        }
        let mut packager = Packager::new(CutterConfig::default());
        packager.publish(0);
        let mut start_ms = 0;
        for (tag, republish) in changed {
            if let Some(now_ms) = republish {
                packager.publish(now_ms);
            }
            let _ = packager.push(tag.kind, tag.timestamp_ms, u64::from(tag.timestamp_ms), tag.body);
            while let Some(event) = packager.poll() {
                if let MediaEvent::Chunk(chunk) = event {
                    prop_assert!(!chunk.bytes.is_empty());
                    prop_assert!(chunk.start_ms >= start_ms, "{} < {start_ms}", chunk.start_ms);
                    start_ms = chunk.start_ms;
                }
            }
        }
    }
}

fn apply(mutation: Mutation, (tag, republish): &mut (Tag, Option<u64>)) {
    let mut body = tag.body.to_vec();
    match mutation {
        Mutation::Flip { at, byte } if !body.is_empty() => {
            let at = at % body.len();
            body[at] = byte;
        }
        Mutation::Flip { .. } => {}
        Mutation::Truncate { to } => body.truncate(to % (body.len() + 1)),
        Mutation::Retime { timestamp_ms } => tag.timestamp_ms = timestamp_ms,
        Mutation::Drop => body.clear(),
        Mutation::Republish { now_ms } => *republish = Some(now_ms),
    }
    tag.body = Bytes::from(body);
}

#[test]
fn what_is_held_is_bounded() {
    let config = CutterConfig::default();
    let limit = config.chunk_max_samples;
    let mut packager = Packager::new(config);
    packager.publish(0);
    let header = REAL.iter().filter(|tag| tag.body[1] == 0);
    header.for_each(|tag| packager.push(tag.kind, 0, 0, tag.body.clone()).unwrap());
    let keyframe = REAL.iter().find(|tag| tag.kind == TagKind::Video && tag.body[1] == 1).unwrap();
    packager.push(TagKind::Video, 0, 0, keyframe.body.clone()).unwrap();
    for _ in 0..limit * 10 {
        packager
            .push(TagKind::Video, 0, 0, Bytes::from_static(&[0x27, 1, 0, 0, 0, 0, 0, 0, 1, 0x41]))
            .unwrap();
    }
    let chunks = std::iter::from_fn(|| packager.poll()).filter(|event| matches!(event, MediaEvent::Chunk(_)));
    assert!(chunks.count() >= 10);
}
