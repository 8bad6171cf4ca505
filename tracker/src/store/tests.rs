//! What is stored, found, and kept apart.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn open() -> (tempfile::TempDir, Database) {
    let data = tempfile::tempdir().unwrap();
    let database = Database::open(data.path()).unwrap();
    (data, database)
}

fn key(seed: u8) -> wire::ChannelId {
    Signer::from_seed(&[seed; 32]).channel()
}

#[test]
fn a_hosted_channel_is_made_once_found_and_removed() {
    let (data, mut command_line) = open();
    let server = Database::open(data.path()).unwrap();
    let before = server.data_version().unwrap();
    let new = command_line.write(|store| create_hosted(store, "demo")).unwrap();
    assert_ne!(server.data_version().unwrap(), before);
    let again = command_line.write(|store| create_hosted(store, "demo"));
    assert!(matches!(again, Err(StoreError::Exists(_))));
    let find = |name: &str| server.read(|store| store.hosted(name)).unwrap();
    assert_eq!(find("demo").unwrap().signer.channel(), new.channel);
    assert_eq!(find(&new.channel.to_string()).unwrap().name, "demo");
    let by_key = |key: &str| server.read(|store| store.by_stream_key(key)).unwrap();
    assert_eq!(by_key(&new.stream_key).unwrap().name, "demo");
    assert!(by_key("guess").is_none());
    command_line.write(|store| remove_named(store, "demo")).unwrap();
    assert!(find("demo").is_none() && by_key(&new.stream_key).is_none());
    let again = command_line.write(|store| remove_named(store, "demo"));
    assert!(matches!(again, Err(StoreError::Unknown(_))));
}

#[test]
fn the_file_is_its_owners_and_holds_no_stream_key() {
    let (data, mut database) = open();
    let new = database.write(|store| create_hosted(store, "demo")).unwrap();
    let copy = data.path().join("copy.db");
    database.backup(&copy).unwrap();
    for entry in std::fs::read_dir(data.path()).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{path:?}");
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(new.stream_key.len()).any(|part| part == new.stream_key.as_bytes()));
    }
    assert!(matches!(database.backup(&copy), Err(StoreError::FileExists(_))));
}

#[test]
fn a_name_has_one_owner_and_an_owner_one_name() {
    let (_data, mut database) = open();
    let mut register =
        |seed, name: &str, right| database.write(|store| store.register(key(seed), name, right));
    assert!(matches!(register(1, "demo", Right::Closed), Err(StoreError::Closed)));
    register(1, "demo", Right::Open).unwrap();
    assert_eq!(register(1, "demo", Right::Closed).unwrap().id, key(1));
    assert!(matches!(register(2, "demo", Right::Open), Err(StoreError::Exists(_))));
    assert!(matches!(register(1, "other", Right::Closed), Err(StoreError::Closed)));
    assert_eq!(register(1, "other", Right::Open).unwrap().name, "other");
    register(2, "demo", Right::Open).unwrap();
    assert!(matches!(register(3, "../up", Right::Open), Err(StoreError::BadName(_))));
}

#[test]
fn an_invite_is_good_for_so_many_channels_and_so_long() {
    let (_data, mut database) = open();
    let (twice, old) = (secret::hash("twice"), secret::hash("old"));
    database.write(|store| store.add_invite(old, 1, 1)).unwrap();
    database.write(|store| store.add_invite(twice, 2, u64::MAX >> 1)).unwrap();
    let mut register =
        |seed, name: &str, hash| database.write(|store| store.register(key(seed), name, Right::Invite(hash)));
    assert!(matches!(register(1, "one", old), Err(StoreError::BadInvite)));
    register(1, "one", twice).unwrap();
    register(1, "one", twice).unwrap();
    assert!(matches!(register(2, "one", twice), Err(StoreError::Exists(_))));
    register(2, "two", twice).unwrap();
    assert!(matches!(register(3, "three", twice), Err(StoreError::BadInvite)));
}

#[test]
fn stream_keys_are_several_labelled_and_revocable() {
    let (_data, mut database) = open();
    let new = database.write(|store| create_hosted(store, "demo")).unwrap();
    let add = |database: &mut Database, label: &str, key: &str| {
        database.write(|store| store.add_stream_key(new.channel, label, secret::hash(key)))
    };
    add(&mut database, "van", "k2").unwrap();
    assert!(matches!(add(&mut database, "van", "k3"), Err(StoreError::LabelTaken(_))));
    assert!(matches!(add(&mut database, "", "k3"), Err(StoreError::BadSettings(_))));
    let owner = database.read(|store| store.by_stream_key("k2")).unwrap().unwrap();
    assert!(database.read(|store| store.is_valid(owner.key)).unwrap());
    database.write(|store| store.revoke_stream_key(new.channel, "van")).unwrap();
    assert!(!database.read(|store| store.is_valid(owner.key)).unwrap());
    assert!(database.read(|store| store.by_stream_key("k2")).unwrap().is_none());
    let labels = database.read(|store| store.stream_keys(new.channel)).unwrap();
    assert_eq!(labels.len(), 1);
    for number in 1..16 {
        add(&mut database, &number.to_string(), &number.to_string()).unwrap();
    }
    assert!(matches!(add(&mut database, "more", "more"), Err(StoreError::Full(_))));
}

#[test]
fn what_an_owner_sets_is_kept() {
    let (data, mut database) = open();
    let new = database.write(|store| create_hosted(store, "demo")).unwrap();
    let settings = settings::ChannelSettings { title: "Ein Abend".into(), ..Default::default() };
    let picture = [0xff, 0xd8, 0xff, 0xe0, 1, 2];
    database.write(|store| store.set(new.channel, &settings)).unwrap();
    database.write(|store| store.set_poster(new.channel, Some(&picture))).unwrap();
    assert!(database.write(|store| store.set_poster(new.channel, Some(b"<svg>"))).is_err());
    let again = Database::open(data.path()).unwrap();
    let channel = again.read(|store| store.find("demo")).unwrap().unwrap();
    let poster = again.read(|store| store.poster("demo")).unwrap().unwrap();
    assert_eq!((channel.settings, channel.poster_tag), (settings, Some(poster.tag)));
    assert_eq!((poster.mime.as_str(), poster.bytes.as_slice()), ("image/jpeg", &picture[..]));
    database.write(|store| store.set_poster(new.channel, None)).unwrap();
    assert!(again.read(|store| store.poster("demo")).unwrap().is_none());
}

#[test]
fn channel_files_of_earlier_versions_are_taken_over() {
    let data = tempfile::tempdir().unwrap();
    let files = data.path().join("channels");
    std::fs::create_dir(&files).unwrap();
    let hexadecimal = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let file = serde_json::json!({
        "name": "club", "channel": key(1), "secret_key": hexadecimal(&[1; 32]),
        "stream_key_sha256": hexadecimal(&secret::hash("old-key").0),
    });
    std::fs::write(files.join("club.json"), file.to_string()).unwrap();
    std::fs::write(files.join("bad.json"), "{").unwrap();
    let database = Database::open(data.path()).unwrap();
    assert_eq!(database.read(|store| store.hosted("club")).unwrap().unwrap().channel, key(1));
    assert_eq!(database.read(|store| store.by_stream_key("old-key")).unwrap().unwrap().name, "club");
    assert!(!files.exists() && data.path().join("channels.imported/bad.json").exists());
    assert_eq!(Database::open(data.path()).unwrap().read(|store| store.channels()).unwrap().len(), 1);
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let (data, database) = open();
    database.connection.pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(Database::open(data.path()), Err(StoreError::Newer { found: 99, .. })));
}

#[tokio::test]
async fn writes_that_fail_take_no_others_along() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let register = |seed: u8, name: String| {
        let store = store.clone();
        async move { store.write(move |records| records.register(key(seed), &name, Right::Open)).await }
    };
    let taken = futures_util::future::join_all((1..=50).map(|seed| register(seed, format!("c{}", seed / 2))));
    let taken = taken.await;
    assert_eq!(taken.iter().filter(|result| result.is_ok()).count(), 26);
    let stored = store.read(|records| records.channels()).await.unwrap();
    assert_eq!(stored.len(), 26);
}

#[test]
fn bans_are_kept_until_they_are_over_and_only_so_many_and_so_long() {
    let (_data, mut database) = open();
    let demo = database.write(|store| create_hosted(store, "demo")).unwrap().channel;
    let peer = Banned::Peer(wire::PeerId(7));
    let mut ban = |channel, banned, for_ms| {
        database.write(|store| store.ban(&NewBan { channel, banned, reason: String::new(), for_ms }))
    };
    let for_a_day = ban(Some(demo), peer, None).unwrap();
    assert_eq!(for_a_day.expires_ms, Some(for_a_day.created_ms + 24 * 3_600_000));
    assert!(matches!(ban(None, peer, Some(31 * 24 * 3_600_000)), Err(StoreError::BadSettings(_))));
    let prefix = Banned::Prefix(prefix("203.0.113.7").unwrap());
    assert_eq!(ban(None, prefix, None).unwrap().expires_ms, None);
    ban(None, prefix, Some(0)).unwrap();
    let full = (0..500).map(|_| ban(Some(demo), prefix, None)).find_map(Result::err);
    assert!(matches!(full, Some(StoreError::Full(_))));
    database.write(|store| store.saw_banned(for_a_day.id, Household([5; 16]))).unwrap();
    let held = database.read(|store| store.bans()).unwrap();
    assert_eq!((held.len(), held[0].household), (501, Some(Household([5; 16]))));
    database.write(|store| store.lift_ban(Some(demo), for_a_day.id)).unwrap();
    assert!(database.write(|store| store.lift_ban(Some(demo), for_a_day.id)).is_err());
    database.write(|store| remove_named(store, "demo")).unwrap();
    assert_eq!(database.read(|store| store.bans()).unwrap().len(), 1);
}

#[test]
fn prefixes_are_read_as_people_write_them() {
    let read = |text| prefix(text).map(|network| network.to_string());
    assert_eq!(read("203.0.113.7"), Ok("203.0.113.7/32".into()));
    assert_eq!(read("203.0.113.7/24"), Ok("203.0.113.0/24".into()));
    assert_eq!(read("::ffff:203.0.113.7"), Ok("203.0.113.7/32".into()));
    assert_eq!(read("2001:DB8::1/32"), Ok("2001:db8::/32".into()));
    for bad in ["", "203.0.113", "203.0.113.7/33", "2001:db8::/129", "example.org", "203.0.113.7/-1"] {
        assert!(read(bad).is_err(), "{bad}");
    }
}
