//! Text of strangers: what of it is shown, what counts as a link, and which names look alike. Pure.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;
use unicode_security::skeleton;
use unicode_segmentation::UnicodeSegmentation;

/// Characters, as people count them, of a line. 300: a few sentences.
pub(super) const TEXT_CHARACTERS_MAX: usize = 300;

/// Bytes of a line. 1,200: 300 characters of four bytes.
pub(super) const TEXT_BYTES_MAX: usize = 1_200;

/// Characters of a name.
pub(super) const NAME_CHARACTERS_MAX: usize = 24;

/// Bytes of a name.
pub(super) const NAME_BYTES_MAX: usize = 96;

/// Marks on top of each other that any language needs (Vietnamese, Hebrew with points); more only cover other lines.
const MARKS_MAX: usize = 3;

/// Endings of hosts that are links without `http` in front. Others are too often a full stop without a space behind.
const ENDINGS: &[&str] = &[
    "app", "biz", "ca", "cc", "ch", "cn", "co", "com", "cz", "de", "dev", "edu", "es", "eu", "fr", "gg",
    "gov", "info", "io", "it", "jp", "link", "live", "ly", "me", "net", "nl", "online", "org", "pl", "ru",
    "shop", "site", "store", "top", "tv", "uk", "us", "xxx", "xyz",
];

/// The line that is shown: on one line, without what is invisible or turns the direction around. `None`: nothing is left,
/// or it is too long.
pub(super) fn text(said: &str) -> Option<String> {
    bounded(said, TEXT_CHARACTERS_MAX, TEXT_BYTES_MAX)
}

/// The same for a name.
pub(super) fn name(said: &str) -> Option<String> {
    let name = bounded(said, NAME_CHARACTERS_MAX, NAME_BYTES_MAX)?;
    (!looks(&name).is_empty()).then_some(name)
}

/// What a name is mistaken for: two names that people confuse look the same here (Unicode Technical Standard 39, section 4),
/// whatever their case and spacing. Empty: it has no letter or digit.
pub(super) fn looks(name: &str) -> String {
    let look = |text: String| skeleton(&text).flat_map(char::to_lowercase).collect::<String>();
    // Twice: the look of a small letter is not that of its capital.
    let looks = look(look(name.nfkc().collect()));
    // A capital i is an l, and its small one must be what the capital is.
    looks.chars().filter(|c| c.is_alphanumeric()).map(|c| if c == 'i' { 'l' } else { c }).collect()
}

/// Whether somebody could take a part of it for an address.
pub(super) fn has_link(text: &str) -> bool {
    let plain: String = text.nfkc().flat_map(char::to_lowercase).collect();
    plain.contains("://")
        || plain.split(|c: char| c.is_whitespace() || "()[]<>\"',;".contains(c)).any(is_link)
}

fn is_link(word: &str) -> bool {
    if word.starts_with("www.") || word.starts_with("mailto:") {
        return true;
    }
    let host = word.split(['/', '?', '#', ':']).next().unwrap_or_default().trim_end_matches(['.', '!']);
    let Some((before, ending)) = host.rsplit_once('.') else { return false };
    ENDINGS.contains(&ending) && before.chars().any(char::is_alphanumeric)
}

fn bounded(said: &str, characters_max: usize, bytes_max: usize) -> Option<String> {
    // Looked at no further than it could ever count.
    if said.len() > 4 * bytes_max {
        return None;
    }
    let text = shown(said);
    let fits = text.len() <= bytes_max && text.graphemes(true).count() <= characters_max;
    (fits && text.chars().any(|c| !c.is_whitespace() && !is_invisible(c))).then_some(text)
}

fn shown(said: &str) -> String {
    let mut shown = String::with_capacity(said.len());
    let mut marks = 0;
    for character in said.chars() {
        marks = if is_combining_mark(character) { marks + 1 } else { 0 };
        if character.is_whitespace() {
            if !shown.ends_with(' ') {
                shown.push(' ');
            }
        } else if marks <= MARKS_MAX && !is_harmful(character) {
            shown.push(character);
        }
    }
    shown.trim().to_owned()
}

/// Controls, and what turns text around or hides in it.
fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{10ffff}')
}

/// Joiners and variation selectors, which emoji and some scripts need between other characters.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}') || is_combining_mark(character)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_hides_or_turns_text_around_is_not_shown() {
        assert_eq!(text("  one\r\n\ttwo  ").as_deref(), Some("one two"));
        assert_eq!(text("a\u{202e}b\u{200b}c\u{0}d\u{1b}[1m").as_deref(), Some("abcd[1m"));
        assert_eq!(text(&format!("a{}", "\u{301}".repeat(50))).as_deref(), Some("a\u{301}\u{301}\u{301}"));
        assert_eq!(
            text("\u{1f469}\u{200d}\u{1f680} نمی\u{200c}خواهم").as_deref(),
            Some("\u{1f469}\u{200d}\u{1f680} نمی\u{200c}خواهم")
        );
        for nothing in ["", " \n ", "\u{200d}\u{200c}", "\u{202e}", "\u{3164}", "\u{e0041}"] {
            assert_eq!(text(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn a_line_is_as_long_as_people_count() {
        let family = "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}";
        assert!(text(&"ä".repeat(TEXT_CHARACTERS_MAX)).is_some());
        assert!(text(&"ä".repeat(TEXT_CHARACTERS_MAX + 1)).is_none());
        assert!(text(&family.repeat(60)).is_some(), "60 characters, 1,080 bytes");
        assert!(text(&family.repeat(70)).is_none(), "too many bytes");
        assert!(name(&"x".repeat(NAME_CHARACTERS_MAX + 1)).is_none());
        assert!(name("!?…").is_none(), "a name has a letter or a digit");
    }

    #[test]
    fn names_that_people_confuse_look_the_same() {
        for (one, other) in [
            ("Anna", "ANNA"),
            ("Anna", "Аnna"),
            ("anna", "a n-n_a"),
            ("paul", "pаul"),
            ("Bill", "BiIl"),
            ("ﬁn", "fin"),
            ("zoë", "ZOË"),
        ] {
            assert_eq!(looks(one), looks(other), "{one} {other}");
        }
        assert_ne!(looks("anna"), looks("anne"));
    }

    #[test]
    fn addresses_are_links_and_sentences_are_not() {
        for link in [
            "see http://a.b/c",
            "HTTPS://x",
            "www.example",
            "example.com",
            "(example.org/x?y)",
            "a.b.co.uk",
            "ｅｘａｍｐｌｅ．ｃｏｍ",
            "discord.gg/abc",
            "mail me: x@example.net!",
            "ftp://x",
            "example.com.",
        ] {
            assert!(has_link(link), "{link}");
        }
        for plain in
            ["e.g. this", "wait...what", "Hello.Nice", "3.5 s", "it.works now", "a/b", "no.", "10:30", ".com"]
        {
            assert!(!has_link(plain), "{plain}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_what_is_shown_is_one_short_line_and_stays_so(said in "\\PC{0,400}|(?s).{0,400}") {
            if let Some(shown) = text(&said) {
                prop_assert!(shown.len() <= TEXT_BYTES_MAX);
                prop_assert!(!shown.chars().any(|c| c.is_control() || is_harmful(c)));
                prop_assert_eq!(text(&shown), Some(shown.clone()));
            }
            let _ = (has_link(&said), looks(&said));
        }
    }
}
