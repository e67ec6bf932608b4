//! Commands on several keys at once: nobody sees a part of what they do.

use std::borrow::Cow;

use tandem_engine::{Error, Scope};

use crate::shared::Shared;

/// A key of a database.
pub(crate) type DbKey<'k> = (u8, &'k [u8]);

/// Runs `f` with `keys` held, as one transaction, or as a part of the one that this thread is in. `f` gets the keys as
/// they are stored. With an error everything is undone.
///
/// # Errors
/// Those of `f` and of [`Cache::transaction`](tandem_engine::Cache::transaction).
pub(crate) fn with_keys<T>(
    server: &Shared,
    keys: &[DbKey<'_>],
    mut f: impl FnMut(&[&[u8]]) -> Result<T, Error>,
) -> Result<T, Error> {
    let databases = &server.databases;
    loop {
        let layout = databases.layout();
        let stored: Vec<Cow<'_, [u8]>> = keys.iter().map(|(db, key)| databases.stored(*db, key)).collect();
        let stored: Vec<&[u8]> = stored.iter().map(|key| &**key).collect();
        let outcome = server.cache.transaction(Scope::Keys(&stored), |_| {
            // Databases were exchanged before the locks were taken: these are the keys of others now.
            if databases.layout() != layout { Ok(None) } else { f(&stored).map(Some) }
        });
        match outcome {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(error) => return Err(error),
        }
    }
}
