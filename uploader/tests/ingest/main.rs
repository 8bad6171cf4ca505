//! The RTMP server against real encoders, and against senders that mean harm, with the processes and sockets of
//! the real thing. Needs `ffmpeg` and what `make setup` puts into `target/ffmpeg9`.

mod encoder;
mod encoders;
mod hostile;
mod sender;
mod world;
