//! Calls that delete.

use tandem_engine::Condition;

use super::calls;
use super::deliver::{Form, copy};
use super::read::closed;

calls! {
    /// `delete(handle, key)`: says whether an entry went.
    fn delete(call: 2) {
        let deleted = call.with_key(|key| {
            call.with_cache(|cache| match cache {
                Some(cache) => Ok(cache.engine.delete(key, Condition::Always)?),
                None => Err(closed()),
            })?
        })?;
        call.boolean(deleted)
    }

    /// `take(handle, key)`: deletes, and returns the value as `get` does.
    fn take(call: 2) {
        let mut scratch = call.state.value.borrow_mut();
        let copied = call.with_key(|key| {
            call.with_cache(|cache| match cache {
                Some(cache) => {
                    Ok(cache.engine.take(key, |found| copy(call.state, &mut scratch, found, Form::Value))?)
                }
                None => Err(closed()),
            })?
        })?;
        call.deliver(copied, &scratch)
    }
}
