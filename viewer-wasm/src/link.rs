//! One RTCPeerConnection with its two data channels.

use bytes::Bytes;
use js_sys::{Array, ArrayBuffer, Function, Reflect, Uint8Array};
use swarm::Lane;
use wasm_bindgen::{JsCast as _, JsValue};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{
    EventTarget, MessageEvent, RtcBundlePolicy, RtcConfiguration, RtcDataChannel, RtcDataChannelInit,
    RtcDataChannelState, RtcDataChannelType, RtcIceCandidateInit, RtcPeerConnection,
    RtcPeerConnectionIceEvent, RtcPeerConnectionState, RtcSdpType, RtcSessionDescriptionInit,
};
use wire::PeerId;
use wire::session::Signal;

use crate::event::{Event, LinkEvent, Listener, Mailbox};

/// Below this many unsent bytes a data channel asks for more.
const DRAINED_BYTES: u32 = 16 << 10;

/// Candidates kept until the description that they belong to is there. Browsers make about ten.
const EARLY_CANDIDATES_MAX: usize = 32;

/// Frames kept while one channel is open and the other is not: what comes within a moment.
const EARLY_FRAMES_MAX: usize = 256;

/// Milliseconds that a link may take to open.
const OPEN_MAX_MS: f64 = 10_000.0;

/// Milliseconds that a link may be without contact before it counts as lost.
const DISCONNECTED_MAX_MS: f64 = 3_000.0;

/// A link, open or to be.
pub(crate) struct Link {
    pub peer: PeerId,
    /// Tells this link's events from those of an earlier one with the same peer.
    pub number: u32,
    offered: bool,
    pub open: bool,
    connection: RtcPeerConnection,
    eager: RtcDataChannel,
    control: RtcDataChannel,
    mailbox: Mailbox,
    described: bool,
    early_candidates: Vec<String>,
    early_frames: Vec<Bytes>,
    created_ms: f64,
    disconnected_ms: Option<f64>,
    _listeners: Vec<Listener>,
}

impl Link {
    pub(crate) fn new(
        peer: PeerId,
        number: u32,
        ice_servers: &Array,
        now_ms: f64,
        mailbox: &Mailbox,
    ) -> Result<Link, JsValue> {
        let connection = RtcPeerConnection::new_with_configuration(&configuration(ice_servers))?;
        let eager = channel(&connection, "eager", 0, false);
        let control = channel(&connection, "control", 1, true);
        let post = |what: fn() -> LinkEvent| move |_| Some(Event::Link { peer, number, what: what() });
        let mut listeners = vec![
            Listener::posting(&connection, "connectionstatechange", mailbox, post(|| LinkEvent::State)),
            Listener::posting(&connection, "icecandidate", mailbox, move |event| {
                let what = LinkEvent::Signal(Signal::Candidate { candidate: candidate(&event)? });
                Some(Event::Link { peer, number, what })
            }),
        ];
        for target in [&eager, &control] {
            let target: &EventTarget = target;
            listeners.push(Listener::posting(target, "open", mailbox, post(|| LinkEvent::ChannelOpened)));
            listeners.push(Listener::posting(target, "close", mailbox, post(|| LinkEvent::ChannelClosed)));
            listeners.push(Listener::posting(
                target,
                "bufferedamountlow",
                mailbox,
                post(|| LinkEvent::Drained),
            ));
            listeners.push(Listener::posting(target, "message", mailbox, move |event| {
                let buffer = event.dyn_ref::<MessageEvent>()?.data().dyn_into::<ArrayBuffer>().ok()?;
                let what = LinkEvent::Frame(Bytes::from(Uint8Array::new(&buffer).to_vec()));
                Some(Event::Link { peer, number, what })
            }));
        }
        Ok(Link {
            peer,
            number,
            offered: false,
            open: false,
            connection,
            eager,
            control,
            mailbox: mailbox.clone(),
            described: false,
            early_candidates: Vec::new(),
            early_frames: Vec::new(),
            created_ms: now_ms,
            disconnected_ms: None,
            _listeners: listeners,
        })
    }

    /// Makes an offer, which comes as an event.
    pub(crate) fn offer(&mut self) {
        self.offered = true;
        let connection = self.connection.clone();
        self.describe(async move {
            let sdp = sdp_of(&JsFuture::from(connection.create_offer()).await?)?;
            set_local(&connection, RtcSdpType::Offer, &sdp).await?;
            Ok(Signal::Offer { sdp })
        });
    }

    /// Answers an offer; the answer comes as an event.
    pub(crate) fn answer(&mut self, offer: &str) {
        let connection = self.connection.clone();
        // Called, not awaited: candidates that are handed over from here on wait in the browser for it.
        let set = connection.set_remote_description(&description(RtcSdpType::Offer, offer));
        self.remote_is_described();
        self.describe(async move {
            JsFuture::from(set).await?;
            let sdp = sdp_of(&JsFuture::from(connection.create_answer()).await?)?;
            set_local(&connection, RtcSdpType::Answer, &sdp).await?;
            Ok(Signal::Answer { sdp })
        });
    }

    /// Takes the answer to the offer made here.
    pub(crate) fn answered(&mut self, answer: &str) {
        if !self.offered || self.described {
            return;
        }
        let set = self.connection.set_remote_description(&description(RtcSdpType::Answer, answer));
        self.remote_is_described();
        let (mailbox, peer, number) = (self.mailbox.clone(), self.peer, self.number);
        spawn_local(async move {
            if JsFuture::from(set).await.is_err() {
                mailbox.post(Event::Link { peer, number, what: LinkEvent::Failed });
            }
        });
    }

    fn describe(&self, make: impl Future<Output = Result<Signal, JsValue>> + 'static) {
        let (mailbox, peer, number) = (self.mailbox.clone(), self.peer, self.number);
        spawn_local(async move {
            let what = make.await.map_or(LinkEvent::Failed, LinkEvent::Signal);
            mailbox.post(Event::Link { peer, number, what });
        });
    }

    fn remote_is_described(&mut self) {
        self.described = true;
        for candidate in std::mem::take(&mut self.early_candidates) {
            self.add_candidate(candidate);
        }
    }

    /// Takes one of the other side's addresses. One that is of no use is ignored.
    pub(crate) fn add_candidate(&mut self, candidate: String) {
        if !self.described {
            if self.early_candidates.len() < EARLY_CANDIDATES_MAX {
                self.early_candidates.push(candidate);
            }
            return;
        }
        let init = RtcIceCandidateInit::new(&candidate);
        init.set_sdp_mid(Some("0"));
        init.set_sdp_m_line_index(Some(0));
        let added = self.connection.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&init));
        spawn_local(async move {
            let _ = JsFuture::from(added).await;
        });
    }

    /// Whether both channels are open now and were not before.
    pub(crate) fn opens(&mut self) -> bool {
        let is_open = |channel: &RtcDataChannel| channel.ready_state() == RtcDataChannelState::Open;
        let opens = !self.open && is_open(&self.eager) && is_open(&self.control);
        self.open |= opens;
        opens
    }

    /// Keeps a frame that came before the link was open.
    pub(crate) fn keep_early(&mut self, frame: Bytes) {
        if self.early_frames.len() < EARLY_FRAMES_MAX {
            self.early_frames.push(frame);
        }
    }

    /// The frames that came before the link was open.
    pub(crate) fn early_frames(&mut self) -> Vec<Bytes> {
        std::mem::take(&mut self.early_frames)
    }

    /// Whether it must be given up. Looked at now and then, and when its state changes.
    pub(crate) fn is_lost(&mut self, now_ms: f64) -> bool {
        match self.connection.connection_state() {
            RtcPeerConnectionState::Failed | RtcPeerConnectionState::Closed => return true,
            RtcPeerConnectionState::Disconnected => {
                let since = *self.disconnected_ms.get_or_insert(now_ms);
                if now_ms - since > DISCONNECTED_MAX_MS {
                    return true;
                }
            }
            _ => self.disconnected_ms = None,
        }
        !self.open && now_ms - self.created_ms > OPEN_MAX_MS
    }

    pub(crate) fn send(&self, lane: Lane, frame: &[u8]) {
        let channel = match lane {
            Lane::Eager => &self.eager,
            Lane::Control => &self.control,
        };
        // Fails where the channel has just closed: its event is on the way.
        let _ = channel.send_with_u8_array(frame);
    }

    /// Whether this side reaches the other only through a TURN server. A browser that cannot say has none of its own.
    pub(crate) fn is_relayed(&self) -> bool {
        let get = |of: JsValue, name: &&str| Reflect::get(&of, &(*name).into());
        let ice = ["sctp", "transport", "iceTransport"].iter().try_fold(self.connection.clone().into(), get);
        let pair = ice.and_then(|ice| {
            get(ice.clone(), &"getSelectedCandidatePair")?.dyn_into::<Function>()?.call0(&ice)
        });
        let kind = pair.and_then(|pair| ["local", "type"].iter().try_fold(pair, get));
        kind.is_ok_and(|kind| kind == "relay")
    }

    /// Bytes not yet handed to the network.
    pub(crate) fn queued(&self) -> usize {
        (self.eager.buffered_amount() + self.control.buffered_amount()) as usize
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.connection.close();
    }
}

fn configuration(ice_servers: &Array) -> RtcConfiguration {
    let configuration = RtcConfiguration::new();
    configuration.set_bundle_policy(RtcBundlePolicy::MaxBundle);
    configuration.set_ice_servers(ice_servers);
    configuration
}

fn channel(connection: &RtcPeerConnection, label: &str, id: u16, reliable: bool) -> RtcDataChannel {
    let init = RtcDataChannelInit::new();
    init.set_negotiated(true);
    init.set_id(id);
    init.set_ordered(reliable);
    if !reliable {
        init.set_max_retransmits(1);
    }
    let channel = connection.create_data_channel_with_data_channel_dict(label, &init);
    channel.set_binary_type(RtcDataChannelType::Arraybuffer);
    channel.set_buffered_amount_low_threshold(DRAINED_BYTES);
    channel
}

fn description(kind: RtcSdpType, sdp: &str) -> RtcSessionDescriptionInit {
    let description = RtcSessionDescriptionInit::new(kind);
    description.set_sdp(sdp);
    description
}

async fn set_local(connection: &RtcPeerConnection, kind: RtcSdpType, sdp: &str) -> Result<(), JsValue> {
    JsFuture::from(connection.set_local_description(&description(kind, sdp))).await.map(drop)
}

fn sdp_of(description: &JsValue) -> Result<String, JsValue> {
    let sdp = js_sys::Reflect::get(description, &"sdp".into())?;
    sdp.as_string().ok_or_else(|| "a description without text".into())
}

/// The candidate's line; none at the end of candidates.
fn candidate(event: &web_sys::Event) -> Option<String> {
    let candidate = event.dyn_ref::<RtcPeerConnectionIceEvent>()?.candidate()?.candidate();
    (!candidate.is_empty()).then_some(candidate)
}
