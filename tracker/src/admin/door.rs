//! Who may see the operator's page: whoever presents the token, once to log in or with each request. A wrong one costs
//! its address an attempt, of which there are few.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::header::{AUTHORIZATION, COOKIE, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::HEXLOWER;

use super::token;
use crate::machine;
use crate::rate::{Bucket, household};
use crate::seeing::Token;

/// Logins at once: an operator's machines. The oldest one ends for a newer one.
const LOGINS_MAX: usize = 32;

/// Time for which a login is good: a working day.
const LOGIN_FOR: Duration = Duration::from_secs(12 * 60 * 60);

/// Attempts of one address at once, then one a second.
const ATTEMPTS: u32 = 8;

/// Addresses whose attempts are counted. Beyond it nobody new may try until some are as good as new again.
const ADDRESSES_MAX: usize = 1_024;

const COOKIE_NAME: &str = "swarmcast_admin";

/// Takes the cookie back.
pub(super) const EXPIRED_COOKIE: &str = "swarmcast_admin=; Path=/admin; Max-Age=0; HttpOnly; SameSite=Strict";

/// The door of the operator's page.
#[derive(Debug, Default)]
pub(crate) struct Door {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    logins: VecDeque<Login>,
    attempts: HashMap<IpAddr, Bucket>,
}

#[derive(Debug)]
struct Login {
    cookie: Token,
    /// The token that it was let in with: another one ends it.
    token: Token,
    until: Instant,
}

/// What a browser is given.
#[derive(Debug)]
pub(super) struct Cookie(String);

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No token, no login, or a wrong one.
    Unknown,
    /// Too many attempts.
    TooMany,
}

impl Door {
    /// Logs in whoever has the token.
    pub(super) fn enter(
        &self,
        address: IpAddr,
        secret: &str,
        data: &Path,
        now: Instant,
    ) -> Result<Cookie, Refused> {
        let token = self.check(address, secret, data, now)?;
        let cookie = HEXLOWER.encode(&machine::random::<32>());
        let mut inside = self.lock();
        if inside.logins.len() >= LOGINS_MAX {
            inside.logins.pop_front();
        }
        inside.logins.push_back(Login { cookie: Token::new(&cookie), token, until: now + LOGIN_FOR });
        Ok(Cookie(cookie))
    }

    /// Lets in whoever is logged in, or brings the token as a bearer.
    pub(super) fn admit(
        &self,
        address: IpAddr,
        request: &HeaderMap,
        data: &Path,
        now: Instant,
    ) -> Result<(), Refused> {
        if let Some(secret) = bearer(request) {
            return self.check(address, secret, data, now).map(drop);
        }
        let shown = cookie(request).ok_or(Refused::Unknown)?;
        let current = token::current(data).ok_or(Refused::Unknown)?;
        let mut inside = self.lock();
        inside.logins.retain(|login| login.until > now && login.token == current);
        let known = inside.logins.iter().any(|login| login.cookie.is(shown));
        known.then_some(()).ok_or(Refused::Unknown)
    }

    /// Ends the login of a request.
    pub(super) fn leave(&self, request: &HeaderMap) {
        if let Some(shown) = cookie(request) {
            self.lock().logins.retain(|login| !login.cookie.is(shown));
        }
    }

    fn check(&self, address: IpAddr, secret: &str, data: &Path, now: Instant) -> Result<Token, Refused> {
        self.attempt(household(address), now)?;
        let token = token::current(data).filter(|token| token.is(secret)).ok_or(Refused::Unknown)?;
        self.lock().attempts.remove(&household(address));
        Ok(token)
    }

    fn attempt(&self, address: IpAddr, now: Instant) -> Result<(), Refused> {
        let mut inside = self.lock();
        if inside.attempts.len() >= ADDRESSES_MAX {
            inside.attempts.retain(|_, attempts| !attempts.is_full(now));
        }
        if inside.attempts.len() >= ADDRESSES_MAX && !inside.attempts.contains_key(&address) {
            return Err(Refused::TooMany);
        }
        let attempts = inside.attempts.entry(address).or_insert_with(|| Bucket::new(1, ATTEMPTS, now));
        attempts.take(now).map_err(|_| Refused::TooMany)
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cookie {
    /// For `Set-Cookie`. Over TLS it never travels without.
    pub(super) fn header(&self, request: &HeaderMap) -> String {
        let origin = request.get(ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
        let secure = if origin.starts_with("https://") { "; Secure" } else { "" };
        let (value, age) = (&self.0, LOGIN_FOR.as_secs());
        format!("{COOKIE_NAME}={value}; Path=/admin; Max-Age={age}; HttpOnly; SameSite=Strict{secure}")
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Refused::Unknown => (
                StatusCode::UNAUTHORIZED,
                "This is not the token. `swarmcast-tracker admin new-token` makes another.\n",
            )
                .into_response(),
            Refused::TooMany => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many attempts; wait a little.\n").into_response()
            }
        }
    }
}

/// The token of an `Authorization: Bearer` header (RFC 6750 §2.1).
pub(crate) fn bearer(request: &HeaderMap) -> Option<&str> {
    let (scheme, token) = request.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

fn cookie(request: &HeaderMap) -> Option<&str> {
    let all = request.get(COOKIE)?.to_str().ok()?;
    all.split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE_NAME)?.strip_prefix('='))
}

#[cfg(test)]
mod tests {
    use super::super::AdminToken;
    use super::*;

    fn with_cookie(cookie: &Cookie) -> HeaderMap {
        let value = cookie.header(&HeaderMap::new());
        let pair = value.split(';').next().unwrap();
        HeaderMap::from_iter([(COOKIE, format!("other=1; {pair}").parse().unwrap())])
    }

    #[test]
    fn a_login_ends_with_its_day_with_its_token_and_when_it_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let (data, here, now) = (folder.path(), "127.0.0.1".parse().unwrap(), Instant::now());
        let door = Door::default();
        assert_eq!(door.enter(here, "", data, now).unwrap_err(), Refused::Unknown);
        let AdminToken(secret) = AdminToken::first(data).unwrap().unwrap();
        assert!(AdminToken::first(data).unwrap().is_none());
        let request = with_cookie(&door.enter(here, &secret, data, now).unwrap());
        assert_eq!(door.admit(here, &request, data, now), Ok(()));
        assert_eq!(door.admit(here, &HeaderMap::new(), data, now), Err(Refused::Unknown));
        assert_eq!(door.admit(here, &request, data, now + LOGIN_FOR), Err(Refused::Unknown));

        let request = with_cookie(&door.enter(here, &secret, data, now).unwrap());
        AdminToken::replace(data).unwrap();
        assert_eq!(door.admit(here, &request, data, now), Err(Refused::Unknown));
        let AdminToken(secret) = AdminToken::replace(data).unwrap();
        let request = with_cookie(&door.enter(here, &secret, data, now).unwrap());
        door.leave(&request);
        assert_eq!(door.admit(here, &request, data, now), Err(Refused::Unknown));
    }

    #[test]
    fn guesses_are_few() {
        let folder = tempfile::tempdir().unwrap();
        let (data, now) = (folder.path(), Instant::now());
        let AdminToken(secret) = AdminToken::first(data).unwrap().unwrap();
        let (here, there) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let door = Door::default();
        for _ in 0..ATTEMPTS {
            assert_eq!(door.enter(here, "guess", data, now).unwrap_err(), Refused::Unknown);
        }
        // Not even the right one, from there.
        assert_eq!(door.enter(here, &secret, data, now).unwrap_err(), Refused::TooMany);
        assert!(door.enter(there, &secret, data, now).is_ok());
        assert!(door.enter(here, &secret, data, now + Duration::from_secs(1)).is_ok());
    }
}
