//! Superseded pairs: each is checked with Notion, and dropped once it is certain that its grant is dead.

use shared::telemetry::Metric;
use vault::installation::{InstallationId, SealedPair};
use vault::protocol::{AsideOutcome, Look, RenewedAside};
use vault::store::{Installation, StoreError};
use vault::{report_broken_seal, report_orphaned};

use crate::Sweep;
use crate::run::Run;

/// What happens to a superseded pair.
enum Fate {
    /// It stays, unchanged or as this pair.
    Kept(Box<SealedPair>),
    /// It is replaced by the pair from its refresh.
    Renewed(Box<RenewedAside>),
    /// It is dropped.
    Drop,
    /// It is dropped, and its refresh token is not sent again.
    Refused,
    /// Undecided: the access token is dead, but the refresh token may be alive. A refresh decides.
    NeedsRefresh,
}

impl Sweep {
    /// Asks Notion about the superseded pairs. Returns the row as it is afterwards, or `None` if it has changed or
    /// Notion could not be asked.
    pub(crate) async fn check_superseded(
        &self,
        row: Installation,
        run: &mut Run<'_>,
    ) -> Result<Option<Installation>, StoreError> {
        let mut row = row;
        let mut at = 0;
        while let Some(pair) = row.superseded.get(at).cloned() {
            let fate = match self.look_at_superseded(&row, &pair, run).await {
                None => return Ok(None),
                Some(Fate::NeedsRefresh) => {
                    // Recorded before the request is sent: if this is cut off, there may be a live successor that
                    // nobody knows.
                    let doubted = SealedPair { lease: None, in_doubt: true, ..pair.clone() };
                    let Some(noted) = self.replace(&row, at, Some(doubted.clone()), run).await? else {
                        return Ok(None);
                    };
                    row = noted;
                    self.refresh_superseded(&row, &pair, doubted, run).await
                }
                Some(fate) => fate,
            };
            let written = match fate {
                Fate::Kept(kept) if row.superseded.get(at) == Some(&kept) => {
                    at += 1;
                    continue;
                }
                Fate::Kept(kept) => self.replace(&row, at, Some(*kept), run).await?,
                Fate::Renewed(new) => {
                    let written = self.replace(&row, at, Some(new.sealed.clone()), run).await;
                    if !matches!(written, Ok(Some(_))) {
                        let (in_hand, budget) = (run.in_hand.clone(), run.budget());
                        let keeping = self.vault.keep_renewed(&row, &pair, *new, &in_hand, &budget, run.line);
                        Box::pin(keeping).await;
                    }
                    written?
                }
                Fate::Refused => {
                    let refused = pair.refresh_fingerprint.as_ref().unwrap_or(&pair.access_fingerprint);
                    let written = self.vault.store.drop_refused(&row, refused, run.ends_at).await?;
                    written.map(|row| *row)
                }
                Fate::Drop | Fate::NeedsRefresh => self.replace(&row, at, None, run).await?,
            };
            let Some(written) = written else { return Ok(None) };
            at += usize::from(written.superseded.len() == row.superseded.len());
            row = written;
        }
        Ok(Some(row))
    }

    /// `None` if nothing more may be asked.
    async fn look_at_superseded(
        &self,
        row: &Installation,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Option<Fate> {
        let kept = || Some(Fate::Kept(Box::new(pair.clone())));
        if pair.client_id != self.vault.connection.client_id {
            // The pair is another connection's. Notion would not tell us anything about it.
            return kept();
        }
        if !run.may_ask() {
            return None;
        }
        self.keep_pace(run).await;
        let (in_hand, deadline) = (run.in_hand.clone(), run.budget().exchange_by);
        let refresh = pair.refresh_fingerprint.as_ref();
        match self.vault.look_at(&row.id, pair, &in_hand, deadline, run.line).await {
            Look::Alive if self.revoke_superseded || pair.to_revoke => {
                run.answered();
                Some(self.revoke_aside(&row.id, pair, run).await)
            }
            Look::Alive => {
                run.answered();
                kept()
            }
            Look::Sealed => kept(),
            Look::Unknown(error) => {
                run.undecided(&error);
                kept()
            }
            Look::Dead => {
                run.answered();
                // The holder of its lease may have put its successor into the rescue queue.
                let takeover = run.takeover(&row.id);
                let in_flight = pair.lease.as_ref().is_some_and(|lease| {
                    takeover.is_none_or(|ended_before| lease.until_ms >= ended_before.0)
                });
                match refresh {
                    _ if in_flight => kept(),
                    // Its successor is or was in the row, or Notion has refused it before.
                    Some(refresh) if row.used_up.contains(refresh) => Some(Fate::Drop),
                    Some(_) => Some(Fate::NeedsRefresh),
                    None => {
                        tracing::info!(bot_id = pair.bot_id, "a superseded pair is dead");
                        Some(Fate::Drop)
                    }
                }
            }
        }
    }

    /// A dead access token does not prove that the grant is dead.
    async fn refresh_superseded(
        &self,
        row: &Installation,
        before: &SealedPair,
        doubted: SealedPair,
        run: &mut Run<'_>,
    ) -> Fate {
        self.keep_pace(run).await;
        let (in_hand, budget) = (run.in_hand.clone(), run.budget());
        match Box::pin(self.vault.refresh_aside(&row.id, before, &in_hand, &budget, run.line)).await {
            AsideOutcome::Renewed(new) if self.revoke_superseded || before.to_revoke => {
                run.answered();
                match self
                    .vault
                    .revoke(&new.renewed.access_token, &in_hand.client_secret, budget.save_by)
                    .await
                {
                    Ok(()) => {
                        run.line.count(Metric::Revoked);
                        Fate::Drop
                    }
                    Err(error) => {
                        run.undecided(&error.0);
                        Fate::Renewed(new)
                    }
                }
            }
            AsideOutcome::Renewed(new) => {
                run.answered();
                run.line.count(Metric::Refreshed);
                Fate::Renewed(new)
            }
            AsideOutcome::Dead { may_have_a_successor } => {
                run.answered();
                if may_have_a_successor {
                    report_orphaned(before, "a refresh of a superseded pair was cut off", run.line);
                }
                Fate::Refused
            }
            AsideOutcome::Broken => Fate::Kept(Box::new(before.clone())),
            AsideOutcome::Undecided { error, sent } => {
                run.undecided(&error);
                Fate::Kept(Box::new(if sent { doubted } else { before.clone() }))
            }
        }
    }

    async fn revoke_aside(&self, id: &InstallationId, pair: &SealedPair, run: &mut Run<'_>) -> Fate {
        let token = match self.vault.open_access(id, &pair.access, &run.in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => {
                report_broken_seal(id, error);
                return Fate::Kept(Box::new(pair.clone()));
            }
        };
        match self.vault.revoke(&token, &run.in_hand.client_secret, run.budget().exchange_by).await {
            Ok(()) => {
                run.line.count(Metric::Revoked);
                Fate::Drop
            }
            Err(error) => {
                run.undecided(&error.0);
                Fate::Kept(Box::new(pair.clone()))
            }
        }
    }

    /// Replaces one superseded pair, or removes it.
    async fn replace(
        &self,
        row: &Installation,
        at: usize,
        by: Option<SealedPair>,
        run: &Run<'_>,
    ) -> Result<Option<Installation>, StoreError> {
        let mut superseded = row.superseded.clone();
        superseded.splice(at..=at, by);
        let written = self.vault.store.replace_superseded(row, &superseded, None, run.ends_at).await?;
        Ok(written.map(|row| *row))
    }
}
