//! One host's access to the network: an uplink and a downlink, each with a rate, a drop-tail queue and bursty loss.

use crate::sim::agenda::Micros;
use crate::sim::model::{LOSS_RUN_PACKETS, QUEUE_LENGTH};
use crate::sim::random::Random;

/// Behind which kind of NAT a host is (RFC 4787's terms, coarsely).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nat {
    /// A public address.
    Open,
    /// Endpoint-independent mapping and filtering.
    Cone,
    /// Endpoint-independent mapping, filtering by port.
    PortRestricted,
    /// A mapping for each destination.
    Symmetric,
    /// UDP is blocked.
    NoUdp,
}

impl Nat {
    /// Whether a link can be made by hole punching between hosts behind these.
    pub fn reaches(self, other: Nat) -> bool {
        use Nat::{NoUdp, PortRestricted, Symmetric};
        !matches!(
            (self, other),
            (NoUdp, _) | (_, NoUdp) | (Symmetric, Symmetric | PortRestricted) | (PortRestricted, Symmetric)
        )
    }
}

/// A host's place in the network.
#[derive(Debug)]
pub struct Host {
    /// Towards the network.
    pub up: Pipe,
    /// From the network.
    pub down: Pipe,
    /// One way through the access line.
    pub access: Micros,
    /// Index into the table of regions; `None`: distances are drawn for each pair.
    pub region: Option<usize>,
    /// Its NAT.
    pub nat: Nat,
    /// Nothing is heard of it any more.
    pub gone: bool,
}

/// One direction of an access line.
#[derive(Debug)]
pub struct Pipe {
    rate_bps: u64,
    /// When the last bit that was taken is through, in nanoseconds.
    busy_until_ns: u64,
    loss: Gilbert,
    /// Bytes of packets carried.
    pub bytes: u64,
    /// Packets lost, by loss and by a full queue.
    pub lost_packets: u64,
    /// Of these, by a full queue.
    pub overflown_packets: u64,
}

/// What became of a run of packets.
#[derive(Debug, Clone, Copy)]
pub struct Passage {
    /// When the last of them is through.
    pub done: Micros,
    /// Bit `i`: the `i`th packet was lost.
    pub lost: u32,
}

impl Pipe {
    /// An idle line.
    pub fn new(rate_bps: u64, loss_share: f64, random: Random) -> Pipe {
        Pipe {
            rate_bps: rate_bps.max(1),
            busy_until_ns: 0,
            loss: Gilbert::new(loss_share, random),
            bytes: 0,
            lost_packets: 0,
            overflown_packets: 0,
        }
    }

    /// Bits a second.
    pub fn rate_bps(&self) -> u64 {
        self.rate_bps
    }

    fn serialisation_ns(&self, bytes: u32) -> u64 {
        u64::from(bytes) * 8_000_000_000 / self.rate_bps
    }

    /// Time that `bytes` take on the line.
    pub fn serialisation(&self, bytes: u32) -> Micros {
        self.serialisation_ns(bytes) / 1_000
    }

    /// Which of `packets` packets that came since `since` the line loses, and when the rest is through. The first of
    /// them found the queue as it is.
    pub fn carry(&mut self, since: Micros, packets: u32, packet_bytes: u32, bytes: u32) -> Passage {
        let now_ns = since * 1_000;
        let waiting_ns = self.busy_until_ns.saturating_sub(now_ns);
        let each_ns = self.serialisation_ns(packet_bytes).max(1);
        let room = (QUEUE_LENGTH * 1_000).saturating_sub(waiting_ns).div_ceil(each_ns).min(32) as u32;
        let mut lost = self.loss.of(packets);
        if room < packets {
            let overflown = mask(packets) & !mask(room);
            self.overflown_packets += u64::from((overflown & !lost).count_ones());
            lost |= overflown;
        }
        self.lost_packets += u64::from(lost.count_ones());
        let carried = if lost == 0 { bytes } else { (packets - lost.count_ones()) * packet_bytes };
        self.bytes += u64::from(carried);
        self.busy_until_ns = self.busy_until_ns.max(now_ns) + self.serialisation_ns(carried);
        Passage { done: self.busy_until_ns / 1_000, lost }
    }

    /// Takes the bytes of an acknowledgement, which waits for its turn and is never lost: the next one says the same.
    pub fn acknowledge(&mut self, now: Micros, bytes: u32) -> Micros {
        self.bytes += u64::from(bytes);
        self.busy_until_ns = self.busy_until_ns.max(now * 1_000) + self.serialisation_ns(bytes);
        self.busy_until_ns / 1_000
    }
}

/// The lowest `count` bits.
pub fn mask(count: u32) -> u32 {
    if count >= 32 { u32::MAX } else { (1 << count) - 1 }
}

/// Loss in runs: a chain of two states, of which one loses every packet (Gilbert 1960).
#[derive(Debug)]
struct Gilbert {
    share: f64,
    random: Random,
    /// Packets until the next run of losses.
    passing: u32,
    /// Packets that the present run still takes.
    losing: u32,
}

impl Gilbert {
    fn new(share: f64, random: Random) -> Gilbert {
        let mut gilbert = Gilbert { share, random, passing: u32::MAX, losing: 0 };
        gilbert.draw();
        gilbert
    }

    /// Draws the time to the next run and that run's length.
    fn draw(&mut self) {
        if self.share > 0.0 {
            let starts = self.share / (1.0 - self.share) / LOSS_RUN_PACKETS;
            self.passing = self.random.geometric(starts);
            self.losing = self.random.geometric(1.0 / LOSS_RUN_PACKETS);
        }
    }

    /// Bit `i`: the `i`th of `packets` packets is lost.
    fn of(&mut self, packets: u32) -> u32 {
        if self.share <= 0.0 {
            return 0;
        }
        if packets < self.passing {
            self.passing -= packets;
            return 0;
        }
        let mut lost = 0;
        for packet in 0..packets {
            if self.passing > 0 {
                self.passing -= 1;
                continue;
            }
            lost |= 1 << packet;
            self.losing -= 1;
            if self.losing == 0 {
                self.draw();
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_takes_its_time_and_its_queue_is_short() {
        let mut pipe = Pipe::new(8_000_000, 0.0, Random::seeded(1));
        let passage = pipe.carry(1_000, 10, 1_000, 10_000);
        assert_eq!((passage.done, passage.lost), (11_000, 0));
        for _ in 0..19 {
            pipe.carry(1_000, 10, 1_000, 10_000);
        }
        assert_eq!(pipe.carry(1_000, 3, 1_000, 3_000).lost, 0b111, "200 ms are queued");
        assert_eq!(pipe.carry(3_000, 3, 1_000, 3_000).lost, 0b100, "two have left");
    }

    #[test]
    fn loss_is_as_frequent_as_asked_and_comes_in_runs() {
        let mut gilbert = Gilbert::new(0.05, Random::seeded(2));
        let (mut lost, mut runs, mut before) = (0u32, 0u32, false);
        for _ in 0..200_000 {
            let packets = gilbert.of(6);
            for packet in 0..6 {
                let gone = packets & (1 << packet) != 0;
                lost += u32::from(gone);
                runs += u32::from(gone && !before);
                before = gone;
            }
        }
        let share = f64::from(lost) / 1_200_000.0;
        assert!((0.045..0.055).contains(&share), "{share}");
        let run = f64::from(lost) / f64::from(runs);
        assert!((2.8..3.3).contains(&run), "{run}");
    }

    #[test]
    fn who_reaches_whom() {
        assert!(Nat::Symmetric.reaches(Nat::Cone) && Nat::PortRestricted.reaches(Nat::PortRestricted));
        assert!(!Nat::Symmetric.reaches(Nat::PortRestricted) && !Nat::Symmetric.reaches(Nat::Symmetric));
        assert!(!Nat::NoUdp.reaches(Nat::Open));
    }
}
