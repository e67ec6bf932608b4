//! Calls that may have to wait. They return at once; what they wait for comes through the mailbox.

use std::sync::Arc;

use napi::sys;
use tandem_engine::gates::{Acquired, Cancelled, GateKind, Request};
use tandem_engine::{Fill, Filled, Kind, Lease, LeaseMode, NewValue, Stable, WriteOptions};

use super::{Call, Outcome, calls, closed};
use crate::environment::check;
use crate::failure::Failure;
use crate::mailbox::Mailbox;
use crate::outcome;
use crate::registry::Handle;

/// Answers of `lease` and `gate` that are no tokens. `src/cache/gates/ask.ts` has the same numbers.
const QUEUED: f64 = 0.0;
const HIT: f64 = -1.0;
const BUSY: f64 = -2.0;

impl<const N: usize> Call<'_, N> {
    /// The environment's mailbox, and `cache` among those it knows.
    fn mailbox_for(&self, cache: &Handle) -> Result<Arc<Mailbox>, Failure> {
        let mailbox = self.state.mailbox.get().ok_or_else(|| Failure::Type("the mailbox is not open".into()))?;
        mailbox.enlist(&cache.engine);
        Ok(Arc::clone(mailbox))
    }

    /// A request by this environment; `hold_ms` is NaN for no deadline.
    fn request(&self, cache: &Handle, kind: GateKind, ticket: f64, hold_ms: f64) -> Result<Request, Failure> {
        let mailbox = self.mailbox_for(cache)?;
        let hold_ms = (!hold_ms.is_nan()).then_some(hold_ms as u64);
        Ok(Request { kind, owner: mailbox.owner, ticket: ticket as u64, hold_ms, wake: mailbox })
    }

    fn answer(&self, number: f64) -> Outcome {
        outcome::number(self.env, number)
    }

    /// Fills the hold of the token in argument 11 with the value in argument 2; the rest is as in `setWith`.
    fn fill(&self, value: NewValue<'_>, options: &WriteOptions) -> Result<Filled, Failure> {
        let token = self.number(11)? as u64;
        self.with_open(|cache, key| Ok(cache.engine.fill(key, token, Fill::Store { value, options })?))
    }
}

fn filled(filled: Filled) -> f64 {
    match filled {
        Filled::Stored { .. } => 0.0,
        Filled::ConditionFailed => 1.0,
        Filled::NotStored => 2.0,
        Filled::Ended => 3.0,
        Filled::Fenced => 4.0,
    }
}

fn acquired(acquired: Acquired) -> f64 {
    match acquired {
        Acquired::Granted { token } => token as f64,
        Acquired::Queued => QUEUED,
    }
}

calls! {
    /// `openMailbox(deliver)`: from now on outcomes go to `deliver`. Once per environment.
    fn open_mailbox(call: 1) {
        if call.state.mailbox.get().is_none() {
            let mailbox = Mailbox::open(call.env, call.arguments[0])?;
            // Nothing ran in between that could have set it.
            let _ = call.state.mailbox.set(mailbox);
        }
        Ok(call.undefined())
    }

    /// `holdLoop(hold)`: whether the event loop stays alive for outcomes to come.
    fn hold_loop(call: 1) {
        let mut hold = false;
        // SAFETY: the argument is a live value of this call.
        check(unsafe { sys::napi_get_value_bool(call.env, call.arguments[0], &mut hold) })
            .map_err(|_| Failure::Type("hold must be a boolean".into()))?;
        if let Some(mailbox) = call.state.mailbox.get() {
            mailbox.hold_loop(call.env, hold)?;
        }
        Ok(call.undefined())
    }

    /// `identity(handle)`: a number that no other open cache of the process has.
    fn identity(call: 1) {
        let identity = call.with_cache(|cache| cache.map(|cache| Arc::as_ptr(&cache.engine).addr()).ok_or_else(closed))??;
        call.answer(identity as f64)
    }

    /// `lease(handle, key, ticket, refresh)`: a token, or one of the constants above.
    fn lease(call: 4) {
        let ticket = call.number(2)?;
        let mode = if call.number(3)? == 0.0 { LeaseMode::IfMissing } else { LeaseMode::Refresh };
        let lease = call.with_open(|cache, key| {
            let request = call.request(cache, GateKind::Load, ticket, f64::NAN)?;
            Ok(cache.engine.lease(key, request, mode)?)
        })?;
        call.answer(match lease {
            Lease::Won { token } => token as f64,
            Lease::Queued => QUEUED,
            Lease::Hit => HIT,
            Lease::Busy => BUSY,
        })
    }

    /// `gate(handle, key, ticket, kind, holdMs)`: a token, or `QUEUED`.
    fn gate(call: 5) {
        let (ticket, hold_ms) = (call.number(2)?, call.number(4)?);
        let kind = match call.number(3)? as u8 {
            kind if kind == GateKind::Insert as u8 => GateKind::Insert,
            kind if kind == GateKind::Update as u8 => GateKind::Update,
            _ => GateKind::Upsert,
        };
        let answer = call.with_open(|cache, key| {
            let request = call.request(cache, kind, ticket, hold_ms)?;
            Ok(cache.engine.gate(key, request)?)
        })?;
        call.answer(acquired(answer))
    }

    /// `stable(handle, key, ticket)`: `[codec, value]`, or `undefined` if it has to wait.
    fn stable(call: 3) {
        let ticket = call.number(2)?;
        let stable = call.with_open(|cache, key| {
            let request = call.request(cache, GateKind::Stable, ticket, f64::NAN)?;
            Ok(cache.engine.stable(key, request)?)
        })?;
        match stable {
            Stable::Queued => Ok(call.undefined()),
            Stable::Value(value) => outcome::pair(call.env, &value),
        }
    }

    /// `fill(handle, key, value, kind, codec, expiry, ms, idleTtl, cost, condition, version, token)`: ends a hold with a
    /// value. Where it throws, the hold has ended, too.
    fn fill(call: 12) {
        let options = call.write_options()?;
        let kind = call.number(3)? as u32;
        let result = if kind == Kind::Text as u32 {
            let length = call.read_text(2)?;
            let result = {
                let scratch = call.state.value.borrow();
                call.fill(NewValue { kind: Kind::Text, codec: 0, bytes: &scratch[..length] }, &options)
            };
            call.state.trim_value_scratch();
            result?
        } else if kind == Kind::Integer as u32 {
            let integer = call.number(2)? as i64;
            call.fill(NewValue { kind: Kind::Integer, codec: 0, bytes: &integer.to_le_bytes() }, &options)?
        } else {
            let (start, length) = call.bytes(2, "the value")?;
            let codec = call.number(4)? as u8;
            // SAFETY: Node-API keeps the array alive for the call, and nothing in it runs JavaScript. A
            // SharedArrayBuffer can change meanwhile; no decision is taken from reading the bytes twice.
            let bytes = unsafe { std::slice::from_raw_parts(start, length) };
            let kind = if codec == 0 { Kind::Bytes } else { Kind::Coded };
            call.fill(NewValue { kind, codec, bytes }, &options)?
        };
        call.answer(filled(result))
    }

    /// `endHold(handle, key, token, how, error)`: ends a hold without a value.
    fn end_hold(call: 5) {
        let token = call.number(2)? as u64;
        let how = call.number(3)? as u32;
        let result = call.with_open(|cache, key| {
            let fill = match how {
                0 => Fill::Keep,
                1 => Fill::Delete,
                2 => {
                    let (start, length) = call.bytes(4, "the error")?;
                    // SAFETY: as in `fill`.
                    Fill::Fail(unsafe { std::slice::from_raw_parts(start, length) })
                }
                _ => Fill::Abandon,
            };
            Ok(cache.engine.fill(key, token, fill)?)
        })?;
        call.answer(filled(result))
    }

    /// `cancel(handle, key, ticket)`: 0 it is gone, 1 it still loads for others, 2 it was not there.
    fn cancel(call: 3) {
        let ticket = call.number(2)? as u64;
        let cancelled = call.with_key(|key| {
            call.with_cache(|cache| match (cache, call.state.mailbox.get()) {
                (Some(cache), Some(mailbox)) => cache.engine.cancel(key, mailbox.owner, ticket),
                _ => Cancelled::Unknown,
            })
        })?;
        call.answer(match cancelled {
            Cancelled::Left => 0.0,
            Cancelled::StillLoading => 1.0,
            Cancelled::Unknown => 2.0,
        })
    }
}

/// The calls of this file by name.
pub const TABLE: [(&str, super::Callback); 9] = [
    ("openMailbox", open_mailbox),
    ("holdLoop", hold_loop),
    ("identity", identity),
    ("lease", lease),
    ("gate", gate),
    ("stable", stable),
    ("fill", fill),
    ("endHold", end_hold),
    ("cancel", cancel),
];
