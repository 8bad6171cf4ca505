//! What a viewer and a broadcaster have in common: the engine, the session with the tracker and the links, and the way
//! between them.

use swarm::{Config, Identity, Input, Output, Swarm, Violation};
use wasm_bindgen::JsValue;
use wire::PeerId;
use wire::session::{FromTracker, Refusal};

use crate::clock;
use crate::event::{Event, LinkEvent, Mailbox, SessionEvent};
use crate::json;
use crate::links::Links;
use crate::random;
use crate::session::Session;
use crate::timer::Timer;

/// A participant of one channel's swarm.
pub(crate) struct Participant {
    pub(crate) swarm: Swarm,
    pub(crate) session: Session,
    pub(crate) links: Links,
    pub(crate) peer: PeerId,
    /// What the tracker last refused, in its words.
    pub(crate) refusal: Option<String>,
    host: Option<String>,
    wake: Timer,
}

impl Participant {
    /// `host`: the tracker's, without the port, where its STUN server is.
    pub(crate) fn new(
        config: Config,
        identity: Identity,
        session: Session,
        host: Option<String>,
        sharing: bool,
        mailbox: &Mailbox,
    ) -> Result<Self, JsValue> {
        let peer = identity.secret.peer();
        let seed = u64::from_le_bytes(random::bytes()?);
        let mut participant = Participant {
            swarm: Swarm::new(config, identity, seed),
            session,
            links: Links::new(sharing, mailbox),
            peer,
            refusal: None,
            host,
            wake: Timer::new(mailbox, || Event::Wake),
        };
        participant.tell(Input::UnixTime(clock::unix_ms()));
        if !sharing {
            participant.tell(Input::Sharing(false));
        }
        Ok(participant)
    }

    pub(crate) fn tell(&mut self, input: Input) {
        self.swarm.handle(clock::now(), input);
    }

    pub(crate) fn tell_all(&mut self, inputs: impl IntoIterator<Item = Input>) {
        inputs.into_iter().for_each(|input| self.tell(input));
    }

    /// Takes note of what happened on the session. A message of the tracker is handed back: the engine is to be told.
    pub(crate) fn on_session(&mut self, what: SessionEvent) -> Option<FromTracker> {
        match what {
            SessionEvent::Opened => {
                self.session.opened();
                self.tell(Input::SessionOpened);
            }
            SessionEvent::Text(text) => match json::read(&text) {
                Some(message) => {
                    self.on_told(&message, &text);
                    return Some(message);
                }
                None => complain("a message of the tracker makes no sense"),
            },
            SessionEvent::Frame(bytes) => self.tell(Input::Frame { peer: PeerId::RELAY, bytes }),
            SessionEvent::Closed => {
                self.session.lost();
                self.tell(Input::SessionClosed);
            }
            SessionEvent::Timer => self.session.timer(),
        }
        None
    }

    fn on_told(&mut self, message: &FromTracker, text: &str) {
        match message {
            FromTracker::Welcome(welcome) => {
                self.refusal = None;
                self.session.welcomed();
                self.links.use_servers(self.host.as_deref(), welcome.stun_port, text);
            }
            FromTracker::Refused { code, message } => {
                self.refusal = Some(message.clone());
                match code {
                    // Most often to be started again at once, while what is buffered lasts.
                    Refusal::ShuttingDown => {}
                    Refusal::EmbedRefused | Refusal::TokenRefused | Refusal::Banned => {
                        self.session.refused(true)
                    }
                    _ => self.session.refused(false),
                }
            }
            _ => {}
        }
    }

    /// Takes note of what happened on a link.
    pub(crate) fn on_link(&mut self, peer: PeerId, number: u32, what: LinkEvent) {
        let inputs = self.links.handle(peer, number, what);
        self.tell_all(inputs);
    }

    /// After a sleep nothing that was open can be trusted, and the tracker's clock must be learned anew.
    pub(crate) fn resume(&mut self) {
        self.tell(Input::UnixTime(clock::unix_ms()));
        self.tell(Input::SessionClosed);
        self.session.again();
    }

    /// What is looked at five times a second.
    pub(crate) fn review(&mut self) {
        let lost = self.links.review();
        self.tell_all(lost);
        if self.session.is_open() {
            self.tell(Input::Queued { peer: PeerId::RELAY, bytes: self.session.queued() });
        }
    }

    /// Wakes the engine if its time has come.
    pub(crate) fn wake_if_due(&mut self) {
        if self.swarm.poll_timeout().is_some_and(|at| at <= clock::now()) {
            self.tell(Input::Wake);
        }
    }

    /// Carries out decisions until there are none left. What is for a screen goes to `show`.
    pub(crate) fn act(&mut self, mut show: impl FnMut(Output)) {
        loop {
            let mut sent_to = Vec::new();
            while let Some(output) = self.swarm.poll_output() {
                if let Output::Send { peer, .. } = &output
                    && !sent_to.contains(peer)
                {
                    sent_to.push(*peer);
                }
                self.carry_out(output, &mut show);
            }
            if sent_to.is_empty() {
                break;
            }
            for peer in sent_to {
                let bytes =
                    if peer == PeerId::RELAY { self.session.queued() } else { self.links.queued(peer) };
                self.tell(Input::Queued { peer, bytes });
            }
        }
    }

    fn carry_out(&mut self, output: Output, show: &mut impl FnMut(Output)) {
        match output {
            Output::Send { peer: PeerId::RELAY, frame, .. } => self.session.send_frame(&frame),
            Output::Send { peer, lane, frame } => self.links.send(peer, lane, &frame),
            Output::Tell(message) => self.session.send_text(&message.to_text()),
            Output::OpenLink { peer } => {
                let refused = self.links.open(peer);
                self.tell_all(refused);
            }
            Output::Signal { peer, signal } => {
                let inputs = self.links.signalled(peer, signal);
                self.tell_all(inputs);
            }
            Output::CloseLink { peer } => self.links.close(peer),
            Output::Violation { violation: Violation::WrongChannel, .. } => {
                let refusal =
                    "this server has another broadcaster under that name, so nothing of it is shown";
                self.refusal = Some(refusal.to_owned());
            }
            Output::Violation { peer, violation } => {
                complain(&format!("{peer} broke the rules ({violation:?}) and is dropped"));
            }
            Output::Stream(_) | Output::Chunk(_) => show(output),
        }
    }

    /// Asks to be called when the engine's time comes.
    pub(crate) fn arm(&mut self) {
        match self.swarm.poll_timeout() {
            Some(at) => self.wake.arm_at(at.as_micros() as f64 / 1000.0),
            None => self.wake.disarm(),
        }
    }
}

fn complain(text: &str) {
    web_sys::console::warn_1(&format!("swarmcast: {text}").into());
}
