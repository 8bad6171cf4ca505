//! The channel's account on a server: requests of its REST interface, signed with the channel's key. The one file that
//! speaks HTTP. Blocking: for the command line.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, http};
use wire::request::{self, Request};
use wire::{Delegation, Signer};

/// Time for one request. 30 s: a poster on a slow line.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of an answer: far more than any is long.
const ANSWER_MAX: u64 = 1 << 20;

/// Days for which a delegation is signed unless said otherwise.
pub const DELEGATION_DAYS: u64 = 30;

const DAY_S: u64 = 86_400;

/// Why a server does not do what it is asked.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The file of one's own authority.
    #[error("{0} holds no certificates in PEM; choose another file with --ca")]
    Authority(String),
    /// It cannot be reached, or does not speak HTTP.
    #[error("{server} does not answer: {source}. Check --tracker")]
    Unreachable {
        /// The server as it was given.
        server: String,
        /// What went wrong.
        source: Box<ureq::Error>,
    },
    /// It says no.
    #[error("{detail}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What is wrong, for programs: the last part of the problem's type.
        problem: String,
        /// What is wrong and what to do, for people.
        detail: String,
    },
    /// Its answer is not what it should be.
    #[error("{0} answers, but not as a swarmcast server of this version")]
    Strange(String),
}

impl AccountError {
    /// Whether the same may succeed in a moment: the server is not there now, or busy.
    pub fn may_pass(&self) -> bool {
        match self {
            AccountError::Unreachable { source, .. } => matches!(
                **source,
                ureq::Error::Io(_)
                    | ureq::Error::ConnectionFailed
                    | ureq::Error::HostNotFound
                    | ureq::Error::Timeout(_)
            ),
            AccountError::Refused { status, .. } => [429, 503].contains(status),
            AccountError::Strange(_) | AccountError::Authority(_) => false,
        }
    }
}

/// A server, and the key that speaks for a channel on it.
pub struct Account {
    server: String,
    signer: Signer,
    agent: Agent,
}

impl Account {
    /// `tracker`: the server as `http://host` or `https://host`; `ws://` and `wss://` are understood. `ca`: one's own
    /// authority's certificates, in PEM, in place of those that browsers believe.
    pub fn new(tracker: &str, signer: Signer, ca: Option<&Path>) -> Result<Self, AccountError> {
        let server = tracker.trim_end_matches('/').to_owned();
        let server = match server.strip_prefix("ws") {
            Some(rest) => format!("http{rest}"),
            None => server,
        };
        let roots = ca.map_or(Ok(RootCerts::WebPki), own_roots)?;
        let config = Agent::config_builder()
            .timeout_global(Some(REQUEST_TIMEOUT))
            .http_status_as_error(false)
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        Ok(Account { server, signer, agent: config.build().into() })
    }

    /// The server's address.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// What the server says of a channel, by name or id.
    pub fn show(&self, name_or_id: &str) -> Result<Value, AccountError> {
        self.send("GET", &format!("/api/v1/channels/{}", escape(name_or_id)), None, Vec::new())
    }

    /// Claims a name: solves the work that the server asks for, or shows an invite.
    pub fn claim(&self, name: &str, invite: Option<&str>) -> Result<Value, AccountError> {
        let challenge = self.challenge()?;
        let nonce = self.nonce(&challenge)?;
        let channel = self.signer.channel();
        let body = match (invite, challenge["work_bits"].as_u64()) {
            (Some(invite), _) => json!({ "invite": invite }),
            (None, Some(bits)) if bits <= u64::from(request::WORK_BITS_MAX) => {
                json!({ "work": request::solve(&nonce, channel, bits as u32) })
            }
            (None, _) => return Err(AccountError::Strange(self.server.clone())),
        };
        let path = format!("/api/v1/channels/{}", escape(name));
        self.answer_to(&nonce, "PUT", &path, body.to_string().into_bytes())
    }

    /// Makes sure that the name is this key's, and claims it if it is free.
    pub fn claim_if_free(&self, name: &str, invite: Option<&str>) -> Result<(), AccountError> {
        match self.show(name) {
            Err(AccountError::Refused { status: 404, .. }) => self.claim(name, invite).map(drop),
            // Whose it is, is for the announcement to find out.
            other => other.map(drop),
        }
    }

    /// Changes name or settings.
    pub fn change(&self, change: &Value) -> Result<Value, AccountError> {
        self.signed("PATCH", "", change.to_string().into_bytes())
    }

    /// Sets the picture.
    pub fn set_poster(&self, bytes: Vec<u8>) -> Result<(), AccountError> {
        self.signed("PUT", "/poster", bytes).map(drop)
    }

    /// Gives the channel another key.
    pub fn rotate(&self, new: &Signer) -> Result<Value, AccountError> {
        let body = json!({
            "to": new.channel(),
            "by_old": request::rotation(&self.signer, new.channel()),
            "by_new": request::rotation(new, self.signer.channel()),
        });
        self.signed("POST", "/rotation", body.to_string().into_bytes())
    }

    /// Deletes the channel.
    pub fn delete(&self) -> Result<(), AccountError> {
        self.signed("DELETE", "", Vec::new()).map(drop)
    }

    /// Lets the server sign for the channel from `now_s` (Unix time) on, for so many days.
    pub fn host(&self, now_s: u64, days: u64) -> Result<Delegation, AccountError> {
        let strange = || AccountError::Strange(self.server.clone());
        let answer = self.signed("PUT", "/hosting", Vec::new())?;
        let delegate = answer["delegate"].as_str().and_then(|text| text.parse().ok()).ok_or_else(strange)?;
        // Its clock may be a little behind ours.
        let from_s = now_s.saturating_sub(wire::limits::CLOCK_ERROR_MAX_S);
        let delegation = Delegation::sign(&self.signer, delegate, from_s, now_s + days * DAY_S);
        let delegation = delegation.map_err(|error| AccountError::Refused {
            status: 400,
            problem: "delegation".to_owned(),
            detail: error.to_string(),
        })?;
        let body = json!({ "delegation": delegation.to_string() });
        self.signed("PUT", "/hosting/delegation", body.to_string().into_bytes())?;
        Ok(delegation)
    }

    /// The labels of the stream keys.
    pub fn stream_keys(&self) -> Result<Value, AccountError> {
        self.signed("GET", "/stream-keys", Vec::new())
    }

    /// Makes a stream key.
    pub fn add_stream_key(&self, label: &str) -> Result<Value, AccountError> {
        self.signed("PUT", &format!("/stream-keys/{}", escape(label)), Vec::new())
    }

    /// Revokes a stream key.
    pub fn revoke_stream_key(&self, label: &str) -> Result<(), AccountError> {
        self.signed("DELETE", &format!("/stream-keys/{}", escape(label)), Vec::new()).map(drop)
    }

    /// Makes another secret for join tokens.
    pub fn renew_join_secret(&self) -> Result<Value, AccountError> {
        self.signed("PUT", "/join-secret", Vec::new())
    }

    /// The bans of the channel.
    pub fn bans(&self) -> Result<Value, AccountError> {
        self.signed("GET", "/bans", Vec::new())
    }

    /// Bans a peer or a prefix.
    pub fn ban(&self, request: &Value) -> Result<Value, AccountError> {
        self.signed("POST", "/bans", request.to_string().into_bytes())
    }

    /// Takes a ban back.
    pub fn lift_ban(&self, id: i64) -> Result<(), AccountError> {
        self.signed("DELETE", &format!("/bans/{id}"), Vec::new()).map(drop)
    }

    /// A short-lived link to the setup guide.
    pub fn guide(&self) -> Result<Value, AccountError> {
        self.signed("POST", "/setup-links", Vec::new())
    }

    fn signed(&self, method: &str, below: &str, body: Vec<u8>) -> Result<Value, AccountError> {
        let path = format!("/api/v1/channels/{}{below}", self.signer.channel());
        let challenge = self.challenge()?;
        self.answer_to(&self.nonce(&challenge)?, method, &path, body)
    }

    fn challenge(&self) -> Result<Value, AccountError> {
        self.send("POST", "/api/v1/challenges", None, Vec::new())
    }

    fn nonce(&self, challenge: &Value) -> Result<String, AccountError> {
        let nonce = challenge["nonce"].as_str().map(str::to_owned);
        nonce.ok_or_else(|| AccountError::Strange(self.server.clone()))
    }

    fn answer_to(&self, nonce: &str, method: &str, path: &str, body: Vec<u8>) -> Result<Value, AccountError> {
        let authorization = Request { method, path, nonce, body: &body }.authorize(&self.signer);
        self.send(method, path, Some(&authorization), body)
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        authorization: Option<&str>,
        body: Vec<u8>,
    ) -> Result<Value, AccountError> {
        let unreachable =
            |source| AccountError::Unreachable { server: self.server.clone(), source: Box::new(source) };
        let mut request = http::Request::builder().method(method).uri(format!("{}{path}", self.server));
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(body).map_err(|error| unreachable(error.into()))?;
        let mut answer = self.agent.run(request).map_err(unreachable)?;
        let status = answer.status();
        let text = answer.body_mut().with_config().limit(ANSWER_MAX).read_to_string().map_err(unreachable)?;
        if status == http::StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let said: Value =
            serde_json::from_str(&text).map_err(|_| AccountError::Strange(self.server.clone()))?;
        if status.is_success() { Ok(said) } else { Err(refused(status.as_u16(), &said)) }
    }
}

fn own_roots(path: &Path) -> Result<RootCerts, AccountError> {
    let read = std::fs::read(path).unwrap_or_default();
    let certificates: Vec<_> = parse_pem(&read)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match certificates.is_empty() {
        true => Err(AccountError::Authority(path.display().to_string())),
        false => Ok(RootCerts::Specific(Arc::new(certificates))),
    }
}

fn refused(status: u16, said: &Value) -> AccountError {
    let kind = said["type"].as_str().unwrap_or_default();
    let problem = kind.rsplit('/').next().unwrap_or_default().to_owned();
    let detail = said["detail"].as_str().unwrap_or("the server refuses without a reason").to_owned();
    AccountError::Refused { status, problem, detail }
}

/// A name or a label as part of a path (RFC 3986).
fn escape(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
