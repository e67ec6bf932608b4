//! What others are told of changes: keyspace events, and invalidations for those who track keys.
//!
//! ```text
//!  a change, by anybody ─▶ change stream ─▶ wake, on the same thread ─▶ Notify   ─▶ channels ─┐
//!                                                                    └▶ Tracking ─▶ clients ──┴▶ mailboxes of loops
//! ```
//!
//! The stream is open only while somebody wants to know; until then a change costs what it does without a server. It
//! tells of evictions, expirations and the changes of an embedded cache, and of those of a transaction once it holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use parking_lot::Mutex;
use tandem_engine::{ChangeKind, ChangeLimits, ChangeStream, Origin, OriginGuard};
use tandem_wire::Args;

use crate::command::{Entry, Flag, Group, keys_of};
use crate::connection::{Client, Special};
use crate::notify::{self, Notify};
use crate::shared::Shared;
use crate::tracking::Tracking;

/// What may wait in the stream: it is read at once, so that only a transaction fills it. Beyond, keyspace events are
/// lost, and everything that is tracked is invalidated.
const LIMITS: ChangeLimits = ChangeLimits { changes: 65_536, bytes: 16 << 20 };

/// Everything that looks at changes.
#[derive(Default)]
pub(crate) struct Observer {
    pub notify: Notify,
    pub tracking: Tracking,
    /// Whether the stream is open.
    on: AtomicBool,
    stream: Mutex<Option<Arc<ChangeStream>>>,
    /// Held while the stream is opened or closed.
    switch: Mutex<()>,
    /// Held while changes are handed on: in their order.
    turn: Mutex<()>,
}

impl Observer {
    /// Whether changes have to say who caused them.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// Opens or closes the stream, as is needed now.
    pub fn refresh(&self, shared: &Shared) {
        let _switch = self.switch.lock();
        let wanted = self.notify.is_on() || self.tracking.is_on();
        if wanted == self.is_on() {
            return;
        }
        self.on.store(wanted, Relaxed);
        let stream = wanted.then(|| {
            let stream = Arc::new(shared.cache.subscribe(LIMITS));
            let own = shared.own.clone();
            stream.on_ready(Box::new(move || {
                if let Some(shared) = own.upgrade() {
                    shared.observer.hand_on(&shared);
                }
            }));
            stream
        });
        let before = std::mem::replace(&mut *self.stream.lock(), stream);
        drop(before);
    }

    /// Tells of what has changed. Calls nothing of the cache: the thread may hold parts of it.
    fn hand_on(&self, shared: &Shared) {
        let Some(stream) = self.stream.lock().clone() else { return };
        let _turn = self.turn.lock();
        let changes = stream.drain(usize::MAX);
        if self.notify.is_on() {
            notify::tell(shared, &changes);
        }
        if self.tracking.is_on() {
            let mut everything = false;
            for change in &changes {
                match change.kind {
                    ChangeKind::Cleared | ChangeKind::Gap | ChangeKind::Reset => everything = true,
                    _ => {
                        let (_, key) = shared.databases.split(&change.key);
                        self.tracking.invalidate(shared, key, change.origin.caller);
                    }
                }
            }
            if everything {
                self.tracking.invalidate_all(shared);
            }
        }
    }
}

/// To be called before a command runs: notes which keys it reads, if its client tracks them, and makes the client the
/// origin of what it changes until the guard is dropped.
#[inline]
pub(crate) fn watch(shared: &Shared, client: &Client, entry: &'static Entry, args: Args<'_>) -> Option<OriginGuard> {
    if !shared.observer.is_on() {
        return None;
    }
    let command = &entry.command;
    let reads = command.flags.contains(&Flag::ReadOnly) && command.group != Group::Scripting;
    if reads && client.special.contains(Special::TRACKING) {
        remember(shared, client, keys_of(command, args));
    }
    Some(Origin { caller: client.id, cause: notify::cause(entry, args) }.enter())
}

/// Notes that a client reads these keys, unless it said that it does not keep them.
#[cold]
pub(crate) fn remember<'k>(shared: &Shared, client: &Client, keys: impl Iterator<Item = &'k [u8]>) {
    let said_so = client.special.contains(Special::CACHING);
    shared.observer.tracking.remember(shared, client.id, said_so, keys);
}
