//! What a swarm is laid out by: the numbers that may be chosen.

/// How a swarm is laid out.
#[derive(Debug, Clone)]
pub struct RosterConfig {
    /// Viewers that the source feeds directly, in each stripe, while the swarm is small.
    pub copies_small: usize,
    /// The same in a large swarm: two copies and the relay's make three.
    pub copies_large: usize,
    /// From how many viewers on a swarm is large.
    pub large: usize,
    /// Children that a viewer has in one stripe at most: more of them wait longer for their turn on its uplink.
    pub children_max: usize,
    /// Warm backups for each stripe.
    pub backups: usize,
    /// Up to how many viewers the source may be named as a backup: they could all turn to it at once.
    pub source_backup_viewers: usize,
    /// Links that each viewer should have, for repair and backup.
    pub links: usize,
    /// Links that no viewer is asked to exceed for repair and backup.
    pub links_max: usize,
    /// Parents and children that a viewer has at most, each counted once: browsers hold a few links more.
    pub kin_max: usize,
    /// Upload of a viewer that nothing is known of, in multiples of the bitrate: half of what the slowest uplink gives
    /// that carries a stream at all. More is asked for as it copes.
    pub assumed_upload_x: f32,
    /// The same while the relay has no room: more than that would leave too little for headers and acknowledgements.
    pub assumed_upload_alone_x: f32,
    /// The same while fewer than `few` viewers are there, of whom each is needed.
    pub assumed_upload_few_x: f32,
    /// Below so many viewers they are few.
    pub few: usize,
    /// Share of the measured upload that is planned with.
    pub planned_share: f32,
    /// The same while there are few, where late pings are not believed and nothing else would show that it was too much.
    pub planned_share_few: f32,
    /// While less than this can be given for each feed that is needed, those who cope are asked for more: nobody is
    /// asked for more than the swarm needs.
    pub supply_wanted: f32,
    /// Upload that no viewer is asked to exceed, in multiples of the bitrate.
    pub upload_cap_x: f32,
}

impl Default for RosterConfig {
    fn default() -> Self {
        RosterConfig {
            copies_small: 1,
            copies_large: 2,
            large: 50,
            children_max: 8,
            backups: 2,
            source_backup_viewers: 12,
            links: 12,
            links_max: 18,
            kin_max: 24,
            assumed_upload_x: 0.5,
            assumed_upload_alone_x: 0.67,
            assumed_upload_few_x: 0.85,
            few: crate::uplink::FEW,
            planned_share: 0.9,
            planned_share_few: 0.8,
            supply_wanted: 1.3,
            upload_cap_x: 4.0,
        }
    }
}
