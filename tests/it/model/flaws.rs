//! Possible mistakes in the protocol.

/// One mistake in the protocol: a part that is missing or wrong. Each has a test that fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The save has no condition on the row.
    UnconditionalSave,
    /// The save depends on the lease, and not on the token that was used.
    FencedSave,
    /// The lease may lapse while its holder runs.
    ShortLease,
    /// The first `invalid_grant` marks the row, whatever the row has by now.
    MarkAtOnce,
    /// A vend takes over a lapsed lease without looking into the rescue queue.
    VendTakesOver,
    /// A lost reply is always followed by another try. Each of these tries is excused by the loss before it, so it
    /// takes a separate rule to forbid them.
    BlindRetry,
    /// `release_lease` after two lost replies leaves no trace in the row.
    ReleaseForgets,
    /// The worker that takes over a lapsed lease does not record that the previous holder may have sent the token.
    TakeOverForgets,
    /// A reinstall moves the pair aside without the record of its unfinished refresh.
    ReinstallForgets,
    /// An empty rescue queue lets the sweep take over any lease that lapses later.
    OldLook,
    /// The look into the rescue queue misses the dead letters.
    DeadLettersForgotten,
    /// An install from the rescue queue is active, although it may have been revoked.
    RescuedInstallIsActive,
    /// A refreshed pair that was saved late is active, too.
    LateSaveIsActive,
    /// A row whose current pair is dead is marked, whatever other pairs it has.
    MarkDespiteSuperseded,
    /// The mark depends on the pair that was read, but ignores pairs added since.
    MarkOnOldRead,
    /// A late pair is kept aside in a row that needs a reinstall.
    AsideOfTheDead,
    /// `keep_aside` does not notice that the used pair has become current again.
    AsideUnseen,
    /// A pair that Notion refused has been moved aside, and stays there.
    RefusedStaysAside,
    /// An install moves a pair aside that Notion has refused.
    DeadIsSuperseded,
    /// An install over a tombstone treats the removed pairs as superseded ones.
    PromotesRemoved,
    /// `keep_aside` keeps a pair whose predecessor was removed.
    KeepsForeign,
    /// An install that was exchanged before a removal loses to it only until somebody installs again.
    ReinstallForgetsTombstone,
    /// An install from the rescue queue is kept aside, although the row has consumed it.
    KeepsUsedUp,
    /// A promoted pair loses the record of its unfinished refresh.
    PromotionForgets,
    /// A promotion does not report that the previous pair may have a successor.
    PromotionIsSilent,
}
