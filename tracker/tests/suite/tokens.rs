//! Channels that ask for a token, as a site's own back end mints them.

use serde_json::json;
use tracker::channel_settings::{ChannelSettings, JoinPolicy};
use tracker::{create_hosted, renew_join_secret};
use wire::PeerSecret;
use wire::session::{FromPeer, FromTracker, Join, Refusal};

use crate::support::{Session, Tracker, a_moment, in_seconds, join, join_token, peer, within};

const SITE: &str = "https://club.example";

/// A site whose channel asks for tokens.
struct Site {
    secret: String,
}

impl Site {
    fn with_channel(tracker: &Tracker) -> Site {
        let settings = ChannelSettings { join: JoinPolicy::Token, ..ChannelSettings::default() };
        let secret = tracker.database().write(|store| {
            let new = create_hosted(store, "club")?;
            store.set(new.channel, &settings)?;
            renew_join_secret(store, "club")
        });
        Site { secret: serde_json::to_value(secret.unwrap()).unwrap().as_str().unwrap().to_owned() }
    }

    /// A token for pages of `origin`, good for so many seconds from now.
    fn good_for(&self, seconds: i64, origin: &str, jti: &str) -> String {
        let claims = json!({ "channel": "club", "origin": origin, "exp": in_seconds(seconds), "jti": jti });
        join_token(&self.secret, &claims)
    }
}

fn join_with(token: &str, secret: u8) -> FromPeer {
    let FromPeer::Join(join) = join("club", secret) else { unreachable!() };
    FromPeer::Join(Join { token: Some(token.to_owned()), secret: PeerSecret([secret; 16]), ..join })
}

async fn comes(tracker: &Tracker, site: &str, token: &str, secret: u8) -> Session {
    let mut session = tracker.session_from(site).await;
    session.say(&join_with(token, secret)).await;
    session
}

async fn is_let_in(mut session: Session, secret: u8) -> String {
    let welcome = session.welcome().await;
    assert_eq!(welcome.peer, peer(secret));
    welcome.pass.unwrap()
}

/// What somebody is told who is not let in.
async fn words(mut session: Session) -> String {
    let said = session.told_that(|message| match message {
        FromTracker::Refused { code: Refusal::TokenRefused, message } => Some(message.clone()),
        _ => None,
    });
    said.await
}

#[tokio::test]
async fn a_token_lets_in_one_viewer_who_may_come_back() {
    let tracker = Tracker::start().await;
    let site = Site::with_channel(&tracker);
    assert_eq!(tracker.refusal(|_| join("club", 1)).await, Refusal::TokenRefused);
    let token = site.good_for(60, SITE, "first");
    let pass = is_let_in(comes(&tracker, SITE, &token, 1).await, 1).await;
    let said = words(comes(&tracker, SITE, &token, 2).await).await;
    assert!(said.contains("good once") && said.contains("Reload"), "{said}");
    // The same viewer, whose session broke: by its pass, and before it had one by the token.
    for shown in [&pass, &token] {
        is_let_in(comes(&tracker, SITE, shown, 1).await, 1).await;
    }
    assert_eq!(comes(&tracker, SITE, &pass, 2).await.refusal().await, Refusal::TokenRefused);
    for (reason, count) in [("token_missing", 1), ("token_used", 1), ("token_foreign", 1)] {
        assert_eq!(tracker.refused("opening", reason).await, count, "{reason}");
    }
}

#[tokio::test]
async fn a_token_is_of_no_use_elsewhere_or_later() {
    let tracker = Tracker::start().await;
    let site = Site::with_channel(&tracker);
    let replayed = site.good_for(60, SITE, "1");
    let said = words(comes(&tracker, "https://evil.example", &replayed, 1).await).await;
    assert!(said.contains("another site than https://evil.example"), "{said}");
    let said = words(comes(&tracker, SITE, &site.good_for(-60, SITE, "2"), 1).await).await;
    assert!(said.contains("expired"), "{said}");
    let said = words(comes(&tracker, SITE, &site.good_for(3_600, SITE, "3"), 1).await).await;
    assert!(said.contains("within 10 minutes"), "{said}");
    let forger = Site { secret: "0".repeat(64) };
    assert!(words(comes(&tracker, SITE, &forger.good_for(60, SITE, "4"), 1).await).await.contains("none of"));
    // Of all these none was spent.
    is_let_in(comes(&tracker, SITE, &replayed, 1).await, 1).await;
}

#[tokio::test]
async fn a_renewed_secret_ends_all_that_the_old_one_signed() {
    let tracker = Tracker::start().await;
    let site = Site::with_channel(&tracker);
    let pass = is_let_in(comes(&tracker, SITE, &site.good_for(60, SITE, "1"), 1).await, 1).await;
    tracker.database().write(|store| renew_join_secret(store, "club")).unwrap();
    let ended = async {
        while comes_in(&tracker, &pass).await {
            a_moment().await;
        }
    };
    within(ended).await;
}

/// Whether a pass still opens the door. The server notices another process's changes within a second.
async fn comes_in(tracker: &Tracker, pass: &str) -> bool {
    let mut session = comes(tracker, SITE, pass, 1).await;
    matches!(session.told().await, FromTracker::Welcome(_))
}

#[tokio::test]
async fn a_frame_is_framed_by_the_site_that_its_token_is_for_and_the_watch_page_by_none() {
    let tracker = Tracker::start().await;
    let site = Site::with_channel(&tracker);
    let frame = format!("/embed/club?token={}", site.good_for(60, SITE, "1"));
    let framed = async |path: &str, by: &str| tracker.get(path, &format!("Referer: {by}/\r\n")).await;
    let answer = framed(&frame, SITE).await;
    let policy = answer.header("content-security-policy").unwrap();
    assert!(policy.ends_with("frame-ancestors 'self' https://club.example"), "{policy}");
    assert_eq!(framed(&frame, "https://evil.example").await.status(), 403);
    let watch = tracker.get("/watch/club", "").await;
    assert!(watch.header("content-security-policy").unwrap().ends_with("frame-ancestors 'self'"));
    for odd in ["/embed/club?token=%ff", "/embed/club?token=a&token=b", "/embed/club?token="] {
        assert_eq!(framed(odd, SITE).await.status(), 200, "{odd}");
    }
}
