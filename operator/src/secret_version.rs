//! Puts a new version in the place of a secret's current one.

use crate::aws::{Aws, in_words};

/// What became of a replacement.
pub(crate) enum Replaced {
    /// The new version is current.
    Yes,
    /// Another version took the place of the one before. Why ours did not.
    BySomebodyElse(String),
    /// The version before is still current. Why.
    No(String),
    /// Either may be current. Why that is unknown.
    Unknown(String),
}

/// Stores `text`, and makes it current only if `before` still is: it was made from that.
pub(crate) async fn replace(aws: &Aws, id: &str, before: &str, text: &str) -> Replaced {
    let put = aws.secrets_manager.put_secret_value().secret_id(id).secret_string(text);
    let put = match put.version_stages("AWSPENDING").send().await {
        Ok(put) => put,
        Err(error) => return Replaced::No(in_words(&error)),
    };
    let ours = put.version_id().unwrap_or_default();
    let promote = aws
        .secrets_manager
        .update_secret_version_stage()
        .secret_id(id)
        .version_stage("AWSCURRENT")
        .remove_from_version_id(before)
        .move_to_version_id(ours);
    let Err(error) = promote.send().await else { return Replaced::Yes };
    let words = in_words(&error);
    // Ours may be current all the same: if the first reply was lost, the SDK's retry fails.
    let current =
        aws.secrets_manager.get_secret_value().secret_id(id).version_stage("AWSCURRENT").send().await;
    match current.as_ref().map(|current| current.version_id().unwrap_or_default()) {
        Err(_) => Replaced::Unknown(words),
        Ok(current) if current == ours => Replaced::Yes,
        Ok(current) if current == before => Replaced::No(words),
        Ok(_) => Replaced::BySomebodyElse(words),
    }
}
