//! A look at one's own settings and machine before strangers come: which address is not public, which port a firewall or
//! router still blocks, which certificate is about to end. Asks nobody outside: all that is ever sent goes to this
//! machine's own addresses and to those in `announce`.

mod addresses;
mod files;
mod reach;

use std::fmt;

use crate::config::Config;

pub(crate) use addresses::own as own_addresses;
pub use files::files_wanted;

/// How much something matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// Good to know.
    Note,
    /// Somebody will be without service.
    Warning,
    /// It will not work.
    Fault,
}

/// Something that was found, in words for the operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// What is wrong, and what to do.
    pub text: String,
}

impl Finding {
    fn note(text: impl Into<String>) -> Self {
        Finding { weight: Weight::Note, text: text.into() }
    }

    fn warning(text: impl Into<String>) -> Self {
        Finding { weight: Weight::Warning, text: text.into() }
    }

    fn fault(text: impl Into<String>) -> Self {
        Finding { weight: Weight::Fault, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let weight = match self.weight {
            Weight::Note => "note",
            Weight::Warning => "warning",
            Weight::Fault => "fault",
        };
        write!(f, "{weight}: {}", self.text)
    }
}

/// What can be seen without sending anything.
pub fn look(config: &Config) -> Vec<Finding> {
    let own = addresses::own();
    let mut findings = addresses::findings(config, &own);
    findings.extend(files::findings(config));
    findings
}

/// What can be seen by knocking at one's own doors from outside: by the addresses in `announce` that are not this
/// machine's own. Ports that are free are opened for as long as that takes; others belong to the server that runs.
pub async fn knock(config: &Config) -> Vec<Finding> {
    let own = addresses::own();
    reach::findings(config, &own).await
}
