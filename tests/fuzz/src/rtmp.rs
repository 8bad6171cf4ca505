//! An encoder's connection: RTMP from its handshake on.

use uploader::ingest::{Dialogue, DialogueError, IngestLimits, Step};

/// Bytes that a header may have: basic, message, and a wide timestamp.
const HEADER_MAX: usize = 18;

/// Bytes of one read.
const READ_BYTES: usize = 700;

/// The input is what an encoder sends behind a good handshake. Any key is accepted.
pub fn rtmp(bytes: &[u8]) {
    let limits = IngestLimits {
        // Less than by default, so that a small input meets the bounds.
        unfinished_max_bytes: 2 << 10,
        unfinished_admitted_max_bytes: 16 << 10,
        media_max_bytes: 8 << 10,
        ..IngestLimits::default()
    };
    let mut sender = Sender { dialogue: Dialogue::new(limits.clone()), limits, admitted: false };
    sender.send(&handshake()).expect("a good handshake");
    assert!(!sender.dialogue.is_greeting());
    for read in bytes.chunks(READ_BYTES) {
        if sender.send(read).is_err() {
            return;
        }
    }
}

/// C0, C1 and C2 (Adobe RTMP 1.0, 5.2) of a sender that does not look at what it is answered.
fn handshake() -> Vec<u8> {
    let mut hello = vec![0; 1 + 2 * 1_536];
    hello[0] = 3;
    hello
}

struct Sender {
    dialogue: Dialogue,
    limits: IngestLimits,
    admitted: bool,
}

/// The connection is over.
#[derive(Debug)]
struct Over;

impl Sender {
    fn send(&mut self, bytes: &[u8]) -> Result<(), Over> {
        worded(self.dialogue.hear(bytes))?;
        while let Some(step) = worded(self.dialogue.next_step())? {
            self.take(step)?;
        }
        let unfinished_max = if self.admitted {
            self.limits.unfinished_admitted_max_bytes
        } else {
            self.limits.unfinished_max_bytes
        };
        assert!(self.dialogue.unfinished_bytes() <= unfinished_max + HEADER_MAX, "what is held is bounded");
        Ok(())
    }

    /// As the connection does it. Whoever publishes twice is refused.
    fn take(&mut self, step: Step) -> Result<(), Over> {
        match step {
            Step::Publish { request, .. } if !self.admitted => {
                self.admitted = true;
                assert!(!worded(self.dialogue.accept(request))?.is_empty(), "a yes has words");
                Ok(())
            }
            Step::Publish { .. } => {
                assert!(!worded(self.dialogue.refuse_key())?.is_empty());
                Err(Over)
            }
            Step::Play => {
                assert!(!worded(self.dialogue.refuse_play())?.is_empty());
                Err(Over)
            }
            Step::Media { body, .. } => {
                assert!(self.admitted, "no media before a key");
                assert!(!body.is_empty() && body.len() <= self.limits.media_max_bytes);
                Ok(())
            }
            Step::Metadata(_) => {
                assert!(self.admitted, "no metadata before a key");
                Ok(())
            }
            Step::Reply(_) => Ok(()),
            Step::Finished => Err(Over),
        }
    }
}

fn worded<T>(result: Result<T, DialogueError>) -> Result<T, Over> {
    result.map_err(|error| {
        assert!(!error.to_string().is_empty(), "an end has a reason");
        Over
    })
}
