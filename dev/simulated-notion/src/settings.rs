//! The switches: one for each behaviour that Notion does not document, plus known variants of its answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the simulated Notion behaves where the real one is undocumented or varies.
///
/// The defaults follow the documentation; where there is none, the most likely behaviour. In JSON (control page,
/// [`Simulator::settings`](crate::Simulator::settings)), enums are in `snake_case`, unknown fields are rejected, and
/// missing ones have their default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "independent switches, not the states of one machine")]
pub struct Settings {
    /// What happens to the earlier refresh tokens when a refresh succeeds. Default [`Rotation::Strict`].
    pub rotation: Rotation,
    /// Whether the access token of the refreshed pair continues to work. Default `false`.
    pub access_token_survives_refresh: bool,
    /// What a new authorization by the same person does to the earlier pair. Default [`OldPair::Survives`].
    pub old_pair_after_reauthorization: OldPair,
    /// Whether a new authorization by the same person keeps its `bot_id`. Default `true`.
    pub bot_id_survives_reauthorization: bool,
    /// How long an authorization code works, in seconds; Notion only says "temporary". Default 600.
    pub code_lifetime_secs: u64,
    /// What a second use of a code does, apart from failing. Default [`SecondUse::Refused`].
    pub second_use_of_code: SecondUse,
    /// The shape of OAuth errors. Default [`ErrorShape::A`], the one seen live.
    pub error_shape: ErrorShape,
    /// Whether token, introspect and revoke reject requests without `Notion-Version`. Default `false`.
    pub require_notion_version: bool,
    /// Whether token, introspect and revoke accept form bodies as well as JSON. Default `true`.
    pub accept_form_bodies: bool,
    /// What dies together with a revoked access token. Default [`RevokeReach::Pair`].
    pub revoke_reach: RevokeReach,
    /// Whether revoke also accepts a refresh token; only access tokens are documented. Default `false`.
    pub revoke_accepts_refresh_token: bool,
    /// The answer to revoking an unknown or dead token. Default [`UnknownRevocation::Ok`] (RFC 7009 §2.2).
    pub revoke_of_unknown_token: UnknownRevocation,
    /// Whether a successful revoke answers with no body instead of `{"request_id":…}`. Default `false`.
    pub revoke_answers_empty_body: bool,
    /// Whether introspect accepts refresh tokens; only access tokens are documented. Default `false`.
    pub introspect_accepts_refresh_token: bool,
    /// Whether introspect also calls tokens of other connections active. Default `false` (RFC 7662 §2.2).
    pub introspect_knows_tokens_of_others: bool,
    /// The answer to introspecting an unknown token. Default [`UnknownIntrospection::Inactive`].
    pub introspect_of_unknown_token: UnknownIntrospection,
    /// The unit of `iat` in introspection. Default [`IatUnit::Milliseconds`], as in the documented example.
    pub iat_unit: IatUnit,
    /// Whether errors on the redirect have `error_description`. Default `false`.
    pub error_description_on_redirect: bool,
    /// Whether Cancel returns the `state` of the request. Default `true`.
    pub cancel_carries_state: bool,
    /// Whether Cancel returns an empty `state=` when none was sent, as documented. Default `true`.
    pub cancel_sends_empty_state: bool,
    /// Whether a refresh answers `"refresh_token":null`; the token that was sent then continues to work. Default
    /// `false`.
    pub refresh_answers_null: bool,
    /// What a person in a workspace outside the installation scope sees. Default [`OutsideScope::ErrorPage`].
    pub outside_installation_scope: OutsideScope,
    /// Whether an unknown `code_challenge` breaks the authorization request. Default `false`.
    pub code_challenge_breaks_authorize: bool,
    /// Whether a new client secret invalidates the old one immediately. Default `true`.
    pub old_secret_dies_at_once: bool,
    /// How long an access token works, in seconds; Notion publishes no expiry. Default `None` (forever).
    pub access_token_lifetime_secs: Option<u64>,
    /// Whether token responses say how long the access token works (`expires_in`, RFC 6749 §5.1), if its lifetime is
    /// limited. Notion sends none today. Default `false`.
    pub sends_expires_in: bool,
    /// How many requests a connection may make in a window of 60 seconds; according to Notion's request limits 180 or
    /// 600, depending on the workspace's plan. Default `None` (any number).
    pub requests_per_minute: Option<u64>,
    /// Whether an exchange issues a refresh token. Default [`RefreshTokenOnExchange::ByConnectionAge`].
    pub refresh_token_on_exchange: RefreshTokenOnExchange,
    /// The shape of `owner` in token responses. Default [`OwnerShape::ByCapabilities`].
    pub owner: OwnerShape,
    /// `email_verified` beside `person.email`; `None` leaves it out, as before 2026-07-15. Default `Some(true)`.
    pub email_verified: Option<bool>,
    /// `workspace_icon` in token responses. Default [`WorkspaceIcon::AsConfigured`].
    pub workspace_icon: WorkspaceIcon,
    /// Whether `workspace_name` is null in token responses, as the schema allows. Default `false`.
    pub workspace_name_is_null: bool,
    /// Whether token responses contain `request_id`, the one field the schema does not require. Default `true`.
    pub request_id_in_token_response: bool,
    /// Whether 200 answers have fields that no client knows; Notion reserves the right to add some. Default `false`.
    pub extra_fields: bool,
    /// Whether the token endpoints answer 403 `test_env_error` to everything. Default `false`.
    pub test_environment: bool,
    /// Whether an authorization request without `redirect_uri` works for a connection that has exactly one. Default
    /// `false`: apps that left it out got "Missing or invalid `redirect_uri`".
    pub redirect_uri_may_be_omitted: bool,
    /// Whether Allow needs at least one page; older documentation said it did not. Default `true`.
    pub require_page: bool,
    /// How many requests all connections together may make in a workspace in a window of 60 seconds. Documented without
    /// a number. Default `None` (any number).
    pub workspace_requests_per_minute: Option<u64>,
    /// What [`requests_per_minute`](Self::requests_per_minute) is counted by. Default [`RateLimitCounts::Connection`].
    pub rate_limit_counts: RateLimitCounts,
    /// How long it takes until something new is found by search, in seconds. Documented without a number. Default 0.
    pub search_lag_secs: u64,
    /// How long it takes until the content of a duplicated template or of an applied row template appears, in seconds;
    /// the page itself is there at once. Documented without a number for row templates. Default 0.
    pub template_lag_secs: u64,
    /// How long an asynchronous task takes, in seconds. Default 0: done when it is first asked for.
    pub async_task_secs: u64,
    /// By workspace id: how many blocks connections for selected workspaces may ever make there, as in Free workspaces
    /// with several members. Documented without a number. Default: no workspace has a limit.
    pub block_limits: BTreeMap<String, u64>,
    /// Whether a connection that was removed and installed again by the same person sees what it made before. Default
    /// `false`.
    pub reinstall_sees_earlier_content: bool,
    /// Where the addresses of pages point to. Default [`Urls::Notion`].
    pub urls: Urls,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            rotation: Rotation::Strict,
            access_token_survives_refresh: false,
            old_pair_after_reauthorization: OldPair::Survives,
            bot_id_survives_reauthorization: true,
            code_lifetime_secs: 600,
            second_use_of_code: SecondUse::Refused,
            error_shape: ErrorShape::A,
            require_notion_version: false,
            accept_form_bodies: true,
            revoke_reach: RevokeReach::Pair,
            revoke_accepts_refresh_token: false,
            revoke_of_unknown_token: UnknownRevocation::Ok,
            revoke_answers_empty_body: false,
            introspect_accepts_refresh_token: false,
            introspect_knows_tokens_of_others: false,
            introspect_of_unknown_token: UnknownIntrospection::Inactive,
            iat_unit: IatUnit::Milliseconds,
            error_description_on_redirect: false,
            cancel_carries_state: true,
            cancel_sends_empty_state: true,
            refresh_answers_null: false,
            outside_installation_scope: OutsideScope::ErrorPage,
            code_challenge_breaks_authorize: false,
            old_secret_dies_at_once: true,
            access_token_lifetime_secs: None,
            sends_expires_in: false,
            requests_per_minute: None,
            refresh_token_on_exchange: RefreshTokenOnExchange::ByConnectionAge,
            owner: OwnerShape::ByCapabilities,
            email_verified: Some(true),
            workspace_icon: WorkspaceIcon::AsConfigured,
            workspace_name_is_null: false,
            request_id_in_token_response: true,
            extra_fields: false,
            test_environment: false,
            redirect_uri_may_be_omitted: false,
            require_page: true,
            workspace_requests_per_minute: None,
            rate_limit_counts: RateLimitCounts::Connection,
            search_lag_secs: 0,
            template_lag_secs: 0,
            async_task_secs: 0,
            block_limits: BTreeMap::new(),
            reinstall_sees_earlier_content: false,
            urls: Urls::Notion,
        }
    }
}

/// What happens to the refresh tokens issued before a successful refresh.
///
/// A *family* is the chain of refresh tokens that began with one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Rotation {
    /// Only the newest works.
    Strict,
    /// The newest few of the family work, so that a client may repeat a refresh whose answer was lost.
    Grace {
        /// How many, the newest included: 1 is [`Rotation::Strict`], 2 is what Notion's MCP server does.
        valid_refresh_tokens: usize,
    },
    /// Only the newest works, and using an older one kills the whole family.
    FamilyRevocation,
    /// One that was used works again until one of its successors is used, for 30 days at most: a lost reply costs
    /// nothing. The rule of Shopify's expiring offline tokens since 2026-08-28 (its changelog); that each repetition gets
    /// a pair of its own, and that all of these work, is *invented*.
    GraceUntilUsed,
}

/// What a new authorization by the same person in the same workspace does to the earlier tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OldPair {
    /// Both continue to work: one bot with several pairs.
    Survives,
    /// The refresh token dies, the access token continues to work.
    RefreshTokenDies,
    /// Both die.
    Dies,
}

/// What a second use of an authorization code does; it always fails with `invalid_grant`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecondUse {
    /// Nothing else.
    Refused,
    /// The tokens issued for the code die too (recommended by RFC 6749 §4.1.2).
    RevokesGrant,
}

/// The shape of OAuth error responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorShape {
    /// The shape that the service sends: `{"error":…,"error_description"?:…,"request_id":…}` (RFC 6749 §5.2).
    A,
    /// The shape in the `OpenAPI` document: `{"object":"error","status":…,"code":…,"message":…}`.
    B,
}

/// What dies together with a revoked access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevokeReach {
    /// Nothing else.
    AccessToken,
    /// The refresh token issued with it.
    Pair,
    /// Every token of the grant, as if the person had removed the connection.
    Grant,
}

/// The answer to revoking an unknown or already dead token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownRevocation {
    /// 200, as RFC 7009 §2.2 requires.
    Ok,
    /// 400 `invalid_grant`.
    BadRequest,
    /// 401 `invalid_client`, which one known client takes for success.
    Unauthorized,
}

/// The answer to introspecting an unknown token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownIntrospection {
    /// 200 `{"active":false,…}`.
    Inactive,
    /// 400 `invalid_request`.
    Refused,
}

/// The unit of `iat` in introspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IatUnit {
    /// Unix milliseconds, as in Notion's example.
    Milliseconds,
    /// Unix seconds, as RFC 7662 §2.2 says.
    Seconds,
}

/// What a person sees in a workspace outside the connection's installation scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutsideScope {
    /// Notion's own error page. The app is not told.
    ErrorPage,
    /// A redirect with `error=access_denied`.
    AccessDenied,
}

/// Whether an exchange issues a refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefreshTokenOnExchange {
    /// Null for connections created before 2026-06-08, issued for newer ones.
    ByConnectionAge,
    /// Always issued.
    Issued,
    /// Always null.
    Null,
}

/// The shape of `owner` in token responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OwnerShape {
    /// [`Full`](Self::Full), [`WithoutEmail`](Self::WithoutEmail) or [`Partial`](Self::Partial), depending on the
    /// connection's user information capability.
    ByCapabilities,
    /// Every field.
    Full,
    /// `"person":{}`.
    WithoutEmail,
    /// `"user":{"object":"user","id":…}`.
    Partial,
    /// Every field, with `"name":null`.
    WithoutName,
    /// `{"type":"workspace","workspace":true}`.
    Workspace,
    /// `{"user":{…}}`: legacy, no `type`.
    LegacyUserWithoutType,
    /// `{"workspace":true}`: legacy, no `type`.
    LegacyWorkspaceWithoutType,
}

/// `workspace_icon` in token responses; clients must not assume a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkspaceIcon {
    /// Whatever the [`Workspace`](crate::Workspace) has.
    AsConfigured,
    /// An emoji.
    Emoji,
    /// A URL.
    Url,
    /// Null.
    Null,
}

/// What the requests of a connection are counted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitCounts {
    /// All its requests together.
    Connection,
    /// Those in each workspace separately. Requests of the OAuth endpoints have no workspace and count separately too.
    ConnectionAndWorkspace,
}

/// Where the `url` of a page, database or view points to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urls {
    /// `https://www.notion.so/…`, as Notion answers.
    Notion,
    /// The simulator's own workspace view: `http://127.0.0.1:PORT/workspace/…`.
    Local,
}
