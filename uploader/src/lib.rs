//! The broadcaster's program as a library: an encoder's RTMP goes in.

pub mod ingest;
