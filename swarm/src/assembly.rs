//! Pieces back into chunks, and chunks in order to the player.

use bytes::Bytes;
use wire::{Epoch, PieceHeader};

use crate::store::Store;
use crate::table::Table;

/// A whole chunk, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The broadcast.
    pub epoch: Epoch,
    /// Number in the broadcast.
    pub number: u32,
    /// Which stream header it needs.
    pub generation: u16,
    /// Capture time of its first frame, in milliseconds since the epoch.
    pub time_ms: u32,
    /// Media time that it covers, in milliseconds.
    pub duration_ms: u16,
    /// It starts a segment.
    pub keyframe: bool,
    /// CMAF chunk: `moof` and `mdat`.
    pub bytes: Bytes,
}

/// A chunk of which pieces have come.
#[derive(Debug, Clone, Copy)]
struct Partial {
    header: PieceHeader,
    held: u16,
}

/// What has come of each chunk, and which chunk is next.
#[derive(Debug, Default)]
pub(crate) struct Assembly {
    partials: Table<u32, Partial>,
    next: Option<u32>,
    wanted_from: u32,
    /// Chunks left out because they could not be had in time.
    pub(crate) skipped: u64,
    /// Chunks handed on.
    pub(crate) delivered: u64,
}

impl Assembly {
    /// Takes note of a new piece in the store.
    pub(crate) fn note(&mut self, header: &PieceHeader) {
        if self.next.is_none() && header.keyframe {
            self.start_at(header);
        }
        if self.next.is_some_and(|next| header.chunk < next) {
            return;
        }
        let partial = self.partials.or_insert(header.chunk, Partial { header: *header, held: 0 });
        partial.held += 1;
    }

    /// The first piece that is still of use; `None` before there is a place to start.
    pub(crate) fn wanted_from(&self) -> Option<u32> {
        self.next.map(|_| self.wanted_from)
    }

    /// The next chunk, if it is whole.
    pub(crate) fn take(&mut self, store: &Store) -> Option<Chunk> {
        let number = self.next?;
        let partial = self.partials.get(&number).filter(|partial| partial.held == partial.header.count)?;
        let header = partial.header;
        let bytes = store.chunk(header.first_seq(), header.count)?;
        self.partials.remove(&number);
        self.next = number.checked_add(1);
        self.wanted_from = header.first_seq().saturating_add(header.count.into());
        self.delivered += 1;
        Some(Chunk {
            epoch: header.epoch,
            number,
            generation: header.generation,
            time_ms: header.time_ms,
            duration_ms: header.duration_ms,
            keyframe: header.keyframe,
            bytes,
        })
    }

    /// Generation of the next chunk when it is whole.
    pub(crate) fn peek(&self) -> Option<u16> {
        let partial = self.partials.get(&self.next?)?;
        (partial.held == partial.header.count).then_some(partial.header.generation)
    }

    /// Leaves out what cannot be had any more: goes on at the first whole keyframe chunk behind the missing one, if
    /// the media before `due_ms` should have been there by now.
    pub(crate) fn skip(&mut self, due_ms: u32) {
        let Some(next) = self.next else { return };
        let whole = |partial: &Partial| partial.held == partial.header.count;
        if self.partials.get(&next).is_some_and(whole) {
            return;
        }
        let Some((_, first_after)) = self.partials.range(next..).next() else { return };
        if first_after.header.time_ms > due_ms {
            return;
        }
        let restart =
            self.partials.range(next.saturating_add(1)..).find(|(_, p)| p.header.keyframe && whole(p));
        let Some(restart) = restart.map(|(_, partial)| partial.header) else { return };
        self.skipped += u64::from(restart.chunk - next);
        self.start_at(&restart);
    }

    /// Forgets chunks whose pieces the store has let go; goes on at a keyframe.
    pub(crate) fn trim(&mut self, floor: u32) {
        let whole_above = |partial: &Partial| partial.header.first_seq() >= floor;
        if self.partials.first_key_value().is_none_or(|(_, oldest)| whole_above(oldest)) {
            return;
        }
        if self.next.is_some() {
            self.skipped += self.partials.values().filter(|partial| !whole_above(partial)).count() as u64;
        }
        self.partials.retain(|_, partial| whole_above(partial));
        let restart = self.partials.values().find(|partial| partial.header.keyframe).map(|p| p.header);
        match restart {
            Some(header) => self.start_at(&header),
            None => self.restart(),
        }
    }

    /// Forgets everything but the counts.
    pub(crate) fn restart(&mut self) {
        *self = Assembly { skipped: self.skipped, delivered: self.delivered, ..Assembly::default() };
    }

    fn start_at(&mut self, keyframe: &PieceHeader) {
        self.next = Some(keyframe.chunk);
        self.wanted_from = keyframe.first_seq();
        self.partials.drop_before(&keyframe.chunk);
    }
}

#[cfg(test)]
mod tests {
    use wire::{Piece, Signer};

    use super::*;

    /// Chunk `number` has two pieces; every fifth starts a segment.
    fn pieces(number: u32) -> [Piece; 2] {
        [0, 1].map(|index| {
            let header = PieceHeader {
                epoch: Epoch(1),
                seq: number * 2 + u32::from(index),
                chunk: number,
                index,
                count: 2,
                generation: 0,
                time_ms: number * 100,
                duration_ms: 100,
                keyframe: number.is_multiple_of(5),
            };
            Piece::sign(header, &[number as u8, index as u8], &Signer::from_seed(&[1; 32]))
        })
    }

    #[derive(Default)]
    struct Player {
        store: Store,
        assembly: Assembly,
    }

    impl Player {
        fn receive(&mut self, piece: &Piece) {
            if self.store.insert(piece.clone(), 5_000, 1 << 20) {
                self.assembly.note(&piece.header);
                self.assembly.trim(self.store.floor());
            }
        }

        fn played(&mut self) -> Vec<u32> {
            std::iter::from_fn(|| self.assembly.take(&self.store)).map(|chunk| chunk.number).collect()
        }
    }

    #[test]
    fn chunks_come_out_in_order_from_the_first_keyframe_on() {
        let mut player = Player::default();
        for number in [4, 6, 5, 8, 7] {
            pieces(number).iter().rev().for_each(|piece| player.receive(piece));
        }
        assert_eq!(player.played(), [5, 6, 7, 8], "6 came before the segment's start was known, and is kept");
    }

    #[test]
    fn payloads_are_joined() {
        let mut player = Player::default();
        pieces(5).iter().for_each(|piece| player.receive(piece));
        assert_eq!(&player.assembly.take(&player.store).unwrap().bytes[..], &[5, 0, 5, 1]);
    }

    #[test]
    fn a_hole_is_left_out_only_when_it_is_due_and_a_segment_follows() {
        let mut player = Player::default();
        for number in [0, 1, 3, 4] {
            pieces(number).iter().for_each(|piece| player.receive(piece));
        }
        assert_eq!(player.played(), [0, 1]);
        player.assembly.skip(10_000);
        assert_eq!(player.played(), [0u32; 0], "no segment to go on with");
        pieces(5).iter().for_each(|piece| player.receive(piece));
        player.assembly.skip(150);
        assert_eq!(player.played(), [0u32; 0], "not due yet");
        player.assembly.skip(350);
        assert_eq!(player.played(), [5]);
        assert_eq!(player.assembly.skipped, 3);
    }

    #[test]
    fn what_the_store_lets_go_is_not_waited_for() {
        let mut player = Player::default();
        player.receive(&pieces(0)[0]);
        for number in 1..=60 {
            pieces(number).iter().for_each(|piece| player.receive(piece));
        }
        let played = player.played();
        assert_eq!((played[0] % 5, played[played.len() - 1]), (0, 60));
    }
}
