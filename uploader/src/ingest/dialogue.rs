//! What a sender says and is answered, without its socket: the handshake, then messages within bounds, then what they mean.
//! [`super::connection`] carries the bytes and decides; nothing here waits or allocates by a length that is only claimed.

use std::collections::VecDeque;

use bytes::Bytes;
use media::TagKind;
use thiserror::Error;

use super::guard::{Guard, Passed, Violation};
use super::limits::IngestLimits;
use super::publication::Metadata;
use super::session::{Greeted, Greeting, Outcome, Refusal, Session, SessionError};

/// One sender's conversation. Its edges are public for the fuzz targets, which speak to it as a socket does.
pub struct Dialogue {
    stage: Stage,
    guard: Guard,
    /// What the last message led to, oldest first.
    steps: VecDeque<Step>,
}

enum Stage {
    Greeting(Box<Greeting>),
    Talking(Box<Session>),
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send these bytes.
    Reply(Vec<u8>),
    /// Somebody wants to publish: answer with [`Dialogue::accept`] or [`Dialogue::refuse_key`].
    Publish {
        /// Names the request in the answer.
        request: u32,
        /// The first part of the path.
        app: String,
        /// The rest.
        stream_name: String,
    },
    /// Somebody wants to watch, which is not offered: answer with [`Dialogue::refuse_play`].
    Play,
    /// The encoder describes itself.
    Metadata(Metadata),
    /// An audio or video message of a sender that was accepted.
    Media {
        /// Its track.
        kind: TagKind,
        /// As received.
        timestamp_ms: u32,
        /// An FLV tag body, not empty.
        body: Bytes,
    },
    /// The encoder said goodbye.
    Finished,
}

/// Why the conversation is over. The words are for the log: the sender is told nothing.
#[derive(Debug, Error)]
pub enum DialogueError {
    /// What has no honest explanation.
    #[error("{0}")]
    Violation(String),
    /// What the RTMP library does not take.
    #[error("{0}")]
    Unusable(String),
}

impl Dialogue {
    /// Before the first byte.
    pub fn new(limits: IngestLimits) -> Self {
        let stage = Stage::Greeting(Box::new(Greeting::new()));
        Self { stage, guard: Guard::new(limits), steps: VecDeque::new() }
    }

    /// Takes received bytes in; call [`next_step`](Self::next_step) until `None` before the next ones.
    pub fn hear(&mut self, bytes: &[u8]) -> Result<(), DialogueError> {
        let Stage::Greeting(greeting) = &mut self.stage else {
            self.guard.add(bytes);
            return Ok(());
        };
        match greeting.handle(bytes)? {
            Greeted::NotYet(reply) => self.steps.push_back(Step::Reply(reply)),
            Greeted::Done { reply, rest } => {
                let (session, greeting) = Session::new()?;
                self.steps.extend([Step::Reply(reply), Step::Reply(greeting)]);
                self.stage = Stage::Talking(Box::new(session));
                self.guard.add(&rest);
            }
        }
        Ok(())
    }

    /// What to do next, if anything.
    pub fn next_step(&mut self) -> Result<Option<Step>, DialogueError> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Some(step));
            }
            let Stage::Talking(session) = &mut self.stage else { return Ok(None) };
            match self.guard.next()? {
                None => return Ok(None),
                Some(Passed::Media { kind, timestamp_ms, body }) => {
                    return Ok(Some(Step::Media { kind, timestamp_ms, body }));
                }
                Some(Passed::Control(message)) => {
                    self.steps.extend(session.handle(message)?.into_iter().map(Step::from));
                }
            }
        }
    }

    /// The sender has not been greeted yet.
    pub fn is_greeting(&self) -> bool {
        matches!(self.stage, Stage::Greeting(_))
    }

    /// Its key is good: its bounds widen. Returns the bytes that say so.
    pub fn accept(&mut self, request: u32) -> Result<Vec<u8>, DialogueError> {
        self.guard.admit();
        Ok(self.session()?.accept(request)?)
    }

    /// The bytes that say that the key is wrong; the connection has to be closed behind them.
    pub fn refuse_key(&mut self) -> Result<Bytes, DialogueError> {
        Ok(self.session()?.refusal(Refusal::WrongKey)?)
    }

    /// The bytes that say that nothing can be watched here; the connection has to be closed behind them.
    pub fn refuse_play(&mut self) -> Result<Bytes, DialogueError> {
        Ok(self.session()?.refusal(Refusal::NothingToPlay)?)
    }

    /// Bytes of messages, and of headers, that have not come to their end.
    pub fn unfinished_bytes(&self) -> usize {
        self.guard.unfinished_bytes()
    }

    fn session(&mut self) -> Result<&mut Session, DialogueError> {
        match &mut self.stage {
            Stage::Talking(session) => Ok(session),
            Stage::Greeting(_) => Err(DialogueError::Unusable("an answer before the greeting".to_owned())),
        }
    }
}

impl From<Outcome> for Step {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Reply(bytes) => Step::Reply(bytes),
            Outcome::Publish { request, app, stream_name } => Step::Publish { request, app, stream_name },
            Outcome::Play => Step::Play,
            Outcome::Metadata(metadata) => Step::Metadata(metadata),
            Outcome::Finished => Step::Finished,
        }
    }
}

impl From<Violation> for DialogueError {
    fn from(violation: Violation) -> Self {
        DialogueError::Violation(violation.to_string())
    }
}

impl From<SessionError> for DialogueError {
    fn from(error: SessionError) -> Self {
        DialogueError::Unusable(error.to_string())
    }
}
