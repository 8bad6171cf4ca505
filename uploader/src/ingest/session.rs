//! The RTMP conversation of one connection: handshake, commands, acceptance and refusal. The only file that names
//! `rml_rtmp`. Bytes in, bytes and decisions out; the socket is [`super::connection`]'s.

use bytes::Bytes;
use rml_rtmp::chunk_io::ChunkSerializer;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};
use rml_rtmp::messages::{MessagePayload, RtmpMessage};
use rml_rtmp::rml_amf0::Amf0Value;
use rml_rtmp::sessions::{
    ServerSession, ServerSessionConfig, ServerSessionEvent, ServerSessionResult, StreamMetadata,
};
use rml_rtmp::time::RtmpTimestamp;
use thiserror::Error;

use super::chunks::Message;
use super::publication::Metadata;

/// The library gave up on a message; the connection ends.
#[derive(Debug, Error)]
#[error("the RTMP library refuses: {0}")]
pub(crate) struct SessionError(String);

/// The handshake (Adobe RTMP 1.0, 5.2, and the digest variant of Flash 9).
pub(crate) struct Greeting(Handshake);

/// How far the handshake has come.
pub(crate) enum Greeted {
    /// Send this and read on.
    NotYet(Vec<u8>),
    /// Send this; the rest of the bytes belongs to the session.
    Done { reply: Vec<u8>, rest: Vec<u8> },
}

impl Greeting {
    pub fn new() -> Self {
        Self(Handshake::new(PeerType::Server))
    }

    pub fn handle(&mut self, bytes: &[u8]) -> Result<Greeted, SessionError> {
        match self.0.process_bytes(bytes).map_err(session_error)? {
            HandshakeProcessResult::InProgress { response_bytes } => Ok(Greeted::NotYet(response_bytes)),
            HandshakeProcessResult::Completed { response_bytes, remaining_bytes } => {
                Ok(Greeted::Done { reply: response_bytes, rest: remaining_bytes })
            }
        }
    }
}

/// What a control message led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Send these bytes.
    Reply(Vec<u8>),
    /// Somebody wants to publish: answer with [`Session::accept`] or [`Session::refusal`].
    Publish {
        request: u32,
        app: String,
        stream_name: String,
    },
    /// Somebody wants to watch, which this server does not offer: answer with [`Session::refusal`].
    Play,
    Metadata(Metadata),
    /// The encoder said goodbye.
    Finished,
}

/// Why a request is refused, as the encoder is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    WrongKey,
    NothingToPlay,
}

/// Size of the chunks in both directions inside and of those sent out: replies fit into one.
const CHUNK_SIZE: u32 = 64 << 10;

/// One connection's session.
pub(crate) struct Session {
    library: ServerSession,
    /// Writes the messages that passed the guard for the library to read.
    feeder: ChunkSerializer,
    /// The message stream of the newest command, which an answer belongs to.
    stream_id: u32,
}

impl Session {
    /// The session and what it has to say first.
    pub fn new() -> Result<(Self, Vec<u8>), SessionError> {
        let mut config = ServerSessionConfig::new();
        config.chunk_size = CHUNK_SIZE;
        // A relict of Flash that makes FFmpeg ask back.
        config.send_on_bw_done_message_on_start = false;
        let (library, greeting) = ServerSession::new(config).map_err(session_error)?;
        let mut session = Self { library, feeder: ChunkSerializer::new(), stream_id: 0 };
        let size =
            session.feeder.set_max_chunk_size(CHUNK_SIZE, RtmpTimestamp::new(0)).map_err(session_error)?;
        session.library.handle_input(&size.bytes).map_err(session_error)?;
        Ok((session, replies(greeting)))
    }

    /// Hands a message that passed the guard to the library.
    pub fn handle(&mut self, message: Message) -> Result<Vec<Outcome>, SessionError> {
        self.stream_id = message.stream_id;
        let payload = MessagePayload {
            timestamp: RtmpTimestamp::new(message.timestamp_ms),
            type_id: message.type_id,
            message_stream_id: message.stream_id,
            data: message.body,
        };
        let packet = self.feeder.serialize(&payload, true, false).map_err(session_error)?;
        let results = self.library.handle_input(&packet.bytes).map_err(session_error)?;
        let mut outcomes = Vec::new();
        for result in results {
            match result {
                ServerSessionResult::OutboundResponse(packet) => outcomes.push(Outcome::Reply(packet.bytes)),
                ServerSessionResult::RaisedEvent(event) => outcomes.extend(self.outcome(event)?),
                ServerSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(outcomes)
    }

    fn outcome(&mut self, event: ServerSessionEvent) -> Result<Option<Outcome>, SessionError> {
        Ok(match event {
            ServerSessionEvent::ConnectionRequested { request_id, .. } => {
                Some(Outcome::Reply(self.accept(request_id)?))
            }
            ServerSessionEvent::PublishStreamRequested { request_id, app_name, stream_key, .. } => {
                Some(Outcome::Publish { request: request_id, app: app_name, stream_name: stream_key })
            }
            ServerSessionEvent::PlayStreamRequested { .. } => Some(Outcome::Play),
            ServerSessionEvent::StreamMetadataChanged { metadata, .. } => {
                Some(Outcome::Metadata(described(metadata)))
            }
            ServerSessionEvent::PublishStreamFinished { .. } => Some(Outcome::Finished),
            _ => None,
        })
    }

    /// The bytes that say yes to a request.
    pub fn accept(&mut self, request: u32) -> Result<Vec<u8>, SessionError> {
        Ok(replies(self.library.accept_request(request).map_err(session_error)?))
    }

    /// The bytes that say no in a way that encoders understand, report and do not repeat: an `onStatus` of level
    /// error, after which the connection has to be closed. (The library's own refusal is an `_error`, which OBS
    /// ignores.)
    pub fn refusal(&self, refusal: Refusal) -> Result<Bytes, SessionError> {
        let (code, description) = match refusal {
            Refusal::WrongKey => ("NetStream.Publish.BadName", "The stream key is wrong."),
            Refusal::NothingToPlay => {
                ("NetStream.Play.StreamNotFound", "Nothing can be played over RTMP here.")
            }
        };
        let text = |value: &str| Amf0Value::Utf8String(value.to_owned());
        let status = [("level", "error"), ("code", code), ("description", description)];
        let status = status.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
        let message = RtmpMessage::Amf0Command {
            command_name: "onStatus".to_owned(),
            transaction_id: 0.0,
            command_object: Amf0Value::Null,
            additional_arguments: vec![Amf0Value::Object(status)],
        };
        let payload =
            message.into_message_payload(RtmpTimestamp::new(0), self.stream_id).map_err(session_error)?;
        // A serializer of its own: a full header refers to nothing before it, and nothing follows.
        let packet = ChunkSerializer::new().serialize(&payload, true, false).map_err(session_error)?;
        Ok(Bytes::from(packet.bytes))
    }
}

fn described(metadata: StreamMetadata) -> Metadata {
    let video = metadata.video_codec_id.is_some() || metadata.video_width.is_some();
    let audio = metadata.audio_codec_id.is_some()
        || metadata.audio_sample_rate.is_some()
        || metadata.audio_channels.is_some()
        || metadata.audio_is_stereo.is_some();
    Metadata {
        encoder: metadata.encoder,
        announced: (video || audio).then_some(media::Announced { video, audio }),
        frames_per_second: metadata.video_frame_rate,
        video_kbps: metadata.video_bitrate_kbps,
    }
}

fn replies(results: Vec<ServerSessionResult>) -> Vec<u8> {
    let packets = results.into_iter().filter_map(|result| match result {
        ServerSessionResult::OutboundResponse(packet) => Some(packet.bytes),
        _ => None,
    });
    packets.flatten().collect()
}

fn session_error(error: impl ToString) -> SessionError {
    SessionError(error.to_string())
}
