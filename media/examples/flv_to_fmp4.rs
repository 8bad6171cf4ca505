//! Packages an FLV file from standard input to fragmented MP4 on standard output, as a check by hand.
use std::io::{Read, Write};

use bytes::Bytes;
use media::{CutterConfig, MediaEvent, Packager, TagKind};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (mut flv, mut packager) = (Vec::new(), Packager::new(CutterConfig::default()));
    std::io::stdin().read_to_end(&mut flv)?;
    packager.publish(0);
    let mut rest = flv.get(13..).unwrap_or_default();
    while rest.len() >= 11 {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let timestamp_ms = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let body = Bytes::copy_from_slice(&rest[11..11 + size]);
        let kind = match rest[0] {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            _ => None,
        };
        if let Some(kind) = kind {
            packager.push(kind, timestamp_ms, u64::from(timestamp_ms), body)?;
        }
        rest = &rest[11 + size + 4..];
    }
    packager.flush();
    while let Some(event) = packager.poll() {
        match event {
            MediaEvent::Init(init) => std::io::stdout().write_all(&init.bytes)?,
            MediaEvent::Chunk(chunk) => {
                eprintln!(
                    "{} +{} {}",
                    chunk.start_ms,
                    chunk.duration_ms,
                    if chunk.keyframe { "key" } else { "" }
                );
                std::io::stdout().write_all(&chunk.bytes)?;
            }
            MediaEvent::Warning(warning) => eprintln!("{warning}"),
        }
    }
    Ok(())
}
