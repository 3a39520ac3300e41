//! Asks Notion what a line's tokens are worth, without consuming any: is the access token alive and this connection's
//! (introspection), whose is it (`GET /v1/users/me`), and does Notion say anything about the refresh token.

use std::time::Duration;

use http::StatusCode;
use shared::clock::{Clock, UnixMillis};
use shared::ids::canonical;
use shared::random::{OsRandom, jittered};
use shared::secret::{ClientSecret, RefreshToken};
use tokio::time::{Instant, sleep, sleep_until};
use vault::notion::{Introspection, Me, Notion, Owner, TokenError};

use super::candidate::{Candidate, GivenIds};
use super::pace::Pace;
use crate::outcome::Failure;

/// How long one request may take.
const REQUEST_LIMIT: Duration = Duration::from_secs(20);
/// How often a request is tried whose outcome is unknown. It changes nothing at Notion.
const TRIES: u32 = 5;
/// The wait before the second try, in milliseconds; it doubles each time.
const FIRST_WAIT_MS: u64 = 500;
/// How long to wait if Notion asks to come back later and does not say when.
const LATER: Duration = Duration::from_mins(1);
/// How often in a row Notion may ask to come back later.
const MOST_WAITS: u32 = 20;
/// How many refresh tokens in a row Notion may not know before it is not asked about them any more.
const ENOUGH: u32 = 5;

/// What is known of a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefreshProof {
    /// Notion says that it is alive.
    Proven,
    /// Notion does not say: its first use shows it.
    Unproven,
    /// Notion says that it is not, and knows others.
    Dead,
}

impl RefreshProof {
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Unproven => "unproven",
            Self::Dead => "dead",
        }
    }
}

/// Whose tokens they are.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) workspace_id: String,
    pub(super) workspace_name: Option<String>,
    pub(super) bot_id: String,
    pub(super) owner: Owner,
}

/// What Notion says about a line's tokens.
#[derive(Debug)]
pub(super) enum Proof {
    /// The access token is alive, and ours.
    Alive { identity: Identity, issued_at: Option<UnixMillis>, refresh: Option<RefreshProof> },
    /// The access token does not work.
    NotAlive,
    /// The access token works, but Notion does not say that it is this connection's.
    Foreign,
    /// Whose it is cannot be said.
    OfNobody(Unidentified),
    /// Notion gave no conclusive answer. What it answered last.
    Unknown(&'static str),
}

/// Why it cannot be said whose tokens are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unidentified {
    /// This id of the line is not the one that Notion says.
    Mismatch(&'static str),
    /// Notion does not say it. What would help.
    NotSaid(&'static str),
}

/// Whether introspection says anything about refresh tokens, which Notion does not document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KnowsRefreshTokens {
    /// It has not called one active yet.
    NotSeen { inactive: u32 },
    /// It has called one active: so one that is not active is dead.
    Yes,
}

/// Asks Notion.
pub(super) struct Asking<'a> {
    notion: Notion,
    secret: ClientSecret,
    clock: &'a dyn Clock,
    pace: Pace,
    knows_refresh_tokens: KnowsRefreshTokens,
    /// Whether ids in a line are believed if the connection may not see users.
    trusts_ids: bool,
}

/// What came of a request.
enum Asked<T> {
    Answer(T),
    /// Notion has looked at the token, and refuses it with this status.
    Refused(StatusCode),
    Unknown(&'static str),
}

impl<'a> Asking<'a> {
    pub(super) fn new(
        notion: Notion,
        secret: ClientSecret,
        clock: &'a dyn Clock,
        calls_per_minute: u32,
        trusts_ids: bool,
    ) -> Self {
        let pace = Pace::of(calls_per_minute, Instant::now());
        let knows_refresh_tokens = KnowsRefreshTokens::NotSeen { inactive: 0 };
        Self { notion, secret, clock, pace, knows_refresh_tokens, trusts_ids }
    }

    /// What Notion says about a line's tokens.
    pub(super) async fn prove(&mut self, candidate: &Candidate) -> Result<Proof, Failure> {
        let token = &candidate.access_token;
        let known = self
            .ask(async |notion, secret, deadline| notion.introspect(secret, token, deadline).await)
            .await?;
        // How Notion answers for a token that it does not know is not documented.
        let active = match known {
            Asked::Answer(known) if known.active => Some(known),
            Asked::Answer(_) | Asked::Refused(StatusCode::BAD_REQUEST) => None,
            Asked::Refused(_) => return Ok(Proof::Unknown("refused_by_notion")),
            Asked::Unknown(why) => return Ok(Proof::Unknown(why)),
        };
        let me = self.ask(async |notion, _, deadline| notion.me(token, deadline).await).await?;
        let (Introspection { issued_at, .. }, me) = match (active, me) {
            (_, Asked::Unknown(why)) => return Ok(Proof::Unknown(why)),
            (_, Asked::Refused(StatusCode::UNAUTHORIZED)) => return Ok(Proof::NotAlive),
            (None, Asked::Answer(_) | Asked::Refused(StatusCode::FORBIDDEN)) => return Ok(Proof::Foreign),
            (Some(active), Asked::Answer(me)) => (active, Some(me)),
            (Some(active), Asked::Refused(StatusCode::FORBIDDEN)) => (active, None),
            (_, Asked::Refused(_)) => return Ok(Proof::Unknown("refused_by_notion")),
        };
        let identity = match me {
            Some(me) => identified(me, &candidate.ids),
            None if self.trusts_ids => candidate.ids.as_given().ok_or(Unidentified::NotSaid(
                "the connection may not see users, and the line has not all of workspace_id, user_id and bot_id",
            )),
            None => Err(Unidentified::NotSaid(
                "the connection may not see users (Capabilities, in Notion's portal), so Notion does not say whose it is; \
                 --trust-ids takes workspace_id, user_id and bot_id from the line",
            )),
        };
        let identity = match identity {
            Ok(identity) => identity,
            Err(why) => return Ok(Proof::OfNobody(why)),
        };
        let refresh = match &candidate.refresh_token {
            Some(token) => Some(self.prove_refresh_token(token).await?),
            None => None,
        };
        Ok(Proof::Alive { identity, issued_at, refresh })
    }

    async fn prove_refresh_token(&mut self, token: &RefreshToken) -> Result<RefreshProof, Failure> {
        if matches!(self.knows_refresh_tokens, KnowsRefreshTokens::NotSeen { inactive: ENOUGH.. }) {
            return Ok(RefreshProof::Unproven);
        }
        let asked = self
            .ask(async |notion, secret, deadline| {
                notion.introspect_refresh_token(secret, token, deadline).await
            })
            .await?;
        Ok(match (asked, self.knows_refresh_tokens) {
            (Asked::Answer(known), _) if known.active => {
                self.knows_refresh_tokens = KnowsRefreshTokens::Yes;
                RefreshProof::Proven
            }
            (Asked::Answer(_), KnowsRefreshTokens::Yes) => RefreshProof::Dead,
            (Asked::Answer(_) | Asked::Refused(_), KnowsRefreshTokens::NotSeen { inactive }) => {
                self.knows_refresh_tokens = KnowsRefreshTokens::NotSeen { inactive: inactive + 1 };
                RefreshProof::Unproven
            }
            (Asked::Refused(_) | Asked::Unknown(_), _) => RefreshProof::Unproven,
        })
    }

    /// Waits for a turn, for requests that a function sends.
    pub(super) async fn turn(&mut self) {
        sleep_until(self.pace.turn(Instant::now())).await;
    }

    /// Sends a request that changes nothing at Notion, again if its outcome is unknown or Notion asks to come back later.
    async fn ask<T>(
        &mut self,
        request: impl AsyncFn(&Notion, &ClientSecret, Instant) -> Result<T, TokenError>,
    ) -> Result<Asked<T>, Failure> {
        let (mut tries, mut waits) = (0, 0);
        loop {
            self.turn().await;
            let error = match request(&self.notion, &self.secret, Instant::now() + REQUEST_LIMIT).await {
                Ok(answer) => return Ok(Asked::Answer(answer)),
                Err(error) => error,
            };
            match &error {
                TokenError::ComeBackLater(answer) => {
                    waits += 1;
                    if waits == MOST_WAITS {
                        return Err(Failure::Unknown(
                            "Notion keeps asking to come back later; the same command goes on where this one stopped"
                                .to_owned(),
                        ));
                    }
                    let wait = answer.retry_after.map_or(LATER, |at| at.wait(self.clock.now()));
                    self.pace.slow_down(wait, Instant::now());
                }
                TokenError::InvalidClient(_) => {
                    return Err(Failure::Refused(format!(
                        "{error}: `operator secret rotate` stores the one that the portal shows"
                    )));
                }
                TokenError::Blocked(_) => return Err(Failure::Unknown(error.to_string())),
                TokenError::InvalidGrant(answer)
                | TokenError::Malformed(answer)
                | TokenError::Refused(answer) => {
                    return Ok(Asked::Refused(answer.status));
                }
                TokenError::NotSent | TokenError::OutcomeUnknown(_) | TokenError::Unusable { .. } => {
                    tries += 1;
                    if tries == TRIES {
                        return Ok(Asked::Unknown(error.key()));
                    }
                    sleep(jittered(FIRST_WAIT_MS << tries, &OsRandom)).await;
                }
            }
        }
    }
}

impl GivenIds {
    /// As if Notion had said so.
    pub(super) fn as_given(&self) -> Option<Identity> {
        Some(Identity {
            workspace_id: self.workspace_id.clone()?,
            workspace_name: None,
            bot_id: self.bot_id.clone()?,
            owner: Owner::User {
                user_id: self.user_id.clone()?,
                name: None,
                email: None,
                email_verified: None,
                avatar_url: None,
            },
        })
    }
}

/// Compares what Notion says with what the line says.
fn identified(me: Me, given: &GivenIds) -> Result<Identity, Unidentified> {
    let differs = |given: Option<&String>, said: &str| given.is_some_and(|given| *given != canonical(said));
    if differs(given.bot_id.as_ref(), &me.bot_id) {
        return Err(Unidentified::Mismatch("bot_id"));
    }
    if me.workspace_id.as_deref().is_some_and(|said| differs(given.workspace_id.as_ref(), said)) {
        return Err(Unidentified::Mismatch("workspace_id"));
    }
    match me.owner.user_id() {
        Some(said) if differs(given.user_id.as_ref(), said) => return Err(Unidentified::Mismatch("user_id")),
        None if given.user_id.is_some() => return Err(Unidentified::Mismatch("user_id")),
        _ => {}
    }
    let workspace_id = me.workspace_id.or_else(|| given.workspace_id.clone());
    Ok(Identity {
        workspace_id: workspace_id.ok_or(Unidentified::NotSaid(
            "Notion does not say in which workspace it is, and the line has no workspace_id",
        ))?,
        workspace_name: me.workspace_name,
        bot_id: me.bot_id,
        owner: me.owner,
    })
}
