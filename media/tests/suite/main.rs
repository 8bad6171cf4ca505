//! The packager against real encoders and against hostile ones.

mod ffmpeg_streams;
mod hostile_bytes;
mod support;
