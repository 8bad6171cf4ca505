//! Which layer wins, and what each mistake is told.

use std::path::Path;

use clap::{Args, Command, FromArgMatches};
use proptest::prelude::*;

use super::{Layers, Schema};
use crate::config::{Config, Registration};

const PATH: &str = "swarmcast.toml";

/// The settings that result from a file, an environment and arguments; or the mistakes.
fn settings(
    file: &str,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Result<(Config, String), String> {
    let schema = Schema::of::<Config>();
    let variable =
        |wanted: &str| environment.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value.into());
    let layers = Layers::gather(&schema, Some((Path::new(PATH), file)), variable)
        .map_err(|mistakes| mistakes.to_string())?;
    let command = layers.fill(Config::augment_args(Command::new("test").no_binary_name(true)));
    let matches = command.try_get_matches_from(arguments).map_err(|error| error.to_string())?;
    let config = Config::from_arg_matches(&matches).map_err(|error| error.to_string())?;
    Ok((config, schema.print(&layers, &matches)))
}

#[test]
fn the_command_line_comes_before_the_environment_and_that_before_the_file() {
    let file = "sessions_max = 1\n";
    let environment = [("SWARMCAST_SESSIONS_MAX", "2")];
    let arguments = ["--sessions-max", "3"];
    for (file, environment, arguments, wanted, origin) in [
        ("", &[][..], &[][..], 16_000, "default"),
        (file, &[], &[], 1, "swarmcast.toml, line 1"),
        (file, &environment, &[], 2, "environment, SWARMCAST_SESSIONS_MAX"),
        (file, &environment, &arguments, 3, "command line"),
        (file, &[], &arguments, 3, "command line"),
        ("", &environment, &arguments, 3, "command line"),
        // An empty variable is none.
        (file, &[("SWARMCAST_SESSIONS_MAX", "")], &[], 1, "swarmcast.toml, line 1"),
    ] {
        let (config, printed) = settings(file, environment, arguments).unwrap();
        assert_eq!(config.limits.sessions_max, wanted);
        assert!(printed.contains(&format!("sessions_max = {wanted}  # {origin}\n")), "{printed}");
    }
}

#[test]
fn values_of_every_kind_are_read_from_a_file() {
    let file = r#"
        listen = "[::1]:81"
        rtmp = "off"
        announce = ["203.0.113.7", "2001:db8::7"]   # two
        registration = "invite"
        relay_egress_mbps = 0x10
        dead_after = "1m 30s"
    "#;
    let (config, _) = settings(file, &[], &[]).unwrap();
    assert_eq!(config.listen.to_string(), "[::1]:81");
    assert_eq!((config.rtmp, config.udp.is_some()), (None, true));
    assert_eq!(config.announce.len(), 2);
    assert_eq!(
        (config.registration, config.relay_egress_bps),
        (Some(Registration::Invite), Some(16_000_000))
    );
    assert_eq!(config.limits.dead_after.as_secs(), 90);
}

#[test]
fn a_list_of_a_higher_layer_replaces_the_whole_list() {
    let file = "announce = [\"203.0.113.7\"]";
    let (config, _) = settings(file, &[("SWARMCAST_ANNOUNCE", "192.0.2.1,192.0.2.2")], &[]).unwrap();
    assert_eq!(config.announce.len(), 2);
    let (config, _) = settings(file, &[], &["--announce", "192.0.2.9"]).unwrap();
    assert_eq!(config.announce, ["192.0.2.9".parse::<std::net::IpAddr>().unwrap()]);
}

#[test]
fn mistakes_are_named_with_their_place_and_the_way_out() {
    for (file, said) in [
        ("\nlisen = \"a\"", "swarmcast.toml, line 2: there is no setting `lisen`; did you mean `listen`?"),
        ("relay-egress-mbps = 1", "did you mean `relay_egress_mbps`?"),
        ("zebra = 1", "there is no setting `zebra`; --help lists"),
        (
            "listen = 8080",
            "line 1: `listen` cannot be \"8080\": write an IP address and a port, as in 127.0.0.1:8080",
        ),
        ("rtmp = true", "or `off`"),
        ("rtmp = [\"off\", \"off\"]", "`rtmp` takes one value, not a list"),
        ("registration = \"maybe\"", "`registration` cannot be \"maybe\": write open or invite or closed"),
        ("ping_every = 20", "write a time with its unit, as in 10s, 500ms or 2m"),
        ("sessions_max = -1", "write a whole number"),
        ("threads = 0", "write a whole number from 1 to 256"),
        ("sessions_max = 5_000_000_000", "of at most 4294967295"),
        ("sessions_max = 99999999999999999999", "is too large a number"),
        ("announce = [\"203.0.113.7\", \"here\"]", "write an IP address"),
        ("data = 1979-05-27", "takes text, a number"),
        ("[listen]\nport = 1", "line 1: `listen` cannot be a section"),
        ("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"", "line 2: duplicate key"),
        ("listen", "swarmcast.toml, line 1: "),
        ("listen = \"\u{1}\"", "swarmcast.toml, line 1: "),
    ] {
        let mistakes = settings(file, &[], &[]).expect_err(file);
        assert!(mistakes.contains(said), "{file:?} is told:\n{mistakes}");
    }
    let mistakes = settings("a = 1\nb = 2", &[("SWARMCAST_LISTEN", "here")], &[]).unwrap_err();
    assert_eq!(mistakes.lines().count(), 3, "all at once:\n{mistakes}");
    assert!(mistakes.contains("SWARMCAST_LISTEN: `listen` cannot be \"here\""), "{mistakes}");
}

#[test]
fn what_is_printed_sets_the_same_again() {
    let file = "data = 'a \"quoted\" \\ place'\nannounce = ['::1']\nidle_channel = '2m'\nsessions_max = 7";
    let (_, first) = settings(file, &[], &["--links", "127.0.0.1:9"]).unwrap();
    let (config, second) = settings(&first, &[], &[]).unwrap();
    let without_origins = |text: &str| -> Vec<String> {
        text.lines().map(|line| line.split("  # ").next().unwrap().to_owned()).collect()
    };
    assert_eq!(without_origins(&first), without_origins(&second));
    assert_eq!(config.data.to_str(), Some("a \"quoted\" \\ place"));
}

#[test]
fn a_misspelt_variable_is_noticed() {
    let names = ["SWARMCAST_LISTEN", "SWARMCAST_LISTN", "PATH"].map(str::to_owned);
    let doubts = Schema::of::<Config>().doubtful_variables(names.into_iter());
    assert_eq!(doubts.len(), 1);
    assert!(doubts[0].starts_with("SWARMCAST_LISTN has no effect: ") && doubts[0].contains("`listen`?"));
}

#[test]
fn secrets_are_not_shown() {
    #[derive(clap::Args)]
    struct Secretive {
        #[arg(long, hide_env_values = true, value_parser = ["hush-hush"])]
        api_token: Option<String>,
    }
    let schema = Schema::of::<Secretive>();
    let gather = |text| Layers::gather(&schema, Some((Path::new(PATH), text)), |_| None);
    let layers = gather("api_token = \"hush-hush\"").unwrap();
    let command = layers.fill(Secretive::augment_args(Command::new("test").no_binary_name(true)));
    let matches = command.try_get_matches_from([""; 0]).unwrap();
    assert_eq!(Secretive::from_arg_matches(&matches).unwrap().api_token.as_deref(), Some("hush-hush"));
    let printed = schema.print(&layers, &matches);
    assert_eq!(printed, "# api_token is set, and secret  # swarmcast.toml, line 1\n");
    let refused = gather("api_token = \"whisper\"").unwrap_err().to_string();
    assert!(!refused.contains("whisper"), "{refused}");
}

#[test]
fn an_empty_list_is_none_and_not_the_default() {
    let (config, printed) = settings("trusted_proxies = []", &[], &[]).unwrap();
    assert!(config.trusted_proxies.is_empty());
    assert!(printed.contains("trusted_proxies = []  # swarmcast.toml, line 1\n"), "{printed}");
    let (again, _) = settings(&printed, &[], &[]).unwrap();
    assert!(again.trusted_proxies.is_empty());
}

#[test]
fn every_setting_takes_a_value() {
    let schema = Schema::of::<Config>();
    for arg in schema.command.get_arguments() {
        assert!(
            arg.get_action().takes_values(),
            "{} could not be turned off by a higher layer",
            arg.get_id()
        );
    }
}

/// A line that could stand in the file: a key that there is or not, and a value of any kind.
fn line() -> impl Strategy<Value = String> {
    let keys: Vec<String> = Schema::of::<Config>().keys().collect();
    let key = prop_oneof![4 => prop::sample::select(keys), 1 => "[a-z_]{1,12}"];
    let value = prop_oneof![
        any::<String>().prop_map(|text| format!("{text:?}")),
        any::<i64>().prop_map(|number| number.to_string()),
        "\"[ -~&&[^\"\\\\]]{0,40}\"",
        "\\[(\"[a-z0-9.:/,-]{0,12}\",){0,3}\\]",
        "[ -~]{0,20}",
    ];
    (key, value).prop_map(|(key, value)| format!("{key} = {value}"))
}

proptest! {
    #[test]
    fn any_file_is_taken_or_its_mistakes_are_told(lines in prop::collection::vec(line(), 0..6), text: String) {
        for file in [lines.join("\n"), text] {
            if let Err(mistakes) = settings(&file, &[], &[]) {
                prop_assert!(!mistakes.trim().is_empty(), "{file:?} is refused without a word");
            }
        }
    }
}
