//! The operator's page, as its script asks: nothing without the token, and no address in what it tells.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tracker::AdminToken;

use crate::support::{Tracker, peer, within};

impl Tracker {
    /// Status, and the cookie that a login with `token` is answered with.
    async fn log_in(&self, token: &str) -> (u16, Option<String>) {
        let body = format!("{{\"token\":\"{token}\"}}");
        let length = body.len();
        let request = format!(
            "POST /admin/login HTTP/1.1\r\nHost: test\r\nOrigin: https://test\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        within(stream.read_to_string(&mut answer)).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: "));
        (status, cookie.map(str::to_owned))
    }
}

#[tokio::test]
async fn the_operator_sees_channels_and_swarms_and_nobody_else_does() {
    let tracker = Tracker::start().await;
    let AdminToken(token) = AdminToken::first(tracker.data.path()).unwrap().unwrap();
    let (mut source, welcome) = tracker.source("demo", 1, Some(7)).await;
    let (_viewer, _) = tracker.viewer("demo", 2).await;
    source.settle().await;
    let swarm = format!("/admin/swarm/{}", welcome.channel);
    for path in ["/admin/state", &swarm] {
        assert_eq!(tracker.get(path, "").await.status(), 401, "{path}");
        let wrong = tracker.get(path, "Authorization: Bearer 0123456789\r\n").await;
        assert_eq!(wrong.status(), 401, "{path}");
    }
    assert_eq!(tracker.log_in("0123456789").await, (401, None));
    let (status, cookie) = tracker.log_in(&token).await;
    let cookie = cookie.unwrap();
    assert_eq!(status, 200);
    for part in ["HttpOnly", "SameSite=Strict", "Path=/admin", "Secure"] {
        assert!(cookie.contains(part), "{cookie} lacks {part}");
    }
    assert!(!cookie.contains(&token));
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    let bearer = format!("Authorization: Bearer {token}\r\n");
    for shown in [&cookie, &bearer] {
        let state = tracker.get("/admin/state", shown).await;
        assert_eq!(state.status(), 200);
        assert_eq!(state.json()["channels"][0]["name"], "demo");
        assert!(!String::from_utf8(state.body).unwrap().contains("127.0.0.1"));
    }
    let picture = tracker.get(&swarm, &cookie).await.json();
    assert_eq!(picture["source"], peer(1).to_string());
    assert_eq!(picture["peers"][0]["peer"], peer(2).to_string());
    assert_eq!(tracker.get("/admin/swarm/nothing", &cookie).await.status(), 404);

    AdminToken::replace(tracker.data.path()).unwrap();
    assert_eq!(tracker.get("/admin/state", &cookie).await.status(), 401);
    let policy = tracker.get("/admin", "").await;
    assert!(policy.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
}

#[tokio::test]
async fn whoever_guesses_tokens_has_to_wait() {
    let tracker = Tracker::start().await;
    AdminToken::first(tracker.data.path()).unwrap().unwrap();
    let mut last = 0;
    for _ in 0..32 {
        last = tracker.log_in("guess").await.0;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
}
