//! Links that let a browser ask for all modules of a page at once, where it would find them one import after the other. Made
//! from the files, so that they say what is true.

use std::collections::HashSet;

/// Where a page takes the links.
pub(crate) const PLACE: &str = "<!-- modules -->";

/// How a page names a module that it runs.
const SCRIPT: &str = "<script type=\"module\" src=\"/assets/";

/// The page with links to what its modules import, directly or not. `module` is the text of a file below `/assets/`. What the
/// page names itself comes in the order that it says.
pub(crate) fn linked<'a>(page: &str, module: impl Fn(&str) -> Option<&'a str>) -> String {
    let mut open: Vec<&str> = quoted(page, SCRIPT, '"').collect();
    let mut known: HashSet<&str> = open.iter().copied().collect();
    let mut links = Vec::new();
    while !open.is_empty() {
        let imported = open.iter().filter_map(|name| module(name)).flat_map(imports);
        open = imported.filter(|name| module(name).is_some() && known.insert(name)).collect();
        let unnamed = open.iter().filter(|name| !page.contains(&format!("\"/assets/{name}\"")));
        links.extend(unnamed.map(|name| format!("<link rel=\"modulepreload\" href=\"/assets/{name}\">")));
    }
    page.replacen(PLACE, &links.join("\n  "), 1)
}

/// What a module in the top folder imports before it runs, as the pages' modules write it.
fn imports(module: &str) -> impl Iterator<Item = &str> {
    quoted(module, "from './", '\'').chain(quoted(module, "import './", '\''))
}

/// What stands between each `opening` and the next `end`.
fn quoted<'a>(text: &'a str, opening: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(opening).skip(1).filter_map(move |rest| Some(rest.split_once(end)?.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_links_what_its_modules_import_each_once_and_the_near_ones_first() {
        let module = |name: &str| match name {
            "page.js" => {
                Some("import a, { b } from './near.js';\nimport './named.js';\nimport('./later.js');")
            }
            "near.js" => Some("export { c } from './far.js';\nimport { d } from './page.js';"),
            "named.js" => Some("import './far.js';\nimport './missing.js';"),
            "far.js" => Some(""),
            _ => None,
        };
        let head = "<link href=\"/assets/named.js\">";
        let script = "<script type=\"module\" src=\"/assets/page.js\"></script>";
        let link = |name| format!("<link rel=\"modulepreload\" href=\"/assets/{name}\">");
        assert_eq!(
            linked(&format!("{head}{PLACE}{script}"), module),
            format!("{head}{}\n  {}{script}", link("near.js"), link("far.js")),
        );
        assert_eq!(linked("<p>no modules</p>", module), "<p>no modules</p>");
    }
}
