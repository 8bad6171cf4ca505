//! Filling words into pages: `{{name}}` becomes its value, as text.

/// The page with every value in its place. What is in a value stays text, also inside of a quoted attribute.
pub(crate) fn filled(page: &str, values: &[(&str, &str)]) -> String {
    values.iter().fold(page.to_owned(), |page, (name, value)| {
        page.replace(&format!("{{{{{name}}}}}"), &escaped(value))
    })
}

/// Text as it stands in HTML, and between the quotes of an attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // So that one value never opens the place of another.
            '{' => escaped.push_str("&#123;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_text_and_opens_no_other_place() {
        let page = filled("<p title=\"{{a}}\">{{b}}{{a}}</p>", &[("a", "\"><script>{{b}}"), ("b", "x'&")]);
        let text = "&quot;&gt;&lt;script&gt;&#123;&#123;b}}";
        assert_eq!(page, format!("<p title=\"{text}\">x&#39;&amp;{text}</p>"));
    }
}
