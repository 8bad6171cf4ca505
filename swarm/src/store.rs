//! The ring of recent pieces that a participant holds, all of them proven. Bounded by media time and by bytes.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use wire::{Epoch, Piece, PieceHeader};

use crate::table::Table;

/// Running numbers that may separate the newest piece from one that is still wanted. At 250 pieces a second: 16 s.
pub(crate) const WINDOW_PIECES: u32 = 4096;

/// Verified pieces of one broadcast, by running number.
#[derive(Debug, Default)]
pub(crate) struct Store {
    pieces: Table<u32, Piece>,
    /// Number of the first piece, and media time, of each keyframe chunk of which a piece is held.
    join_points: Table<u32, u32>,
    bytes: usize,
    newest_ms: u32,
    /// Below this, pieces have been let go and are not taken again.
    floor: u32,
}

impl Store {
    /// Takes a piece in, unless it is held already or too old. Returns whether it is new.
    pub(crate) fn insert(&mut self, piece: Piece, keep_ms: u32, keep_bytes: usize) -> bool {
        let header = piece.header;
        if header.seq < self.floor || self.pieces.contains_key(&header.seq) {
            return false;
        }
        self.newest_ms = self.newest_ms.max(header.time_ms);
        if header.keyframe {
            self.join_points.insert(header.first_seq(), header.time_ms);
        }
        self.bytes += piece.frame().len();
        self.pieces.insert(header.seq, piece);
        self.trim(keep_ms, keep_bytes);
        self.contains(header.seq)
    }

    fn trim(&mut self, keep_ms: u32, keep_bytes: usize) {
        while let Some((_, oldest)) = self.pieces.first_key_value() {
            let age_ms = self.newest_ms.saturating_sub(oldest.header.time_ms);
            if age_ms <= keep_ms && self.bytes <= keep_bytes {
                break;
            }
            let Some((_, piece)) = self.pieces.pop_first() else { break };
            self.bytes -= piece.frame().len();
            self.floor = self.floor.max(piece.header.seq.saturating_add(1));
        }
        self.join_points.drop_before(&self.floor);
    }

    pub(crate) fn contains(&self, seq: u32) -> bool {
        self.pieces.contains_key(&seq)
    }

    pub(crate) fn piece(&self, seq: u32) -> Option<&Piece> {
        self.pieces.get(&seq)
    }

    /// Number of the newest piece.
    pub(crate) fn newest(&self) -> Option<u32> {
        self.pieces.last_key_value().map(|(&seq, _)| seq)
    }

    /// Media time of the newest piece.
    pub(crate) fn newest_ms(&self) -> u32 {
        self.newest_ms
    }

    /// Pieces below this are gone.
    pub(crate) fn floor(&self) -> u32 {
        self.floor
    }

    /// Pieces from number `from` on.
    pub(crate) fn from(&self, from: u32) -> impl DoubleEndedIterator<Item = &Piece> {
        self.pieces.range(from..).map(|(_, piece)| piece)
    }

    /// Media time at which piece `seq` is needed, as its next held successor tells.
    pub(crate) fn time_of(&self, seq: u32) -> u32 {
        self.from(seq).next().map_or(self.newest_ms, |piece| piece.header.time_ms)
    }

    /// About how many pieces are published in `time`, going by what is held.
    pub(crate) fn pieces_in(&self, time: Duration) -> u32 {
        let Some((&oldest, piece)) = self.pieces.first_key_value() else { return 0 };
        let held_ms = u64::from(self.newest_ms.saturating_sub(piece.header.time_ms).max(1));
        let pieces = u64::from(self.newest().unwrap_or(oldest) - oldest);
        u32::try_from(pieces * time.as_millis() as u64 / held_ms).unwrap_or(u32::MAX).min(WINDOW_PIECES)
    }

    /// Where a newcomer should start: the newest segment that leaves `ahead_ms` of media to play, or else the
    /// oldest one held.
    pub(crate) fn join_point(&self, ahead_ms: u32) -> Option<u32> {
        let leaves_enough = |time_ms: u32| self.newest_ms.saturating_sub(time_ms) >= ahead_ms;
        let newest = self.join_points.iter().rev().find(|&(_, &time_ms)| leaves_enough(time_ms));
        newest.or_else(|| self.join_points.first_key_value()).map(|(&seq, _)| seq)
    }

    /// The whole chunk whose first piece is `first`, when all of it is held.
    pub(crate) fn chunk(&self, first: u32, count: u16) -> Option<Bytes> {
        let pieces: Vec<_> = self.pieces.range(first..first.checked_add(count.into())?).collect();
        if pieces.len() != usize::from(count) {
            return None;
        }
        let mut bytes = BytesMut::new();
        pieces.iter().for_each(|(_, piece)| bytes.extend_from_slice(&piece.payload()));
        Some(bytes.freeze())
    }

    /// The newest keyframe chunk that is held whole, and the header of its first piece.
    pub(crate) fn newest_keyframe(&self) -> Option<(PieceHeader, Bytes)> {
        self.join_points.iter().rev().find_map(|(&first, _)| {
            let header = self.piece(first)?.header;
            Some((header, self.chunk(first, header.count)?))
        })
    }

    /// What is held of the last `span_ms`, as a HAVE's base and bitmap.
    pub(crate) fn have(&self, span_ms: u32) -> Option<(u32, Bytes)> {
        let newest = self.newest()?;
        let since_ms = self.newest_ms.saturating_sub(span_ms);
        let recent = self.pieces.values().rev().take_while(|piece| piece.header.time_ms >= since_ms);
        let oldest = recent.last().map_or(newest, |piece| piece.header.seq);
        let base = oldest.max(newest.saturating_sub(wire::limits::HAVE_SPAN_MAX as u32 - 1));
        let mut bitmap = vec![0u8; (newest - base) as usize / 8 + 1];
        for (&seq, _) in self.pieces.range(base..) {
            bitmap[(seq - base) as usize / 8] |= 1 << ((seq - base) % 8);
        }
        Some((base, bitmap.into()))
    }
}

/// Which recent pieces a neighbor holds, as far as is known: a window that slides with its newest.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    epoch: Option<Epoch>,
    base: u32,
    words: Vec<u64>,
}

const HOLDINGS_WORDS: usize = wire::limits::HAVE_SPAN_MAX / 64;

impl Holdings {
    pub(crate) fn contains(&self, seq: u32) -> bool {
        let Some(at) = seq.checked_sub(self.base) else { return false };
        self.words.get(at as usize / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }

    pub(crate) fn contains_in(&self, epoch: Epoch, seq: u32) -> bool {
        self.epoch == Some(epoch) && self.contains(seq)
    }

    pub(crate) fn insert(&mut self, epoch: Epoch, seq: u32) {
        if self.epoch != Some(epoch) {
            *self = Holdings { epoch: Some(epoch), base: seq & !63, words: Vec::new() };
        }
        let Some(at) = seq.checked_sub(self.base) else { return };
        let mut word = at as usize / 64;
        if word >= HOLDINGS_WORDS {
            let slide = word + 1 - HOLDINGS_WORDS;
            self.words.drain(..slide.min(self.words.len()));
            self.base += slide as u32 * 64;
            word -= slide;
        }
        if self.words.len() <= word {
            self.words.resize(word + 1, 0);
        }
        self.words[word] |= 1 << (at % 64);
    }

    /// Takes a HAVE in; returns the highest number that it names.
    pub(crate) fn merge(&mut self, epoch: Epoch, base: u32, bitmap: &[u8]) -> Option<u32> {
        let held = |&bit: &usize| bitmap[bit / 8] & (1 << (bit % 8)) != 0;
        let mut newest = None;
        for bit in (0..bitmap.len() * 8).filter(held) {
            let seq = base + bit as u32;
            self.insert(epoch, seq);
            newest = Some(seq);
        }
        newest
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wire::Signer;

    use super::*;

    pub(crate) fn piece(seq: u32, time_ms: u32, keyframe: bool) -> Piece {
        let header = PieceHeader {
            epoch: Epoch(1),
            seq,
            chunk: seq,
            index: 0,
            count: 1,
            generation: 0,
            time_ms,
            duration_ms: 100,
            keyframe,
        };
        Piece::sign(header, b"payload", &Signer::from_seed(&[1; 32]))
    }

    fn filled(pieces: u32) -> Store {
        let mut store = Store::default();
        for seq in 0..pieces {
            assert!(store.insert(piece(seq, seq * 100, seq % 10 == 0), 5_000, 1 << 20));
        }
        store
    }

    #[test]
    fn old_pieces_leave_and_do_not_return() {
        let mut store = filled(100);
        assert_eq!((store.floor(), store.newest()), (49, Some(99)));
        assert!(!store.insert(piece(3, 300, false), 5_000, 1 << 20));
        assert!(!store.insert(piece(99, 9_900, false), 5_000, 1 << 20), "already held");
    }

    #[test]
    fn bytes_are_bounded_whatever_the_clock_says() {
        let mut store = Store::default();
        for seq in 0..100 {
            store.insert(piece(seq, 0, false), 5_000, 1_050);
        }
        assert_eq!(store.pieces.len(), 10);
    }

    #[test]
    fn the_newest_keyframe_is_of_a_chunk_that_is_held_whole() {
        let mut store = filled(25);
        assert_eq!(store.newest_keyframe().unwrap().0.seq, 20);
        let half = PieceHeader { count: 2, ..piece(30, 3_000, true).header };
        store.insert(Piece::sign(half, b"half", &Signer::from_seed(&[1; 32])), 5_000, 1 << 20);
        assert_eq!(store.newest_keyframe().unwrap(), (piece(20, 2_000, true).header, Bytes::from("payload")));
    }

    #[test]
    fn newcomers_start_at_the_newest_segment_that_leaves_enough() {
        let store = filled(46);
        assert_eq!(store.join_point(400), Some(40));
        assert_eq!(store.join_point(700), Some(30));
        assert_eq!(store.join_point(60_000), Some(0), "nothing is old enough: the oldest");
        assert_eq!(Store::default().join_point(700), None);
    }

    #[test]
    fn have_describes_the_recent_pieces() {
        let mut store = filled(20);
        store.insert(piece(25, 2_500, false), 5_000, 1 << 20);
        let (base, bitmap) = store.have(1_000).unwrap();
        let mut holdings = Holdings::default();
        assert_eq!(holdings.merge(Epoch(1), base, &bitmap), Some(25));
        assert!(holdings.contains(19) && holdings.contains(25) && !holdings.contains(22));
    }

    proptest! {
        #[test]
        fn holdings_remember_the_newest_2048_less_a_word(seqs in prop::collection::vec(0u32..10_000, 1..200)) {
            let mut holdings = Holdings::default();
            seqs.iter().for_each(|&seq| holdings.insert(Epoch(1), seq));
            prop_assert!(holdings.words.len() <= HOLDINGS_WORDS);
            let newest = *seqs.iter().max().unwrap();
            prop_assert!(holdings.contains(newest) || newest < holdings.base);
            for seq in 0..10_000 {
                prop_assert!(!holdings.contains(seq) || seqs.contains(&seq));
            }
        }
    }
}
