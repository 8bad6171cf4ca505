//! The parameters of a swarm under test: who takes part, over which access lines, watching what. The native swarm
//! and the simulator can be given the same, and the same seed deals the same lines to the same viewers.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// All parameters of one run. In a file it is a JSON object; what it leaves out stays at its default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SwarmSetup {
    /// Deals the lines, and the losses on them.
    pub seed: u64,
    /// Viewers, all of whom stay to the end.
    pub viewers: usize,
    /// Time over which they come, evenly spread, in seconds.
    pub arrivals_s: u32,
    /// From the last arrival to the beginning of the measurement, in seconds.
    pub settling_s: u32,
    /// Measured time, in seconds.
    pub seconds: u32,
    /// Mean bitrate of the programme, in bits a second of media.
    pub bitrate_bps: u32,
    /// How upload is spread over the viewers.
    pub uploads: Vec<UploadClass>,
    /// Physical upload of those who give nothing: acknowledgements and requests must pass.
    pub least_up_bps: u64,
    /// Physical download, in multiples of the bitrate.
    pub down_times: f64,
    /// A viewer passes on at most so many multiples of the bitrate. Those whose class has no upload give 0.
    pub upload_cap_times: f64,
    /// The source's line, each way, in bits a second.
    pub source_bps: u64,
    /// The line of tracker and relay, each way, in bits a second.
    pub tracker_bps: u64,
    /// One-way delay of a viewer's access line, in milliseconds: evenly between these two.
    pub access_delay_ms: (f64, f64),
    /// One-way delay of the access of source and tracker, in milliseconds.
    pub server_delay_ms: f64,
    /// One-way delay between regions, in milliseconds, on top of both access delays. Viewers are dealt to them in
    /// turn; source and tracker are in the first.
    pub regions_ms: Vec<Vec<f64>>,
    /// Packets lost between two viewers: half of it on the sender's line up, half on the receiver's down.
    pub loss: f64,
    /// Mean run of packets lost one after the other.
    pub loss_run: f64,
    /// Drop-tail queue of each line, each way, in milliseconds of its rate.
    pub queue_ms: f64,
    /// How many viewers sit behind which NAT.
    pub nats: Vec<NatClass>,
    /// From the navigation to the opening of the session, in milliseconds, round trips not counted: what a page
    /// needs to load its module. Added to the first frame.
    pub page_start_ms: f64,
    /// From the first whole chunk to the picture, in milliseconds: decoding. Added to the first frame.
    pub decode_ms: f64,
}

/// A part of the viewers and their upload.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadClass {
    /// Part of all viewers.
    pub share: f64,
    /// Physical upload in multiples of the bitrate; 0: gives nothing.
    pub times: f64,
}

/// A part of the viewers and their NAT.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatClass {
    /// Part of all viewers.
    pub share: f64,
    /// What is before them.
    pub kind: NatKind,
}

/// What is between a viewer and the network, in netlab's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NatKind {
    /// A public address.
    None,
    /// Whoever knows the mapping may use it.
    FullCone,
    /// Whoever was sent something from the mapping may answer, from the same port only.
    PortRestricted,
    /// Another mapping for each destination.
    Symmetric,
    /// Lets no UDP through.
    NoUdp,
}

/// What a host does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostRole {
    /// Tracker and relay.
    Tracker,
    /// The broadcaster.
    Source,
    /// A viewer.
    Viewer,
}

/// One host and its line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostSetup {
    /// `tracker`, `source`, `viewer1` and so on.
    pub name: String,
    /// What it does.
    pub role: HostRole,
    /// Its place in [`SwarmSetup::regions_ms`].
    pub region: usize,
    /// One-way delay of its access line, in milliseconds.
    pub access_delay_ms: f64,
    /// Physical upload, in bits a second of IP packets.
    pub up_bps: u64,
    /// Physical download, likewise.
    pub down_bps: u64,
    /// Passes on at most so many multiples of the bitrate.
    pub upload_cap_times: f64,
    /// What is before it.
    pub nat: NatKind,
}

impl Default for SwarmSetup {
    /// Thirty viewers of 1 Mb/s, which two cores carry; round trips of 20 to 150 ms; 1 % of loss in runs of three.
    fn default() -> Self {
        SwarmSetup {
            seed: 1,
            viewers: 30,
            arrivals_s: 10,
            settling_s: 10,
            seconds: 60,
            bitrate_bps: 1_000_000,
            uploads: [(0.3, 0.0), (0.4, 1.0), (0.2, 3.0), (0.1, 10.0)]
                .map(|(share, times)| UploadClass { share, times })
                .into(),
            least_up_bps: 1_000_000,
            down_times: 8.0,
            upload_cap_times: 4.0,
            source_bps: 20_000_000,
            tracker_bps: 1_000_000_000,
            access_delay_ms: (5.0, 15.0),
            server_delay_ms: 5.0,
            regions_ms: vec![vec![0.0, 15.0, 30.0], vec![15.0, 0.0, 45.0], vec![30.0, 45.0, 0.0]],
            loss: 0.01,
            loss_run: 3.0,
            queue_ms: 200.0,
            nats: vec![NatClass { share: 1.0, kind: NatKind::None }],
            page_start_ms: 150.0,
            decode_ms: 80.0,
        }
    }
}

/// The mix of `nat-mix`: 15 % symmetric, 3 % without UDP, the others half cone and half port-restricted.
pub const NAT_MIX: [NatClass; 4] = [
    NatClass { share: 0.15, kind: NatKind::Symmetric },
    NatClass { share: 0.03, kind: NatKind::NoUdp },
    NatClass { share: 0.41, kind: NatKind::FullCone },
    NatClass { share: 0.41, kind: NatKind::PortRestricted },
];

impl SwarmSetup {
    /// Tracker, source and viewers, in this order. The same seed deals the same lines.
    pub fn hosts(&self) -> Vec<HostSetup> {
        let mut random = Random::seeded(self.seed);
        let uploads =
            dealt(self.viewers, &mut random, self.uploads.iter().map(|class| (class.share, *class)));
        let nats = dealt(self.viewers, &mut random, self.nats.iter().map(|class| (class.share, class.kind)));
        let mut hosts = vec![
            self.server("tracker", HostRole::Tracker, self.tracker_bps),
            self.server("source", HostRole::Source, self.source_bps),
        ];
        hosts.extend(uploads.into_iter().zip(nats).enumerate().map(|(number, (upload, nat))| {
            let (least, most) = self.access_delay_ms;
            let access_delay_ms = least + (most - least) * random.fraction();
            self.viewer(number, upload, nat, access_delay_ms)
        }));
        hosts
    }

    fn server(&self, name: &str, role: HostRole, bps: u64) -> HostSetup {
        HostSetup {
            name: name.to_owned(),
            role,
            region: 0,
            access_delay_ms: self.server_delay_ms,
            up_bps: bps,
            down_bps: bps,
            upload_cap_times: self.upload_cap_times,
            nat: NatKind::None,
        }
    }

    fn viewer(&self, number: usize, upload: UploadClass, nat: NatKind, access_delay_ms: f64) -> HostSetup {
        let up_bps = (f64::from(self.bitrate_bps) * upload.times) as u64;
        HostSetup {
            name: format!("viewer{}", number + 1),
            role: HostRole::Viewer,
            region: number % self.regions_ms.len().max(1),
            access_delay_ms,
            up_bps: if up_bps == 0 { self.least_up_bps } else { up_bps },
            down_bps: (f64::from(self.bitrate_bps) * self.down_times) as u64,
            upload_cap_times: if up_bps == 0 { 0.0 } else { self.upload_cap_times },
            nat,
        }
    }

    /// Round trip between two hosts without any queue, in milliseconds.
    pub fn round_trip_ms(&self, a: &HostSetup, b: &HostSetup) -> f64 {
        let between = self.regions_ms.get(a.region).and_then(|row| row.get(b.region)).copied().unwrap_or(0.0);
        2.0 * (a.access_delay_ms + b.access_delay_ms + between)
    }

    /// What all who give can give, against what all need: below 1 the relay must help out.
    pub fn supply_ratio(&self) -> f64 {
        let bitrate = f64::from(self.bitrate_bps);
        let gives = |host: &HostSetup| (host.up_bps as f64).min(host.upload_cap_times * bitrate);
        let hosts = self.hosts();
        let viewers = hosts.iter().filter(|host| host.role == HostRole::Viewer);
        viewers.map(gives).sum::<f64>() / (self.viewers as f64 * bitrate)
    }
}

/// `count` values in a random order, each as often as its share says, as nearly as whole numbers can.
fn dealt<T: Copy>(count: usize, random: &mut Random, classes: impl Iterator<Item = (f64, T)>) -> Vec<T> {
    let classes: Vec<_> = classes.collect();
    let whole: f64 = classes.iter().map(|(share, _)| share).sum();
    let mut dealt = Vec::with_capacity(count);
    let mut upto = 0.0;
    for (share, value) in classes {
        upto += share / whole * count as f64;
        while dealt.len() < upto.round() as usize {
            dealt.push(value);
        }
    }
    random.shuffle(&mut dealt);
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mix_is_dealt_exactly_and_by_the_seed() {
        let setup = SwarmSetup::default();
        let hosts = setup.hosts();
        assert_eq!(hosts.len(), 32);
        let with_up = |bps: u64| hosts[2..].iter().filter(|host| host.up_bps == bps).count();
        assert_eq!((with_up(3_000_000), with_up(10_000_000)), (6, 3));
        assert_eq!(hosts.iter().filter(|host| host.upload_cap_times == 0.0).count(), 9);
        assert_eq!(setup.hosts(), hosts);
        assert_ne!(SwarmSetup { seed: 2, ..setup }.hosts(), hosts);
    }

    #[test]
    fn round_trips_are_those_of_home_lines() {
        let setup = SwarmSetup { viewers: 100, ..SwarmSetup::default() };
        let hosts = setup.hosts();
        let viewers = &hosts[2..];
        let pairs = viewers.iter().flat_map(|a| viewers.iter().map(move |b| (a, b)));
        for (a, b) in pairs.filter(|(a, b)| a.name != b.name) {
            assert!((20.0..=150.0).contains(&setup.round_trip_ms(a, b)));
        }
    }

    #[test]
    fn a_file_may_leave_out_what_stays_as_it_is() {
        let setup: SwarmSetup = serde_json::from_str(r#"{"viewers": 6, "loss": 0.0}"#).unwrap();
        assert_eq!(setup, SwarmSetup { viewers: 6, loss: 0.0, ..SwarmSetup::default() });
        assert!(serde_json::from_str::<SwarmSetup>(r#"{"viewer": 6}"#).is_err());
    }

    #[test]
    fn supply_is_counted_up_to_the_cap() {
        let supply = SwarmSetup::default().supply_ratio();
        assert!((supply - (0.4 + 0.2 * 3.0 + 0.1 * 4.0)).abs() < 1e-9, "{supply}");
    }
}
