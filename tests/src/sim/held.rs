//! Which pieces a viewer holds: a bitmap of the newest ones.

/// Pieces remembered; a power of two. 12 s at 170 pieces a second, which is 20 Mb/s.
const REMEMBERED: u32 = 2_048;

/// The newest pieces, as bits.
#[derive(Debug, Clone)]
pub struct Held {
    bits: Box<[u64; REMEMBERED as usize / 64]>,
    /// Behind the newest piece held.
    end: u32,
}

impl Default for Held {
    fn default() -> Self {
        Held { bits: Box::new([0; REMEMBERED as usize / 64]), end: 0 }
    }
}

impl Held {
    /// Takes note of a piece. Whether it was not held before.
    pub fn insert(&mut self, seq: u32) -> bool {
        if seq >= self.end {
            if seq - self.end >= REMEMBERED {
                self.bits.fill(0);
            } else {
                (self.end..=seq).for_each(|seq| self.clear(seq));
            }
            self.end = seq + 1;
        } else if self.end - seq > REMEMBERED {
            return false;
        }
        let (word, bit) = place(seq);
        let new = self.bits[word] & bit == 0;
        self.bits[word] |= bit;
        new
    }

    fn clear(&mut self, seq: u32) {
        let (word, bit) = place(seq);
        self.bits[word] &= !bit;
    }

    /// Whether a piece is held; one of long ago is not.
    pub fn contains(&self, seq: u32) -> bool {
        let (word, bit) = place(seq);
        seq < self.end && self.end - seq <= REMEMBERED && self.bits[word] & bit != 0
    }
}

fn place(seq: u32) -> (usize, u64) {
    let at = seq % REMEMBERED;
    (at as usize / 64, 1 << (at % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembers_the_newest() {
        let mut held = Held::default();
        assert!(held.insert(5) && !held.insert(5) && held.insert(3));
        assert!(held.contains(3) && held.contains(5) && !held.contains(4) && !held.contains(6));
        assert!(held.insert(2_052), "takes the place of piece 4");
        assert!(held.contains(5) && !held.contains(2_051));
        assert!(held.insert(100_000) && !held.contains(2_052));
    }
}
