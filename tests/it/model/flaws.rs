//! What the protocol must not leave out, or do otherwise.

/// One thing left out of the protocol, or done wrong. Each has a test that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The save asks nothing of the row.
    UnconditionalSave,
    /// The save asks for the lease, and not for the token that was used.
    FencedSave,
    /// The lease may lapse while its holder runs.
    ShortLease,
    /// The first `invalid_grant` marks the row, whatever the row says by now.
    MarkAtOnce,
    /// A vend takes a lapsed lease over, and does not look into the rescue queue.
    VendTakesOver,
    /// A lost reply is followed by another try, however many there were. Each of these is excused by the loss
    /// before it, so it takes a rule of its own to forbid them.
    BlindRetry,
    /// `release_lease` after two lost replies leaves no trace in the row.
    ReleaseForgets,
    /// Whoever takes over a lapsed lease does not note that the holder before may have sent the token.
    TakeOverForgets,
    /// A reinstall moves the pair aside, and not the note that a refresh of it has not ended.
    ReinstallForgets,
    /// An empty rescue queue lets the sweep take over any lease that lapses later.
    OldLook,
    /// The look into the rescue queue does not see what was put aside.
    DeadLettersForgotten,
    /// An install from the rescue queue is active, though it may have been given back.
    RescuedInstallIsActive,
    /// So is a refreshed pair that was saved late.
    LateSaveIsActive,
    /// A row whose current pair is dead is marked, whatever else it holds.
    MarkDespiteSuperseded,
    /// The mark asks for the pair that was read, and not whether others came beside it.
    MarkOnOldRead,
    /// A pair that comes late to a row that needs a reinstall is kept aside.
    AsideOfTheDead,
    /// `keep_aside` does not see that the pair that was used has become current again.
    AsideUnseen,
    /// A pair that Notion has refused was moved aside meanwhile, and stays there.
    RefusedStaysAside,
    /// An install moves a pair aside that Notion has refused.
    DeadIsSuperseded,
    /// An install over a tombstone takes the removed pairs for superseded ones.
    PromotesRemoved,
    /// `keep_aside` keeps a pair whose predecessor was removed meanwhile.
    KeepsForeign,
    /// An install that was exchanged before a removal loses to it only until somebody has installed again.
    ReinstallForgetsTombstone,
    /// An install from the rescue queue is kept aside, though the row has used it up.
    KeepsUsedUp,
    /// A promoted pair comes without the note that a refresh of it has not ended.
    PromotionForgets,
    /// A promotion tells nobody that the pair before may have a successor.
    PromotionIsSilent,
}
