//! `admin`: the way to the operator's page.

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;
use tracker::AdminToken;

use super::channel::Place;

#[derive(Subcommand)]
pub(crate) enum Admin {
    /// Make a new token for the page at /admin and print it, once. The old one ends, and whoever is logged in with it
    NewToken {
        #[command(flatten)]
        place: Place,
    },
}

pub(super) fn run(Admin::NewToken { place }: &Admin) -> anyhow::Result<()> {
    let made = AdminToken::replace(&place.data);
    let AdminToken(token) = made.with_context(|| {
        format!("cannot write to {}; name the server's folder with --data", place.data.display())
    })?;
    println!("{}", json!({ "admin_token": token }));
    Ok(())
}
