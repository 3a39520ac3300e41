//! Pairs that others replaced: asked about, let go of once it is certain that nothing of them lives.

use shared::installation::{InstallationId, SealedPair};
use shared::store::{Installation, StoreError};
use shared::telemetry::Metric;
use shared::vault::{Aside, Look, lapsed_before, report_broken_seal, report_orphaned};

use crate::{Run, Sweep};

/// What becomes of one.
enum Fate {
    /// It stays, as it is or as this.
    Kept(Box<SealedPair>),
    /// It goes.
    Gone,
    /// A refresh has to tell: its access token has ended, its refresh token may live.
    InQuestion,
}

impl Sweep {
    /// Asks about the pairs that later ones replaced. Gives the row as it stands then, or none if it changed or could not be
    /// asked about.
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
                Some(Fate::InQuestion) => {
                    // Noted before it is sent: should we be cut off, its successor may live and nobody knows.
                    let doubted = SealedPair { lease: None, in_doubt: true, ..pair.clone() };
                    let Some(noted) = self.replace(&row, at, Some(doubted.clone()), run).await? else {
                        return Ok(None);
                    };
                    row = noted;
                    self.refresh_superseded(&row, &pair, doubted, run).await
                }
                Some(fate) => fate,
            };
            let kept = match fate {
                Fate::Kept(kept) => Some(*kept),
                Fate::Gone | Fate::InQuestion => None,
            };
            let stays = kept.is_some();
            if kept.as_ref() != row.superseded.get(at) {
                let Some(written) = self.replace(&row, at, kept, run).await? else { return Ok(None) };
                row = written;
            }
            at += usize::from(stays);
        }
        Ok(Some(row))
    }

    /// None if nothing more may be asked.
    async fn look_at_superseded(
        &self,
        row: &Installation,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Option<Fate> {
        let kept = || Some(Fate::Kept(Box::new(pair.clone())));
        if pair.client_id != self.vault.connection.client_id {
            // Another connection's: Notion would tell us nothing of it.
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
                self.revoke_superseded(&row.id, pair, run).await
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
                let now = self.vault.clock.now_millis();
                let in_flight =
                    pair.lease.as_ref().is_some_and(|lease| lease.until_ms >= lapsed_before(now).0);
                match refresh {
                    _ if in_flight => kept(),
                    // Its successor is, or was, in the row; or Notion has refused it before.
                    Some(refresh) if row.used_up.contains(refresh) => Some(Fate::Gone),
                    Some(_) => Some(Fate::InQuestion),
                    None => {
                        tracing::info!(bot_id = pair.bot_id, "a superseded pair has ended");
                        Some(Fate::Gone)
                    }
                }
            }
        }
    }

    /// That the access token has ended does not say that the grant has.
    async fn refresh_superseded(
        &self,
        row: &Installation,
        before: &SealedPair,
        doubted: SealedPair,
        run: &mut Run<'_>,
    ) -> Fate {
        self.keep_pace(run).await;
        let (in_hand, budget) = (run.in_hand.clone(), run.budget());
        match Box::pin(self.vault.refresh_aside(&row.id, before, &in_hand, &budget)).await {
            Aside::Renewed(renewed, sealed) if self.revoke_superseded || before.to_revoke => {
                run.answered();
                match self.vault.revoke(&renewed.access_token, &in_hand.client_secret, budget.save_by).await {
                    Ok(()) => {
                        run.line.count(Metric::Revoked);
                        Fate::Gone
                    }
                    Err(error) => {
                        run.undecided(&error.0);
                        Fate::Kept(sealed)
                    }
                }
            }
            Aside::Renewed(_, sealed) => {
                run.answered();
                run.line.count(Metric::Refreshed);
                Fate::Kept(sealed)
            }
            Aside::Dead => {
                run.answered();
                if before.is_unsettled() {
                    report_orphaned(before, "a refresh of a superseded pair was cut off", run.line);
                }
                Fate::Gone
            }
            Aside::Broken => Fate::Kept(Box::new(before.clone())),
            Aside::Undecided { error, sent } => {
                run.undecided(&error);
                Fate::Kept(Box::new(if sent { doubted } else { before.clone() }))
            }
        }
    }

    async fn revoke_superseded(
        &self,
        id: &InstallationId,
        pair: &SealedPair,
        run: &mut Run<'_>,
    ) -> Option<Fate> {
        let token = match self.vault.open_access(id, &pair.access, &run.in_hand.key_ring.value).await {
            Ok(token) => token,
            Err(error) => {
                report_broken_seal(id, error);
                return Some(Fate::Kept(Box::new(pair.clone())));
            }
        };
        Some(match self.vault.revoke(&token, &run.in_hand.client_secret, run.budget().exchange_by).await {
            Ok(()) => {
                run.line.count(Metric::Revoked);
                Fate::Gone
            }
            Err(error) => {
                run.undecided(&error.0);
                Fate::Kept(Box::new(pair.clone()))
            }
        })
    }

    /// Writes another pair in the place of one, or none.
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
