//! A connection on which the answer to an upgrade waits for the words that follow it: both leave in one write, which is
//! the dearest part of opening a session.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How an answer begins after which HTTP is over (RFC 9110, section 15.2.2).
const SWITCHING: &[u8] = b"HTTP/1.1 101 ";

/// Holds such an answer until something is written after it, or read.
#[derive(Debug)]
pub(crate) struct Answering<S> {
    stream: S,
    held: Vec<u8>,
}

impl<S: AsyncWrite + Unpin> Answering<S> {
    pub(crate) fn new(stream: S) -> Self {
        Answering { stream, held: Vec::new() }
    }

    /// Writes what is held, and these with it. Returns how many of these are written: none only where there are none.
    fn poll_both(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            let both = [IoSlice::new(&self.held), IoSlice::new(bytes)];
            let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(context, &both))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            let of_held = written.min(self.held.len());
            self.held.drain(..of_held);
            if !self.held.is_empty() {
                continue;
            }
            // The memory as well.
            self.held = Vec::new();
            return match written - of_held {
                0 if !bytes.is_empty() => Pin::new(&mut self.stream).poll_write(context, bytes),
                of_bytes => Poll::Ready(Ok(of_bytes)),
            };
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Answering<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.held.is_empty() {
            return self.poll_both(context, bytes);
        }
        if bytes.starts_with(SWITCHING) {
            self.held = bytes.to_vec();
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        if !self.held.is_empty() || first.starts_with(SWITCHING) {
            return self.poll_write(context, first);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.held.is_empty() {
            ready!(self.poll_both(context, &[]))?;
        }
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Answering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // Whoever waits for the other side has nothing to say first.
        if !self.held.is_empty() {
            ready!(self.poll_both(context, &[]))?;
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::{Duration, timeout};

    use super::*;

    const ANSWER: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\n\r\n";

    async fn is_there(end: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
        let mut bytes = vec![0; 256];
        let read = timeout(Duration::ZERO, end.read(&mut bytes)).await;
        bytes.truncate(read.map_or(0, |read| read.unwrap()));
        bytes
    }

    #[tokio::test]
    async fn the_answer_leaves_with_the_first_words() {
        let (near, mut far) = duplex(256);
        let mut near = Answering::new(near);
        near.write_all(ANSWER).await.unwrap();
        near.flush().await.unwrap();
        assert!(is_there(&mut far).await.is_empty());
        near.write_all(b"hello").await.unwrap();
        assert_eq!(is_there(&mut far).await, [ANSWER, b"hello"].concat());
        near.write_all(b"more").await.unwrap();
        assert_eq!(is_there(&mut far).await, b"more");
    }

    #[tokio::test]
    async fn who_only_listens_has_answered() {
        let (near, mut far) = duplex(256);
        let mut near = Answering::new(near);
        near.write_all(ANSWER).await.unwrap();
        assert!(is_there(&mut near).await.is_empty());
        assert_eq!(is_there(&mut far).await, ANSWER);
    }

    #[tokio::test]
    async fn other_answers_do_not_wait_and_little_room_changes_nothing() {
        let (near, mut far) = duplex(8);
        let mut near = Answering::new(near);
        let sending = tokio::spawn(async move {
            near.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            near.write_all(ANSWER).await.unwrap();
            near.write_all(b"hello").await.unwrap();
            near.shutdown().await.unwrap();
        });
        let mut all = Vec::new();
        far.read_to_end(&mut all).await.unwrap();
        sending.await.unwrap();
        assert_eq!(all, [b"HTTP/1.1 200 OK\r\n", ANSWER, b"hello"].concat());
    }
}
