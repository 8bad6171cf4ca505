//! A small native swarm on a network of its own, and loose truths about it: that the engine, the real transport and
//! the real tracker work together over lines with delay and loss. What it measures is printed, and not judged here.

#![allow(clippy::unwrap_used)] // What cannot be read has failed.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// `native-swarm` says so when the system does not let it make namespaces.
const NOT_AVAILABLE: i32 = 77;

#[test]
fn six_viewers_watch_and_feed_each_other() {
    let program = Path::new(env!("CARGO_BIN_EXE_native-swarm"));
    for companion in ["netlab", "swarmcast-tracker"] {
        let path = program.with_file_name(companion);
        assert!(path.exists(), "{} is missing: `cargo build --release --workspace` first", path.display());
    }
    // As long as the tracker takes to learn what each uplink carries, and some more.
    let run = Command::new(program).args(["--viewers", "6", "--seconds", "25"]).output().unwrap();
    let complaints = String::from_utf8_lossy(&run.stderr);
    if run.status.code() == Some(NOT_AVAILABLE) {
        println!("SKIPPED: {complaints}");
        return;
    }
    assert!(run.status.success(), "{complaints}");
    let printed = String::from_utf8(run.stdout).unwrap();
    println!("{printed}");
    let figures: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(figures["watching"], 6, "everyone has a picture");
    assert_eq!(figures["unverified_to_decoder"], 0);
    assert_eq!(figures["rejected"], 0, "nobody lies");
    assert!(figures["transport"]["links"]["opened"].as_u64().unwrap() > 0);
    if figures["valid"] == false {
        println!("SKIPPED the rest: {}", figures["not_valid_because"]);
        return;
    }
    assert!(figures["offload"].as_f64().unwrap() > 0.5, "viewers feed each other");
    assert!(figures["on_time"].as_f64().unwrap() > 0.95);
    assert!(figures["rebuffer_ratio"].as_f64().unwrap() < 0.05);
}
