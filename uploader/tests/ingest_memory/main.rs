//! What unknown senders cost in memory. A program of its own, because it measures the whole process.

#[allow(dead_code)]
#[path = "../ingest/sender.rs"]
mod sender;
#[allow(dead_code)]
#[path = "../ingest/world.rs"]
mod world;

use sender::{Sender, header};
use uploader::ingest::IngestLimits;
use world::World;

const SENDERS: usize = 64;

/// The reading buffer, the guard's and the library's state, one unfinished message, and both ends of the socket
/// as this process holds them.
const BYTES_EACH: usize = 48 << 10;

#[tokio::test]
async fn unfinished_messages_cost_little() {
    let limits = IngestLimits { connections_per_address_max: SENDERS, ..IngestLimits::default() };
    let mut world = World::limited(limits).await;
    let (before, mut senders) = (resident_bytes(), Vec::new());
    for _ in 0..SENDERS {
        let mut sender = Sender::greeted(&world).await;
        // A claim of 4 kB is the most that a stranger may make; of 16 MB ends the connection.
        sender.send(&[header(3, 20, 0, 4_000), vec![0; 128]].concat()).await;
        senders.push(sender);
    }
    let mut greedy = Sender::greeted(&World::new().await).await;
    greedy.send(&[header(3, 20, 0, 0xff_ffff), vec![0; 128]].concat()).await;
    greedy.hear_to_the_end().await;
    let each = resident_bytes().saturating_sub(before) / SENDERS;
    println!("{each} bytes for each of {SENDERS} senders");
    assert!(each < BYTES_EACH, "{each} bytes for each sender");
    world.assert_nobody_was_let_in();
}

/// Memory of this process that is really there (proc(5), `statm`).
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("proc is mounted");
    let pages = statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.expect("a number of pages") * 4_096
}
