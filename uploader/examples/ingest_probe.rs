//! Scratch.
use media::*;
use std::sync::Arc;
use uploader::ingest::{self, *};
#[tokio::main]
async fn main() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:19350").await.unwrap();
    let (tx, mut rx) = tokio::sync::mpsc::channel(4);
    tokio::spawn(ingest::run(
        listener,
        IngestConfig::default(),
        Arc::new(OneKey::new("right", Admission::new("ch"))),
        tx,
        std::future::pending(),
    ));
    while let Some(mut p) = rx.recv().await {
        println!("start {:?}", p.id);
        let mut k = Packager::new(CutterConfig::default());
        k.publish(0);
        let t0 = std::time::Instant::now();
        let (mut n, mut last) = (0, 0u64);
        loop {
            match p.next().await {
                PublicationEvent::Metadata(m) => {
                    println!("{m:?}");
                    if let Some(a) = m.announced {
                        k.announce(a)
                    }
                }
                PublicationEvent::Tag(t) => {
                    if let Err(e) = k.push(t.kind, t.timestamp_ms, t0.elapsed().as_millis() as u64, t.body) {
                        println!("{e}")
                    }
                    while let Some(e) = k.poll() {
                        match e {
                            MediaEvent::Init(i) => println!("init {} at {:?}", i.mime, t0.elapsed()),
                            MediaEvent::Chunk(c) => {
                                n += 1;
                                last = c.start_ms + c.duration_ms as u64;
                                if n < 4 {
                                    println!("chunk {} +{} {}", c.start_ms, c.duration_ms, c.keyframe)
                                }
                            }
                            MediaEvent::Warning(w) => println!("{w}"),
                        }
                    }
                }
                PublicationEvent::Ended(r) => {
                    println!("end {r}; {n} chunks to {last} ms");
                    break;
                }
            }
        }
    }
}
