//! Calls that delete.

use tandem_engine::Condition;

use super::calls;
use super::deliver::{Form, copy};

calls! {
    /// `delete(handle, key)`: says whether an entry went.
    fn delete(call: 2) {
        let deleted = call.with_open(|cache, key| Ok(cache.engine.delete(key, Condition::Always)?))?;
        call.boolean(deleted)
    }

    /// `take(handle, key)`: deletes, and returns the value as `get` does.
    fn take(call: 2) {
        let mut scratch = call.state.value.borrow_mut();
        let copied = call.with_open(|cache, key| {
            Ok(cache.engine.take(key, |found| copy(call.state, &mut scratch, found, Form::Value))?)
        })?;
        call.deliver(copied, &scratch)
    }
}
