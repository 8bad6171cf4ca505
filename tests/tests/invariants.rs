//! What is *not* there: the absences that ARCHITECTURE.md promises, held against the sources.

#![allow(clippy::unwrap_used)] // A check that cannot read the sources has failed.

use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn files(folder: &Path, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && !["dist", "node_modules", "vendor"].contains(&&*name) {
            found.extend(files(&path, endings));
        } else if endings.iter().any(|ending| name.ends_with(ending)) {
            found.push(path);
        }
    }
    found
}

/// Lines of `folder` that hold one of `words`, comments left out.
fn lines_with(folder: &str, endings: &[&str], words: &[&str]) -> Vec<String> {
    let files = files(&root().join(folder), endings);
    assert!(!files.is_empty(), "{folder} has no such files");
    let mut found = Vec::new();
    for path in files {
        for (line, number) in std::fs::read_to_string(&path).unwrap().lines().zip(1..) {
            let comment = line.trim_start().starts_with("//");
            if !comment && words.iter().any(|word| line.contains(word)) {
                found.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    found
}

/// Names of the dependencies in a manifest, those for tests left out.
fn dependencies(package: &str) -> Vec<String> {
    let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
    let section = manifest.split("\n[dependencies]\n").nth(1).unwrap();
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let name = |line: &str| line.split(['.', ' ', '=']).next().unwrap_or_default().to_owned();
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).map(name).collect()
}

const IMPURE: &[&str] = &[
    "std::net",
    "std::fs",
    "std::io",
    "std::env",
    "std::thread",
    "std::process",
    "std::sync",
    "Instant",
    "SystemTime",
    "HashMap",
    "HashSet",
    "RandomState",
    "async ",
    ".await",
    "tokio",
    "getrandom",
    "thread_local",
    "static mut",
    "unsafe",
];

#[test]
fn the_core_has_no_clock_no_socket_no_runtime_and_no_hasher() {
    assert_eq!(lines_with("swarm/src", &[".rs"], IMPURE), [""; 0]);
    assert_eq!(dependencies("swarm"), ["bytes", "serde", "wire"], "what could bring them in");
}

#[test]
fn the_check_of_the_core_can_fail() {
    assert_ne!(lines_with("peer/src", &[".rs"], IMPURE), [""; 0]);
}

#[test]
fn wire_and_media_are_pure_as_well() {
    for package in ["wire", "media"] {
        let impure = lines_with(&format!("{package}/src"), &[".rs"], IMPURE);
        // A cursor over bytes is in `std::io` and does none.
        let impure = impure.into_iter().filter(|line| !line.ends_with("use std::io::Cursor;"));
        assert_eq!(impure.collect::<Vec<_>>(), [""; 0]);
    }
}

#[test]
fn pages_name_no_other_host() {
    let hosts =
        lines_with("www", &[".html", ".js", ".css", ".svg"], &["http://", "https://", "stun:", "//cdn"]);
    let foreign = hosts.iter().filter(|line| !line.contains("http://www.w3.org/"));
    assert_eq!(foreign.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn the_one_stun_server_a_viewer_asks_is_the_trackers() {
    let named = lines_with("viewer-wasm/src", &[".rs"], &["\"stun:"]);
    assert_eq!(named.len(), 1, "{named:#?}");
}

#[test]
fn only_the_simulator_knows_pieces_to_be_proven_without_checking_them() {
    for shell in ["peer/src", "tracker/src", "uploader/src", "viewer-wasm/src"] {
        assert_eq!(lines_with(shell, &[".rs"], &["proven:"]), Vec::<String>::new());
    }
    assert!(
        !lines_with("tests/src/sim", &[".rs"], &["proven:"]).is_empty(),
        "that is how it would be written"
    );
}
