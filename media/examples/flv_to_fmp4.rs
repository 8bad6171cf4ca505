//! Packages FLV files, one after the other as if the encoder came back two seconds later, to fragmented MP4 on
//! standard output: for checks by hand.

use std::io::Write;

use bytes::Bytes;
use media::{CutterConfig, MediaEvent, Packager, TagKind};

const PAUSE_MS: u64 = 2_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut packager = Packager::new(CutterConfig::default());
    for path in std::env::args().skip(1) {
        let start_ms = packager.end_ms() + PAUSE_MS;
        packager.publish(start_ms);
        publish(&mut packager, start_ms, &std::fs::read(path)?)?;
        packager.flush();
        write(&mut packager)?;
    }
    Ok(())
}

fn publish(packager: &mut Packager, start_ms: u64, flv: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
    let mut rest = flv.get(13..).unwrap_or_default();
    while rest.len() >= 11 {
        let size = u32::from_be_bytes([0, rest[1], rest[2], rest[3]]) as usize;
        let timestamp_ms = u32::from_be_bytes([rest[7], rest[4], rest[5], rest[6]]);
        let body = rest.get(11..11 + size).ok_or("the file ends early")?;
        let kind = match rest[0] {
            8 => Some(TagKind::Audio),
            9 => Some(TagKind::Video),
            _ => None,
        };
        if let Some(kind) = kind {
            packager.push(
                kind,
                timestamp_ms,
                start_ms + u64::from(timestamp_ms),
                Bytes::copy_from_slice(body),
            )?;
            write(packager)?;
        }
        rest = rest.get(11 + size + 4..).unwrap_or_default();
    }
    Ok(())
}

fn write(packager: &mut Packager) -> std::io::Result<()> {
    while let Some(event) = packager.poll() {
        match event {
            MediaEvent::Init(init) => {
                eprintln!("{}", init.mime);
                std::io::stdout().write_all(&init.bytes)?;
            }
            MediaEvent::Chunk(chunk) => {
                eprintln!(
                    "{} +{} {}",
                    chunk.start_ms,
                    chunk.duration_ms,
                    if chunk.keyframe { "keyframe" } else { "" }
                );
                std::io::stdout().write_all(&chunk.bytes)?;
            }
            MediaEvent::Warning(warning) => eprintln!("{warning}"),
        }
    }
    Ok(())
}
