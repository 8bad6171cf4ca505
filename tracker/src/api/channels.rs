//! Channels: the list, one of them, and what its owner changes.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use wire::ChannelId;

use super::problem::Problem;
use super::signed::Signed;
use crate::directory::{Directory, Listed};
use crate::embedding;
use crate::http::Site;
use crate::machine;
use crate::store::settings::{ChannelSettings, Chat, ChatLinks, JoinPolicy, Sharing, Visibility};
use crate::store::{Channel, JoinSecret, Records, Right, StoreError};

/// A channel as everyone may see it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ChannelView {
    /// Its key: 43 characters of base64url.
    #[schema(value_type = String)]
    id: ChannelId,
    /// Its name in addresses.
    name: String,
    /// It is being broadcast now.
    live: bool,
    /// Who watches now.
    viewers: u32,
    /// Unix time of the end of its last broadcast, in milliseconds, if that was open to everyone and within a day.
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_ms: Option<u64>,
    /// The server can broadcast it from an encoder with a stream key.
    hosted: bool,
    /// Unix time in milliseconds until which its owner lets the server sign; absent where it need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    delegated_until_ms: Option<u64>,
    /// Where its picture is.
    poster: Option<String>,
    /// Unix time of its registration, in milliseconds.
    created_ms: u64,
    /// What its owner has set. Of a private channel only that it is private.
    settings: ChannelSettings,
    /// Present if the address names a key that was given up for `id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated: Option<Rotated>,
}

/// A channel goes on under another key.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rotated {
    /// The key that was asked for.
    #[schema(value_type = String)]
    from: ChannelId,
    /// The old key's signature over the new one.
    statement: String,
}

/// What an owner changes. What is left out stays; `null` takes a number away.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Change {
    /// Another name. The old one is free from then on.
    name: Option<String>,
    title: Option<String>,
    description: Option<String>,
    category: Option<String>,
    language: Option<String>,
    visibility: Option<Visibility>,
    embed_origins: Option<Vec<String>>,
    join: Option<JoinPolicy>,
    sharing: Option<Sharing>,
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    sharing_viewers_min: Option<Option<u32>>,
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    viewers_max: Option<Option<u32>>,
    chat: Option<Chat>,
    chat_links: Option<ChatLinks>,
    #[serde(deserialize_with = "present")]
    #[schema(value_type = Option<u32>)]
    chat_slow_s: Option<Option<u32>>,
    chat_moderators: Option<Vec<String>>,
}

/// Tells `null` from what is not there.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl ChannelView {
    pub(crate) fn of(channel: &Channel, directory: &Directory) -> Self {
        let (live, viewers) = directory.status(channel.id);
        let private = channel.settings.visibility == Visibility::Private;
        let ended = directory.lately.of(channel.id, machine::unix_ms()).filter(|_| !live && !private);
        let settings = match channel.settings.visibility {
            Visibility::Private => {
                ChannelSettings { visibility: Visibility::Private, ..ChannelSettings::default() }
            }
            _ => channel.settings.clone(),
        };
        ChannelView {
            id: channel.id,
            name: channel.name.clone(),
            live,
            viewers,
            ended_ms: ended.map(|end| end.at_ms),
            hosted: channel.hosted,
            delegated_until_ms: channel.delegated_until_ms,
            poster: channel.poster_address(),
            created_ms: channel.created_ms,
            settings,
            rotated: None,
        }
    }
}

impl Change {
    fn apply(self, settings: &mut ChannelSettings) {
        fn put<T>(place: &mut T, value: Option<T>) {
            if let Some(value) = value {
                *place = value;
            }
        }
        put(&mut settings.title, self.title);
        put(&mut settings.description, self.description);
        put(&mut settings.category, self.category);
        put(&mut settings.language, self.language);
        put(&mut settings.visibility, self.visibility);
        put(&mut settings.embed_origins, self.embed_origins);
        put(&mut settings.join, self.join);
        put(&mut settings.sharing, self.sharing);
        put(&mut settings.sharing_viewers_min, self.sharing_viewers_min);
        put(&mut settings.viewers_max, self.viewers_max);
        put(&mut settings.chat, self.chat);
        put(&mut settings.chat_links, self.chat_links);
        put(&mut settings.chat_slow_s, self.chat_slow_s);
        put(&mut settings.chat_moderators, self.chat_moderators);
    }

    fn carry_out(self, store: &dyn Records, id: ChannelId) -> Result<Channel, StoreError> {
        let unknown = || StoreError::Unknown(id.to_string());
        let mut channel = store.channel(id)?.ok_or_else(unknown)?;
        if let Some(name) = &self.name {
            store.register(id, name, Right::Open)?;
        }
        self.apply(&mut channel.settings);
        store.set(id, &channel.settings)?;
        store.channel(id)?.ok_or_else(unknown)
    }
}

/// What is live and public, by name.
#[utoipa::path(get, path = "/api/v1/channels", tag = "channels", responses((status = 200, body = Vec<Listed>)))]
pub(crate) async fn list(State(site): State<Site>) -> Json<Vec<Listed>> {
    Json(site.shell.directory.live())
}

/// One channel, live or not. Pages of other sites may read it: players on them do.
#[utoipa::path(get, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "Name or id. A key that was given up leads to its successor")),
    responses((status = 200, body = ChannelView), (status = "default", body = Problem)))]
pub(crate) async fn show(State(site): State<Site>, Path(wanted): Path<String>) -> Result<Response, Problem> {
    let directory = &site.shell.directory;
    let found = directory.find(&wanted).await?.ok_or_else(|| Problem::unknown_channel(&wanted))?;
    let mut view = ChannelView::of(&found, directory);
    if let Some(old) = wanted.parse().ok().filter(|old| *old != found.id) {
        let said = site.shell.store.read(move |records| records.rotation_statement(old)).await?;
        view.rotated = said.map(|statement| Rotated { from: old, statement });
    }
    Ok(embedding::readable_everywhere(Json(view).into_response()))
}

/// Changes settings or name. Signed.
#[utoipa::path(patch, path = "/api/v1/channels/{channel}", tag = "channels", request_body = Change,
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 200, body = ChannelView), (status = "default", body = Problem)))]
pub(crate) async fn change(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<Json<ChannelView>, Problem> {
    let (id, change): (_, Change) = (signed.own(&id)?, signed.json()?);
    let changed = site.shell.store.write(move |records| change.carry_out(records, id)).await?;
    let directory = &site.shell.directory;
    Ok(Json(ChannelView::of(&directory.know(changed), directory)))
}

/// What join tokens are signed with from now on.
#[derive(Serialize, ToSchema)]
pub(crate) struct NewJoinSecret {
    /// For the site's back end: the key of HS256, as text. Shown this once.
    #[schema(value_type = String)]
    join_secret: JoinSecret,
}

/// Makes a secret for join tokens. Tokens and passes of the old one are of no use any more. Signed.
#[utoipa::path(put, path = "/api/v1/channels/{channel}/join-secret", tag = "channels",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 201, body = NewJoinSecret), (status = "default", body = Problem)))]
pub(crate) async fn renew_join_secret(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<(StatusCode, Json<NewJoinSecret>), Problem> {
    let id = signed.own(&id)?;
    let renewed = site.shell.store.write(move |records| {
        let secret = JoinSecret::fresh();
        records.set_join_secret(id, &secret)?;
        Ok((secret, records.channel(id)?))
    });
    let (join_secret, channel) = renewed.await?;
    if let Some(channel) = channel {
        site.shell.directory.know(channel);
    }
    Ok((StatusCode::CREATED, Json(NewJoinSecret { join_secret })))
}

/// Deletes a channel, its settings and its keys. Who watches is told. Signed.
#[utoipa::path(delete, path = "/api/v1/channels/{channel}", tag = "channels",
    params(("channel" = String, Path, description = "The signer's id")),
    responses((status = 204), (status = "default", body = Problem)))]
pub(crate) async fn remove(
    State(site): State<Site>,
    Path(id): Path<String>,
    signed: Signed,
) -> Result<StatusCode, Problem> {
    let id = signed.own(&id)?;
    site.shell.store.write(move |records| records.remove(id)).await?;
    site.shell.directory.forget(id);
    Ok(StatusCode::NO_CONTENT)
}
