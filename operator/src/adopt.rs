//! Takes over installations whose tokens were kept elsewhere.
//!
//! Each line of a file brings the tokens of one installation and the subject whose it is. Notion is asked what they are
//! worth, which consumes none; then they are sealed and saved with the link to the subject, in one transaction. So a run
//! can be cut off anywhere, and the same command goes on: what is in the table is recognized there by its fingerprints,
//! without asking Notion. A line is in memory only while it is worked on.

mod candidate;
mod input;
mod pace;
mod proof;
mod report;

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::json;
use shared::clock::{Clock, SystemClock, UnixMillis};
use shared::config::allowed_workspaces;
use shared::ids::canonical_uuid;
use shared::random::{OsRandom, Random, attempt};
use vault::installation::{InstallationId, NewInstallation};
use vault::notion::{Grant, Notion};
use vault::seal::{Fingerprint, KeyRing};
use vault::store::{Adopted, Adoption, Health, Installation, OLDER_THAN_ANY, Others, Store, StoreError};

use crate::aws::Aws;
use crate::client_secret;
use crate::functions::{self, Revived};
use crate::keys;
use crate::outcome::{Failure, Outcome};
use crate::stack::Stack;
use crate::tables::{soon, store};
use candidate::Candidate;
use input::{Line, Lines};
use proof::{Asking, Identity, Proof, RefreshProof, Unidentified};
use report::{Entry, Fate, Report};

/// When the sweep asks about a proven installation again, in days, unless `IdleCheckDays` says otherwise.
const IDLE_CHECK_DAYS: u64 = 7;
const DAY_MS: u64 = 86_400_000;
/// Of a subject with more installations than this, Notion is asked which one a line is about.
const MOST_LOOKED_AT: usize = 25;
/// After so many lines in a row about which Notion says nothing conclusive, it is not the lines.
const MOST_UNKNOWN: u32 = 3;

/// What to adopt, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file of lines; `-` is standard input.
    pub file: PathBuf,
    /// Where to write what became of each line.
    pub report: Option<PathBuf>,
    /// How many requests a minute are sent to Notion.
    pub calls_per_minute: u32,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Whether a refresh token is used whose access token does not work any more.
    pub refresh_expired: bool,
    /// Whether the ids of a line are believed if the connection may not see users.
    pub trust_ids: bool,
}

/// A run.
struct Run<'a> {
    aws: &'a Aws,
    stack: &'a Stack,
    wanted: &'a Wanted,
    store: Store,
    ring: KeyRing,
    client_id: String,
    allowed_workspaces: Option<Vec<String>>,
    asking: Asking<'a>,
    idle_check_ms: u64,
    clock: &'a dyn Clock,
    random: &'a dyn Random,
    /// In a dry run, what would be in the table by now.
    planned: HashMap<String, Fingerprint>,
}

/// Adopts the installations of a file. `print` shows what somebody has to attend to, as it goes.
///
/// # Errors
///
/// [`Failure`]; it is safe to repeat.
pub async fn adopt(
    aws: &Aws,
    stack: &Stack,
    wanted: &Wanted,
    print: Option<&mut dyn FnMut(&str)>,
) -> Result<Outcome, Failure> {
    if wanted.report.as_ref() == Some(&wanted.file) {
        return Err(Failure::Misused("the report would be written into the file that is read".to_owned()));
    }
    let mut lines = Lines::of(input::open(&wanted.file)?);
    let mut report = Report::begin(wanted.report.as_deref(), print)?;
    let connection = stack.connection().map_err(|error| Failure::Refused(error.to_string()))?;
    let secret =
        client_secret::current(aws, stack).await.map_err(|error| Failure::Unknown(error.to_string()))?;
    let secret = match secret {
        Some(Ok(secret)) => secret,
        Some(Err(expected)) => return Err(Failure::Refused(format!("the client secret must be {expected}"))),
        None => return Err(Failure::Refused("no client secret is stored: `operator secret set`".to_owned())),
    };
    let allowed = |name: &str| {
        (name == "ALLOWED_WORKSPACES")
            .then(|| stack.parameter("AllowedWorkspaces").map(str::to_owned))
            .flatten()
    };
    let days = stack.parameter("IdleCheckDays").and_then(|days| days.parse().ok()).unwrap_or(IDLE_CHECK_DAYS);
    let client_id = connection.client_id.clone();
    let notion = Notion::new(aws.http.clone(), connection);
    let mut run = Run {
        aws,
        stack,
        wanted,
        store: store(aws, stack)?,
        ring: keys::read(aws, stack).await?.ring,
        client_id,
        allowed_workspaces: allowed_workspaces(&allowed)
            .map_err(|error| Failure::Refused(error.to_string()))?,
        asking: Asking::new(notion, secret, &SystemClock, wanted.calls_per_minute, wanted.trust_ids),
        idle_check_ms: DAY_MS.saturating_mul(days),
        clock: &SystemClock,
        random: &OsRandom,
        planned: HashMap::new(),
    };
    let mut unknown_in_a_row = 0;
    let done = loop {
        let (number, line) = match lines.next() {
            Ok(Some(next)) => next,
            Ok(None) => break Ok(()),
            Err(error) => break Err(Failure::Unknown(format!("the next line cannot be read: {error}"))),
        };
        let entry = match line {
            Line::Text(text) if text.trim_ascii().is_empty() => continue,
            Line::TooLong => Ok(Entry::of(number, None, Fate::Invalid).because("it is too long")),
            Line::Text(text) => match Candidate::parse(text) {
                Ok(candidate) => Box::pin(run.line(number, &candidate)).await,
                Err(invalid) => Ok(Entry::of(number, invalid.subject, Fate::Invalid).because(invalid.why)),
            },
        };
        let added = entry.and_then(|entry| report.add(&entry).map(|()| entry.fate));
        match added {
            Ok(Fate::Unknown) => unknown_in_a_row += 1,
            Ok(_) => unknown_in_a_row = 0,
            Err(failure) => break Err(failure),
        }
        if unknown_in_a_row == MOST_UNKNOWN {
            break Err(Failure::Unknown(format!("Notion gives no conclusive answers (line {number})")));
        }
    };
    ended(done, &report)
}

fn ended(done: Result<(), Failure>, report: &Report<'_>) -> Result<Outcome, Failure> {
    let again = "The same command goes on where this one stopped";
    if let Err(failure) = done {
        let said = format!("{failure}, after {}. {again}", report.said());
        return Err(match failure {
            Failure::Refused(_) => Failure::Refused(said),
            Failure::Misused(_) => Failure::Misused(said),
            Failure::Unknown(_) => Failure::Unknown(said),
        });
    }
    if report.count(Fate::Unknown) > 0 {
        return Err(Failure::Unknown(format!(
            "of some lines it is unknown what they are worth: {}. Repeat the command",
            report.said()
        )));
    }
    Ok(Outcome::unless(report.needs_you(), report.said(), report.to_json()))
}

impl Run<'_> {
    /// Works on one line.
    async fn line(&mut self, number: u64, candidate: &Candidate) -> Result<Entry, Failure> {
        let entry = |fate| Entry::of(number, Some(candidate.subject.clone()), fate);
        if let Some(row) = self.adopted_before(candidate).await? {
            return self.already(entry(Fate::Already), &row).await;
        }
        Ok(match self.asking.prove(candidate).await? {
            Proof::Alive { identity, issued_at, refresh } => {
                if let Some(refusal) = self.not_allowed(&identity) {
                    return Ok(entry(Fate::NotAllowed).because(refusal));
                }
                let mut install = self.seal(candidate, identity, issued_at, refresh != Some(RefreshProof::Dead));
                install.pair.refresh_unproven = refresh == Some(RefreshProof::Unproven);
                let entry = Entry { refresh, ..entry(Fate::Adopted) };
                self.save(entry, candidate, &install, true).await?
            }
            Proof::NotAlive if candidate.refresh_token.is_none() => {
                entry(Fate::Dead).because("its access token does not work, and it has no refresh token")
            }
            Proof::NotAlive if self.wanted.refresh_expired => self.revive(entry(Fate::Expired), candidate).await?,
            Proof::NotAlive => entry(Fate::Expired).because(
                "its access token does not work; whether its refresh token does cannot be known without using it: see \
                 --refresh-expired",
            ),
            Proof::Foreign => entry(Fate::Foreign)
                .because("its access token works, but Notion does not say that it is of this stack's connection"),
            Proof::OfNobody(Unidentified::Mismatch(name)) => {
                entry(Fate::Mismatch).because(format!("its {name} is not the one that Notion says"))
            }
            Proof::OfNobody(Unidentified::NotSaid(why)) => entry(Fate::Unidentified).because(why),
            Proof::Unknown(key) => {
                entry(Fate::Unknown).because(format!("Notion gave no conclusive answer ({key})"))
            }
        })
    }

    /// The row in which a line's tokens are, or were, if it is linked to its subject.
    async fn adopted_before(&self, candidate: &Candidate) -> Result<Option<Installation>, Failure> {
        let access = self.ring.access_fingerprint(&candidate.access_token);
        let refresh = candidate.refresh_token.as_ref().map(|token| self.ring.refresh_fingerprint(token));
        let ids = if let Some(Identity { workspace_id, owner, .. }) = candidate.ids.as_given() {
            vec![InstallationId::of(&workspace_id, &owner)]
        } else {
            let page = self.store.linked_to(&candidate.subject, None, None, soon()).await?;
            if page.next.is_some() || page.keys.len() > MOST_LOOKED_AT { Vec::new() } else { page.keys }
        };
        for id in &ids {
            let row = match self.store.read_installation(id, soon()).await {
                // Whoever saves finds that out.
                Err(error) if error.is_of_the_row() => continue,
                row => row?,
            };
            let is_it = |row: &Installation| {
                row.health != Health::Removed
                    && row.subjects.contains(&candidate.subject)
                    && row.has_had(&access, refresh.as_ref())
            };
            if let Some(row) = row.filter(is_it) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    async fn already(&mut self, mut entry: Entry, row: &Installation) -> Result<Entry, Failure> {
        entry.id = Some(row.id.clone());
        entry.why = match row.health {
            Health::NeedsReinstall => {
                Some("its grant was found dead since: the person has to install again".to_owned())
            }
            // A run was cut off before it knew.
            Health::Unverified if self.wanted.refresh_expired && !self.wanted.dry_run => {
                return self.confirm(entry).await;
            }
            Health::Unverified => Some("Notion has not confirmed it yet: the sweep asks".to_owned()),
            Health::Active | Health::Removed => None,
        };
        Ok(entry)
    }

    fn not_allowed(&self, identity: &Identity) -> Option<&'static str> {
        let allowed = self.allowed_workspaces.as_ref()?;
        let is_allowed = canonical_uuid(&identity.workspace_id).is_some_and(|id| allowed.contains(&id));
        (!is_allowed).then_some("its workspace is not among AllowedWorkspaces")
    }

    fn seal(
        &self,
        candidate: &Candidate,
        identity: Identity,
        issued_at: Option<UnixMillis>,
        with_refresh_token: bool,
    ) -> NewInstallation {
        let Identity { workspace_id, workspace_name, bot_id, owner } = identity;
        let grant = Grant {
            access_token: candidate.access_token.clone(),
            refresh_token: candidate.refresh_token.clone().filter(|_| with_refresh_token),
            bot_id,
            workspace_id,
            workspace_name,
            workspace_icon: None,
            owner,
            duplicated_template_id: None,
            expires_in: None,
            request_id: None,
        };
        // A clock that is ahead must not make it newer than what happens here.
        let issued_at = issued_at.unwrap_or(OLDER_THAN_ANY).min(self.clock.now_millis());
        grant.seal(&self.client_id, &attempt(self.random), issued_at, &self.ring, self.random)
    }

    /// Saves it, or says what saving it would come to.
    async fn save(
        &mut self,
        mut entry: Entry,
        candidate: &Candidate,
        install: &NewInstallation,
        proven: bool,
    ) -> Result<Entry, Failure> {
        entry.id = Some(install.id.clone());
        let now = self.clock.now_millis();
        let next_look = UnixMillis(now.0.saturating_add(self.idle_check_ms));
        let adoption = Adoption { install, subject: &candidate.subject, proven, now, next_look };
        let adopted = if self.wanted.dry_run {
            self.would_adopt(&adoption).await
        } else {
            self.store.adopt(&adoption, soon()).await
        };
        let adopted = match adopted {
            // The other lines do not have to wait for somebody to look at it.
            Err(error) if error.is_of_the_row() => {
                entry.fate = Fate::Unreadable;
                return Ok(entry.because(error.to_string()));
            }
            adopted => adopted?,
        };
        let (fate, why) = match adopted {
            Adopted::Saved if self.wanted.dry_run => (Fate::WouldAdopt, None),
            Adopted::Saved => (Fate::Adopted, None),
            Adopted::Linked if self.wanted.dry_run => (Fate::WouldLink, None),
            Adopted::Linked => (Fate::Linked, None),
            Adopted::Already => (Fate::Already, None),
            Adopted::HasOthers(Others::OfTheSubject) => {
                (Fate::Installed, Some("the person has installed here, and those tokens stay"))
            }
            Adopted::HasOthers(Others::OfAnother) => (
                Fate::Duplicate,
                Some("the person has installed here for another subject, or for none, and those tokens stay"),
            ),
            Adopted::HasOthers(Others::Adopted) => {
                (Fate::Duplicate, Some("other tokens of the same installation were adopted before, and stay"))
            }
            Adopted::Removed => (Fate::Removed, Some("it was removed here: the person has to install again")),
            Adopted::Forgotten => {
                (Fate::Forgotten, Some("the person was forgotten here, and has to install again"))
            }
            Adopted::TooManySubjects => {
                (Fate::TooManySubjects, Some("the installation has as many subjects as it may have"))
            }
        };
        entry.fate = fate;
        entry.why = why.map(str::to_owned);
        Ok(entry)
    }

    /// The same as the table would say, had the lines before been adopted.
    async fn would_adopt(&mut self, adoption: &Adoption<'_>) -> Result<Adopted, StoreError> {
        let adopted = self.store.would_adopt(adoption, soon()).await?;
        if adopted != Adopted::Saved {
            return Ok(adopted);
        }
        let ours = &adoption.install.pair.access_fingerprint;
        let key = adoption.install.id.as_str().to_owned();
        let before = self.planned.entry(key).or_insert_with(|| ours.clone());
        Ok(if before == ours { Adopted::Saved } else { Adopted::HasOthers(Others::Adopted) })
    }

    /// Uses a refresh token whose access token does not work any more, which consumes it. Two things could get lost: the
    /// old one, if it were sent before it is saved, and the new one, if it were not saved before anything else happens.
    /// So it is saved first, as an installation that is not vended, and then the function `token` refreshes it, as it
    /// does any other.
    async fn revive(&mut self, entry: Entry, candidate: &Candidate) -> Result<Entry, Failure> {
        let Some(identity) = candidate.ids.as_given() else {
            return Ok(entry.because(
                "its access token does not work, so that Notion does not say whose it is, and the line has not all of \
                 workspace_id, user_id and bot_id",
            ));
        };
        if let Some(refusal) = self.not_allowed(&identity) {
            return Ok(Entry { fate: Fate::NotAllowed, ..entry }.because(refusal));
        }
        let mut install = self.seal(candidate, identity, None, true);
        install.pair.refresh_unproven = true;
        let entry = self.save(entry, candidate, &install, false).await?;
        if entry.fate == Fate::Adopted { self.confirm(entry).await } else { Ok(entry) }
    }

    /// Has an installation refreshed that is in the table and unverified.
    async fn confirm(&mut self, mut entry: Entry) -> Result<Entry, Failure> {
        let Some(id) = entry.id.clone() else { return Ok(entry) };
        // The function asks about the access token, then refreshes.
        self.asking.turn().await;
        self.asking.turn().await;
        let (workspace_id, user_id) = id.parts();
        let asked = json!({"workspace_id": workspace_id, "user_id": user_id});
        let (fate, why) = match functions::revive(self.aws, self.stack, asked).await? {
            Revived::Alive => {
                entry.refresh = Some(RefreshProof::Proven);
                (Fate::Adopted, None)
            }
            Revived::Dead => {
                entry.refresh = Some(RefreshProof::Dead);
                (
                    Fate::Dead,
                    Some("Notion accepts neither of its tokens: the person has to install again".to_owned()),
                )
            }
            Revived::NotYet(said) => {
                (Fate::Unverified, Some(format!("it is saved, and the sweep tries again: {said}")))
            }
        };
        entry.fate = fate;
        entry.why = why;
        Ok(entry)
    }
}
