//! The room, told as what happens in it.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wire::Signer;

use super::*;
use crate::store::Channel;
use crate::store::settings::{ChannelSettings, Chat, ChatLinks, JoinPolicy};

const ANNA: VisitId = VisitId(1);
const BEN: VisitId = VisitId(2);
const OWNER: VisitId = VisitId(9);

fn key(seed: u8) -> ChannelId {
    Signer::from_seed(&[seed; 32]).channel()
}

fn channel(settings: ChannelSettings) -> Channel {
    Channel {
        id: key(1),
        name: "evening".into(),
        settings,
        poster_tag: None,
        created_ms: 0,
        hosted: false,
        delegated_until_ms: None,
        join_secret: None,
    }
}

/// A room, a clock, and what was told.
struct Told {
    room: Room,
    now: Timestamp,
    all: Vec<ToVisitor>,
    one: BTreeMap<VisitId, Vec<ToVisitor>>,
}

impl Told {
    fn of(settings: ChannelSettings) -> Self {
        let bounds = Bounds { lines_kept: 5, lines_per_second: 10, line_every: Duration::from_secs(2) };
        let room = Room::new(bounds, Rules::of(&channel(settings)), 1_000);
        Told { room, now: Timestamp::from_millis(0), all: Vec::new(), one: BTreeMap::new() }
    }

    /// A room on the air with Anna and Ben in it, and its owner.
    fn on_air() -> Self {
        let mut told = Told::of(ChannelSettings::default());
        told.room.begin(Epoch(7));
        told.enters(ANNA, 1, Some(1));
        told.enters(BEN, 2, Some(2));
        told.enters(OWNER, 9, Some(9));
        told.room.proven(OWNER, key(1)).unwrap();
        for (visit, name) in [(ANNA, "Anna"), (BEN, "Ben"), (OWNER, "evening")] {
            told.say(visit, FromVisitor::Name { name: name.into() }).unwrap();
        }
        told
    }

    fn enters(&mut self, visit: VisitId, speaker: u8, household: Option<u8>) {
        let household = household.map(|household| HouseholdId([household; 8]));
        self.room.enter(visit, Visitor { speaker: SpeakerId([speaker; 8]), household });
        self.hear();
    }

    fn say(&mut self, visit: VisitId, said: FromVisitor) -> Result<(), Objection> {
        let done = self.room.handle(self.now, visit, said);
        self.hear();
        done
    }

    fn writes(&mut self, visit: VisitId, text: &str) -> Result<u64, Objection> {
        self.say(visit, FromVisitor::Say(Words::Text(text.into())))?;
        match self.all.last() {
            Some(ToVisitor::Line(line)) => Ok(line.id),
            other => panic!("{other:?} instead of a line"),
        }
    }

    fn waits(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn hear(&mut self) {
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::All(message) => self.all.push(message),
                Output::One(visit, message) => self.one.entry(visit).or_default().push(message),
            }
        }
    }

    fn last(&mut self, visit: VisitId) -> &ToVisitor {
        self.hear();
        self.one[&visit].last().unwrap()
    }

    /// What somebody who opens the chat now is shown.
    fn shown(&mut self) -> Vec<String> {
        let newcomer = VisitId(1_000);
        self.enters(newcomer, 200, None);
        self.room.leave(newcomer);
        let Some(ToVisitor::Welcome { lines, .. }) =
            self.one.remove(&newcomer).and_then(|told| told.into_iter().next_back())
        else {
            panic!("no welcome")
        };
        let text = |line: Line| match line.words {
            Words::Text(text) | Words::Sealed(text) => text,
        };
        lines.into_iter().map(text).collect()
    }
}

#[test]
fn what_is_said_is_kept_for_newcomers_and_only_so_many() {
    let mut told = Told::on_air();
    for number in 0..8 {
        told.waits(2);
        told.writes(ANNA, &format!("line {number}")).unwrap();
    }
    assert_eq!(told.shown(), ["line 3", "line 4", "line 5", "line 6", "line 7"]);
}

#[test]
fn nothing_is_kept_after_the_broadcast_and_everything_begins_anew_with_the_next() {
    let mut told = Told::on_air();
    let line = told.writes(BEN, "hello").unwrap();
    told.say(OWNER, FromVisitor::Ban { id: line }).unwrap();
    told.writes(ANNA, "bye").unwrap();
    told.room.begin(Epoch(7));
    assert_eq!(told.shown(), ["bye"], "the same broadcast goes on");
    told.room.over();
    assert!(told.shown().is_empty());
    assert_eq!(told.writes(ANNA, "anybody?"), Err(Objection::Closed));
    told.room.begin(Epoch(8));
    told.hear();
    assert!(told.all.contains(&ToVisitor::Cleared));
    assert_eq!(told.writes(BEN, "hello"), Err(Objection::NoName));
    told.say(BEN, FromVisitor::Name { name: "Ben".into() }).unwrap();
    told.writes(BEN, "the ban is over").unwrap();
}

#[test]
fn a_name_has_one_speaker_and_the_owners_is_nobody_elses() {
    let mut told = Told::on_air();
    let mut take = |visit, name: &str| told.say(visit, FromVisitor::Name { name: name.into() });
    for name in ["Anna", "ANNA", "Аnna", "a n n a", "evening", "Εvening", "Moderator", "0wner"] {
        assert_eq!(take(BEN, name), Err(Objection::NameTaken), "{name}");
    }
    assert_eq!(take(BEN, "\u{202e}"), Err(Objection::BadName));
    assert_eq!(take(BEN, "example.com"), Err(Objection::Link));
    assert_eq!(take(ANNA, "anna"), Ok(()), "her own, written otherwise");
    assert_eq!(take(BEN, "Benjamin"), Ok(()));
    assert_eq!(take(ANNA, "Ben"), Ok(()), "he has given it up");
    // The owner takes back a name that somebody was faster to take.
    assert_eq!(take(OWNER, "Benjamin"), Ok(()));
    let ToVisitor::You(you) = told.last(BEN) else { panic!() };
    assert_eq!(you.name, "");
    assert_eq!(told.writes(BEN, "hello"), Err(Objection::NoName));
}

#[test]
fn a_name_stays_with_its_speaker_while_they_reconnect() {
    let mut told = Told::on_air();
    told.room.leave(ANNA);
    assert_eq!(told.say(BEN, FromVisitor::Name { name: "Anna".into() }), Err(Objection::NameTaken));
    told.enters(VisitId(3), 1, Some(1));
    let ToVisitor::Welcome { you, .. } = told.last(VisitId(3)) else { panic!() };
    assert_eq!((you.name.as_str(), you.role), ("Anna", Role::Guest));
}

#[test]
fn only_keys_make_offices_and_only_while_the_owner_says_so() {
    let mut told = Told::on_air();
    assert_eq!(told.room.proven(ANNA, key(5)), Err(Objection::NotListed));
    let line = told.writes(BEN, "hello").unwrap();
    assert_eq!(told.say(ANNA, FromVisitor::Delete { id: line }), Err(Objection::NotAllowed));
    let chat_moderators = vec![key(5).to_string()];
    told.room
        .set_rules(Rules::of(&channel(ChannelSettings { chat_moderators, ..ChannelSettings::default() })));
    told.hear();
    assert!(
        told.one[&ANNA]
            .iter()
            .any(|message| matches!(message, ToVisitor::You(You { role: Role::Moderator, .. })))
    );
    told.say(ANNA, FromVisitor::Delete { id: line }).unwrap();
    let mine = told.writes(OWNER, "the owner's word").unwrap();
    assert_eq!(told.say(ANNA, FromVisitor::Delete { id: mine }), Err(Objection::NotAllowed));
    assert_eq!(told.say(ANNA, FromVisitor::Ban { id: mine }), Err(Objection::NotAllowed));
    told.room.set_rules(Rules::of(&channel(ChannelSettings::default())));
    let line = told.writes(BEN, "again").unwrap();
    assert_eq!(told.say(ANNA, FromVisitor::Ban { id: line }), Err(Objection::NotAllowed));
}

#[test]
fn a_ban_takes_the_lines_and_holds_for_the_household_until_it_is_lifted() {
    let mut told = Told::on_air();
    let first = told.writes(BEN, "one").unwrap();
    told.writes(BEN, "two").unwrap();
    told.writes(ANNA, "three").unwrap();
    assert_eq!(told.say(ANNA, FromVisitor::Ban { id: first }), Err(Objection::NotAllowed));
    told.say(OWNER, FromVisitor::Ban { id: first }).unwrap();
    assert_eq!(told.shown(), ["three"]);
    assert_eq!(told.writes(BEN, "four"), Err(Objection::Banned));
    // Another browser behind the same address.
    told.enters(VisitId(4), 44, Some(2));
    assert_eq!(told.say(VisitId(4), FromVisitor::Name { name: "Bert".into() }), Err(Objection::Banned));
    let ToVisitor::Bans { bans } = told.last(OWNER).clone() else { panic!() };
    assert_eq!(bans[0].name, "Ben");
    assert_eq!(told.say(ANNA, FromVisitor::Lift { ban: bans[0].ban }), Err(Objection::NotAllowed));
    told.say(OWNER, FromVisitor::Lift { ban: bans[0].ban }).unwrap();
    told.writes(BEN, "five").unwrap();
}

#[test]
fn a_ban_of_somebody_on_this_machine_is_theirs_alone() {
    let mut told = Told::on_air();
    for (visit, speaker, name) in [(VisitId(5), 5, "Eva"), (VisitId(6), 6, "Finn")] {
        told.enters(visit, speaker, None);
        told.say(visit, FromVisitor::Name { name: name.into() }).unwrap();
    }
    let line = told.writes(VisitId(5), "hello").unwrap();
    told.say(OWNER, FromVisitor::Ban { id: line }).unwrap();
    assert_eq!(told.writes(VisitId(5), "hello"), Err(Objection::Banned));
    told.writes(VisitId(6), "hello").unwrap();
}

#[test]
fn slow_mode_holds_guests_and_no_new_name_gets_around_it() {
    let mut told = Told::on_air();
    assert_eq!(told.say(ANNA, FromVisitor::Slow { seconds: 30 }), Err(Objection::NotAllowed));
    told.say(OWNER, FromVisitor::Slow { seconds: 30 }).unwrap();
    assert!(matches!(told.all.last(), Some(ToVisitor::State(State { slow_s: 30, .. }))));
    told.writes(ANNA, "one").unwrap();
    told.waits(10);
    assert_eq!(told.writes(ANNA, "two"), Err(Objection::Slow));
    assert_eq!(told.last(ANNA), &ToVisitor::Refused { reason: Objection::Slow, wait_ms: Some(20_001) });
    told.say(ANNA, FromVisitor::Name { name: "Anne".into() }).unwrap();
    assert_eq!(told.writes(ANNA, "two"), Err(Objection::Slow));
    told.writes(OWNER, "one").unwrap();
    told.writes(OWNER, "two").unwrap();
    told.waits(20);
    told.writes(ANNA, "two").unwrap();
    told.say(OWNER, FromVisitor::Slow { seconds: 0 }).unwrap();
    told.writes(ANNA, "three").unwrap();
}

#[test]
fn who_writes_too_fast_waits_alone() {
    let mut told = Told::on_air();
    assert!((0..4).all(|_| told.writes(ANNA, "x").is_ok()));
    assert_eq!(told.writes(ANNA, "x"), Err(Objection::TooFast));
    told.writes(BEN, "y").unwrap();
    told.waits(2);
    told.writes(ANNA, "x").unwrap();
}

#[test]
fn many_names_behind_one_address_write_no_faster_than_a_class() {
    let mut told = Told::on_air();
    let mut written = 0;
    for number in 10..60 {
        told.enters(VisitId(number.into()), number, Some(77));
        let named = told.say(VisitId(number.into()), FromVisitor::Name { name: format!("guest {number}") });
        written += u32::from(named.is_ok() && told.writes(VisitId(number.into()), "x").is_ok());
    }
    assert!(written <= 20, "{written}");
}

#[test]
fn links_are_the_owners_choice() {
    let mut told = Told::on_air();
    assert_eq!(told.writes(ANNA, "see example.com"), Err(Objection::Link));
    told.writes(OWNER, "see example.com").unwrap();
    let settings = ChannelSettings { chat_links: ChatLinks::On, ..ChannelSettings::default() };
    told.room.set_rules(Rules::of(&channel(settings)));
    told.writes(ANNA, "see example.com").unwrap();
}

#[test]
fn a_chat_that_is_off_says_so_and_is_silent() {
    let by_owner = ChannelSettings { chat: Chat::Off, ..ChannelSettings::default() };
    let by_token = ChannelSettings { join: JoinPolicy::Token, ..ChannelSettings::default() };
    for settings in [by_owner, by_token] {
        let mut told = Told::on_air();
        told.room.set_rules(Rules::of(&channel(settings)));
        told.hear();
        assert!(matches!(told.all.last(), Some(ToVisitor::State(State { open: Open::Off, .. }))));
        assert_eq!(told.writes(ANNA, "hello"), Err(Objection::Closed));
    }
}

#[test]
fn a_private_broadcast_takes_sealed_lines_only() {
    let mut told = Told::on_air();
    told.writes(ANNA, "plain").unwrap();
    told.room.seal(true);
    assert!(told.shown().is_empty(), "what could be read here goes");
    assert_eq!(told.writes(ANNA, "plain"), Err(Objection::Sealing));
    assert_eq!(told.say(ANNA, FromVisitor::Name { name: "Anna".into() }), Err(Objection::Sealing));
    told.say(ANNA, FromVisitor::Say(Words::Sealed("AAAA".into()))).unwrap();
    assert_eq!(told.shown(), ["AAAA"]);
    for bad in ["", "not base64!", &"A".repeat(SEALED_BYTES_MAX + 1)] {
        assert_eq!(told.say(ANNA, FromVisitor::Say(Words::Sealed(bad.into()))), Err(Objection::BadText));
    }
}

#[test]
fn everybody_takes_back_their_own() {
    let mut told = Told::on_air();
    let line = told.writes(ANNA, "oops").unwrap();
    assert_eq!(told.say(BEN, FromVisitor::Delete { id: line }), Err(Objection::NotAllowed));
    told.say(ANNA, FromVisitor::Delete { id: line }).unwrap();
    assert_eq!(told.say(ANNA, FromVisitor::Delete { id: line }), Err(Objection::Unknown));
    assert_eq!(told.all.last(), Some(&ToVisitor::Deleted { ids: vec![line] }));
}

/// Anything that visitors and the owner may do.
fn doing() -> impl Strategy<Value = (u64, u8, Option<FromVisitor>)> {
    let text = prop_oneof!["[a-c]{0,3}", "\\PC{0,20}", Just("x.com".to_owned())];
    let said = prop_oneof![
        "[a-d]{0,2}".prop_map(|name| FromVisitor::Name { name }),
        text.prop_map(|text| FromVisitor::Say(Words::Text(text))),
        "[A-Z]{0,4}".prop_map(|sealed| FromVisitor::Say(Words::Sealed(sealed))),
        (0..30u64).prop_map(|id| FromVisitor::Delete { id }),
        (0..30u64).prop_map(|id| FromVisitor::Ban { id }),
        (0..30u64).prop_map(|ban| FromVisitor::Lift { ban }),
        (0..5_000u32).prop_map(|seconds| FromVisitor::Slow { seconds }),
    ];
    (0..6u64, 0..10u8, prop::option::weighted(0.8, said))
}

proptest! {
    #[test]
    fn whatever_is_done_the_room_keeps_its_bounds_and_its_offices(doings in prop::collection::vec(doing(), 0..120)) {
        let mut told = Told::of(ChannelSettings::default());
        told.room.begin(Epoch(1));
        told.enters(OWNER, 9, None);
        told.room.proven(OWNER, key(1)).unwrap();
        for (visit, what, said) in doings {
            told.now = told.now + Duration::from_millis(300);
            let id = if visit == 0 { OWNER } else { VisitId(visit) };
            match said {
                Some(said) => drop(told.say(id, said)),
                None if what == 0 => told.room.over(),
                None if what == 1 => told.room.begin(Epoch(2)),
                None if what == 2 => told.room.seal(visit % 2 == 0),
                None if what < 5 && id != OWNER => told.room.leave(id),
                None if id == OWNER => told.room.seal(false),
                None => told.enters(id, visit as u8, Some(visit as u8 / 2)),
            }
            told.hear();
            prop_assert!(told.room.lines.len() <= 5);
            prop_assert_eq!(told.room.names.len(), told.room.speakers.values().filter(|one| !one.looks.is_empty()).count());
            for (looks, speaker) in &told.room.names {
                prop_assert_eq!(&told.room.speakers[speaker].looks, looks);
            }
        }
        for message in &told.all {
            if let ToVisitor::Line(line) = message {
                prop_assert_eq!(line.role == Role::Owner, line.by == by(SpeakerId([9; 8])));
                prop_assert_eq!(line.name.is_empty(), matches!(line.words, Words::Sealed(_)));
            }
        }
    }
}
