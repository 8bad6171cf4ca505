//! Has the crate rebuilt when a page changes, or the viewer module appears: both are embedded.

fn main() {
    println!("cargo:rerun-if-changed=../www");
    println!("cargo:rerun-if-changed=build.rs");
}
