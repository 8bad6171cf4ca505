//! The server's end of a WebSocket (RFC 6455). A session that is silent keeps no buffer: what is read goes through one
//! that each thread has, what is incomplete or unsent is kept only until it is complete or sent. All that is queued is
//! written at once.
//!
//! Headers are read and written by `tungstenite`, whose own sockets keep buffers for each session: `docs/benchmarks.md`
//! has the figures.

use std::cell::RefCell;
use std::io::Cursor;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes read at once: the longest message and some, so that each usually takes one call.
const READ_BYTES: usize = 32 << 10;

/// Payload of a ping, pong or close frame (RFC 6455, 5.5).
const CONTROL_MAX: u64 = 125;

/// Unsent bytes beyond which pings are not answered: who sends so many does not read.
const UNSENT_FOR_PONGS: usize = 4 << 10;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// What a peer sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Bytes),
    /// A ping, which is answered already, or a pong.
    Beat,
    /// A close frame. Nothing follows.
    Close,
}

/// What breaks RFC 6455, or our bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// No opcode of the standard.
    #[error("a frame of an unknown kind")]
    Opcode,
    /// No extension was agreed on.
    #[error("reserved bits are set")]
    Reserved,
    /// Clients mask.
    #[error("a frame without a mask")]
    Unmasked,
    /// A control frame in parts, or longer than 125 bytes.
    #[error("a control frame that is too long, or in parts")]
    Control,
    /// A continuation of nothing.
    #[error("a continuation of nothing")]
    Continuation,
    /// A message inside of another one.
    #[error("a message begins before the last has ended")]
    Unfinished,
    /// More bytes than any message of the protocol has.
    #[error("a message is longer than {0} bytes")]
    TooLong(usize),
    /// Text that is not UTF-8.
    #[error("a text is not UTF-8")]
    Text,
    /// A close frame with half a code, or a reason that is not UTF-8.
    #[error("a close frame that is none")]
    Close,
}

/// Why nothing more is read.
#[derive(Debug)]
pub enum Failure {
    /// The peer is gone.
    Gone,
    /// It broke the rules.
    Violation(Violation),
}

/// A message or control frame; with a ping its payload, to be sent back.
pub type Next = (Received, Option<Vec<u8>>);

/// Bytes to messages. Holds what is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    unread: Vec<u8>,
    /// Bytes of `unread` that are done with.
    done: usize,
    /// A message of which parts have come.
    message: Option<(Data, Vec<u8>)>,
    message_max: usize,
}

/// One frame, unmasked.
struct Frame {
    opcode: OpCode,
    is_final: bool,
    payload: Vec<u8>,
}

impl Decoder {
    /// For messages of at most so many bytes.
    pub fn new(message_max: usize) -> Self {
        Decoder { message_max, ..Decoder::default() }
    }

    /// Takes in what was read.
    pub fn push(&mut self, bytes: &[u8]) {
        self.forget_done();
        self.unread.extend_from_slice(bytes);
    }

    /// The next message or control frame, with the payload of a ping; `None`: it is not complete.
    pub fn next_message(&mut self) -> Result<Option<Next>, Violation> {
        while let Some(frame) = self.frame()? {
            let received = match frame.opcode {
                OpCode::Control(Control::Ping) => Some((Received::Beat, Some(frame.payload))),
                OpCode::Control(Control::Close) => Some((closing(&frame.payload)?, None)),
                OpCode::Control(_) => Some((Received::Beat, None)),
                OpCode::Data(data) => self.part(data, frame)?.map(|message| (message, None)),
            };
            if received.is_some() {
                return Ok(received);
            }
        }
        self.forget_done();
        Ok(None)
    }

    /// Bytes of what is incomplete.
    pub fn held_bytes(&self) -> usize {
        self.unread.len() - self.done + self.message.as_ref().map_or(0, |(_, bytes)| bytes.len())
    }

    fn frame(&mut self) -> Result<Option<Frame>, Violation> {
        let mut cursor = Cursor::new(&self.unread[self.done..]);
        // The library's one other error is that reading from memory fails.
        let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Violation::Opcode)?;
        let Some((header, length)) = parsed else { return Ok(None) };
        let begins = self.done + cursor.position() as usize;
        let mask = self.check(&header, length)?;
        let Some(payload) = self.unread.get(begins..begins + length as usize) else { return Ok(None) };
        let payload = unmask(payload, mask);
        self.done = begins + payload.len();
        Ok(Some(Frame { opcode: header.opcode, is_final: header.is_final, payload }))
    }

    /// Holds a header against the rules, before its payload is waited for. Returns the mask.
    fn check(&self, header: &FrameHeader, length: u64) -> Result<[u8; 4], Violation> {
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(Violation::Reserved);
        }
        match header.opcode {
            OpCode::Control(_) if length > CONTROL_MAX || !header.is_final => return Err(Violation::Control),
            OpCode::Control(_) => {}
            OpCode::Data(data) => {
                match (data, &self.message) {
                    (Data::Continue, None) => return Err(Violation::Continuation),
                    (Data::Text | Data::Binary, Some(_)) => return Err(Violation::Unfinished),
                    _ => {}
                }
                let so_far = self.message.as_ref().map_or(0, |(_, bytes)| bytes.len());
                if length > (self.message_max - so_far) as u64 {
                    return Err(Violation::TooLong(self.message_max));
                }
            }
        }
        header.mask.ok_or(Violation::Unmasked)
    }

    /// A part of a message; the message, if it was the last.
    fn part(&mut self, data: Data, frame: Frame) -> Result<Option<Received>, Violation> {
        let (data, bytes) = match self.message.take() {
            Some((first, mut bytes)) => {
                bytes.extend_from_slice(&frame.payload);
                (first, bytes)
            }
            None => (data, frame.payload),
        };
        if !frame.is_final {
            self.message = Some((data, bytes));
            return Ok(None);
        }
        match data {
            Data::Text => String::from_utf8(bytes).map(Received::Text).map_err(|_| Violation::Text).map(Some),
            _ => Ok(Some(Received::Binary(bytes.into()))),
        }
    }

    fn forget_done(&mut self) {
        if self.done == self.unread.len() {
            // The memory as well: most sessions are silent most of the time.
            self.unread = Vec::new();
        } else {
            self.unread.drain(..self.done);
        }
        self.done = 0;
    }
}

fn unmask(payload: &[u8], mask: [u8; 4]) -> Vec<u8> {
    let mut plain = payload.to_vec();
    let mut fours = plain.chunks_exact_mut(4);
    let word = u32::from_ne_bytes(mask);
    for four in &mut fours {
        let masked = u32::from_ne_bytes([four[0], four[1], four[2], four[3]]);
        four.copy_from_slice(&(masked ^ word).to_ne_bytes());
    }
    fours.into_remainder().iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    plain
}

fn closing(payload: &[u8]) -> Result<Received, Violation> {
    match payload {
        [] => Ok(Received::Close),
        // Whatever the code, the session ends.
        [_, _, reason @ ..] if std::str::from_utf8(reason).is_ok() => Ok(Received::Close),
        _ => Err(Violation::Close),
    }
}

/// A WebSocket whose handshake is done.
#[derive(Debug)]
pub(crate) struct Socket<S> {
    stream: S,
    decoder: Decoder,
    unsent: Vec<u8>,
    /// Bytes of `unsent` that are gone.
    sent: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket<S> {
    pub(crate) fn new(stream: S, message_max: usize) -> Self {
        Socket { stream, decoder: Decoder::new(message_max), unsent: Vec::new(), sent: 0 }
    }

    pub(crate) fn queue_text(&mut self, text: &str) {
        self.queue(OpCode::Data(Data::Text), text.as_bytes());
    }

    pub(crate) fn queue_binary(&mut self, bytes: &[u8]) {
        self.queue(OpCode::Data(Data::Binary), bytes);
    }

    pub(crate) fn queue_ping(&mut self) {
        self.queue(OpCode::Control(Control::Ping), &[]);
    }

    pub(crate) fn queue_close(&mut self) {
        self.queue(OpCode::Control(Control::Close), &[]);
    }

    /// Bytes that are queued and not written.
    pub(crate) fn unsent_bytes(&self) -> usize {
        self.unsent.len() - self.sent
    }

    fn queue(&mut self, opcode: OpCode, payload: &[u8]) {
        let header = FrameHeader { is_final: true, opcode, ..FrameHeader::default() };
        let length = payload.len() as u64;
        self.unsent.reserve(header.len(length) + payload.len());
        // Writing to memory does not fail.
        let _ = header.format(length, &mut self.unsent);
        self.unsent.extend_from_slice(payload);
    }

    /// Writes until nothing is queued. `Err`: the peer is gone.
    pub(crate) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        while self.sent < self.unsent.len() {
            let written = Pin::new(&mut self.stream).poll_write(context, &self.unsent[self.sent..]);
            match ready!(written) {
                Ok(bytes @ 1..) => self.sent += bytes,
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::Gone)),
            }
        }
        (self.unsent, self.sent) = (Vec::new(), 0);
        Pin::new(&mut self.stream).poll_flush(context).map_err(|_| Failure::Gone)
    }

    /// The next that the peer says. Pings are answered; the answers leave with the next flush.
    pub(crate) fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<Result<Received, Failure>> {
        loop {
            match self.decoder.next_message() {
                Ok(Some((received, ping))) => {
                    if let Some(payload) = ping.filter(|_| self.unsent_bytes() < UNSENT_FOR_PONGS) {
                        self.queue(OpCode::Control(Control::Pong), &payload);
                    }
                    return Poll::Ready(Ok(received));
                }
                Ok(None) => {}
                Err(violation) => return Poll::Ready(Err(Failure::Violation(violation))),
            }
            if ready!(self.poll_read(context)) == 0 {
                return Poll::Ready(Err(Failure::Gone));
            }
        }
    }

    /// Reads some bytes; 0: there will be no more.
    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<usize> {
        let Socket { stream, decoder, .. } = self;
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = ready!(Pin::new(stream).poll_read(context, &mut buffer));
            let bytes = if read.is_ok() { buffer.filled() } else { &[] };
            decoder.push(bytes);
            Poll::Ready(bytes.len())
        })
    }
}

#[cfg(test)]
mod tests;
