//! The calls on the data path, on raw Node-API: one crossing, no allocation on the Rust side, no JavaScript object
//! but the result.

mod argument;
mod deliver;
mod gated;
mod read;
mod remove;
mod write;

pub use argument::Key;
pub use write::expiry;

use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::sys;
use tandem_engine::Error;

use crate::environment::{Environment, check};
use crate::failure::Failure;
use crate::registry::Handle;

type Outcome = Result<sys::napi_value, Failure>;

/// The arguments and surroundings of one call from JavaScript.
struct Call<'a, const N: usize> {
    env: sys::napi_env,
    arguments: [sys::napi_value; N],
    state: &'a Environment,
}

impl<const N: usize> Call<'_, N> {
    /// Runs `f` with the cache whose handle number is the first argument.
    #[inline(always)]
    fn with_cache<T>(&self, f: impl FnOnce(Option<&Handle>) -> T) -> Result<T, Failure> {
        Ok(self.state.slots.with(self.handle_number()?, f))
    }

    /// Runs `f` with that cache and the key in argument 1.
    ///
    /// # Errors
    /// [`Error::Closed`] where the handle was closed.
    #[inline(always)]
    fn with_open<T>(&self, f: impl FnOnce(&Handle, &[u8]) -> Result<T, Failure>) -> Result<T, Failure> {
        self.with_key(|key| {
            self.state.slots.with(self.handle_number()?, |cache| match cache {
                Some(cache) => f(cache, key),
                None => Err(closed()),
            })
        })
    }

    #[inline(always)]
    fn handle_number(&self) -> Result<u32, Failure> {
        let mut number = 0;
        // SAFETY: the argument is a live value of this call.
        check(unsafe { sys::napi_get_value_uint32(self.env, self.arguments[0], &mut number) })
            .map_err(|_| Failure::Type("the handle must be a number".into()))?;
        Ok(number)
    }

    /// JavaScript's `undefined`.
    #[inline(always)]
    fn undefined(&self) -> sys::napi_value {
        ptr::null_mut()
    }

    #[inline(always)]
    fn boolean(&self, value: bool) -> Outcome {
        let mut result = ptr::null_mut();
        // SAFETY: the out pointer is valid.
        check(unsafe { sys::napi_get_boolean(self.env, value, &mut result) })?;
        Ok(result)
    }
}

/// What a call on a closed handle reports.
#[cold]
fn closed() -> Failure {
    Error::Closed.into()
}

/// Reads the arguments, runs `body`, and turns failures and panics into exceptions.
///
/// # Safety
/// To be called from a Node-API callback with its own parameters; the function's data is an [`Environment`].
#[inline(always)]
unsafe fn enter<const N: usize>(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: impl FnOnce(&Call<'_, N>) -> Outcome,
) -> sys::napi_value {
    let mut arguments = [ptr::null_mut(); N];
    let mut count = N;
    let mut data: *mut c_void = ptr::null_mut();
    // SAFETY: `arguments` has room for `count` values; missing ones are filled with `undefined`. `data` is what
    // `functions` registered, and the environment's state outlives its functions.
    let state = unsafe {
        sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), ptr::null_mut(), &mut data);
        &*data.cast::<Environment>()
    };
    let call = Call { env, arguments, state };
    // A panic must not cross into JavaScript. The engine has emptied the shard it happened in; scratch memory holds
    // no invariant, so carrying on is safe.
    match catch_unwind(AssertUnwindSafe(|| body(&call))) {
        Ok(Ok(value)) => value,
        Ok(Err(failure)) => {
            failure.throw(env);
            ptr::null_mut()
        }
        Err(_) => {
            let message = "a bug in the native code ended this call; the part of the cache it was in may be empty now";
            Failure::Coded { code: "Internal", message: message.into() }.throw(env);
            ptr::null_mut()
        }
    }
}

/// Makes `pub unsafe extern "C" fn name` out of a body over [`Call`].
macro_rules! calls {
    ($($(#[$doc:meta])* fn $name:ident($call:ident: $count:literal) $body:block)*) => {$(
        $(#[$doc])*
        pub unsafe extern "C" fn $name(
            env: napi::sys::napi_env,
            info: napi::sys::napi_callback_info,
        ) -> napi::sys::napi_value {
            let body = |$call: &$crate::calls::Call<'_, $count>| -> $crate::calls::Outcome { $body };
            // SAFETY: Node-API calls this with a live environment and callback info, and `functions` gave the data.
            unsafe { $crate::calls::enter(env, info, body) }
        }
    )*};
}
use calls;

type Callback = unsafe extern "C" fn(sys::napi_env, sys::napi_callback_info) -> sys::napi_value;

/// Makes an object with one function per call, and the window. Their types are in `src/native.ts`.
pub fn functions(env: sys::napi_env, state: &Environment) -> Outcome {
    let table: [(&str, Callback); 16] = [
        ("get", read::get),
        ("peek", read::peek),
        ("getBytes", read::get_bytes),
        ("getInto", read::get_into),
        ("getEntry", read::get_entry),
        ("inspect", read::inspect),
        ("take", remove::take),
        ("has", read::has),
        ("touch", read::touch),
        ("delete", remove::delete),
        ("setText", write::set_text),
        ("setBytes", write::set_bytes),
        ("setCoded", write::set_coded),
        ("setInteger", write::set_integer),
        ("setWith", write::set_with),
        ("incr", write::incr),
    ];
    let mut object = ptr::null_mut();
    // SAFETY: `env` is live; names are NUL-terminated; `state` is the leaked state of `env`, which outlives the
    // functions, and is only read through shared references.
    unsafe {
        check(sys::napi_create_object(env, &mut object))?;
        for (name, callback) in table.into_iter().chain(gated::TABLE) {
            let name = CString::new(name).expect("no NUL in a name");
            let data = ptr::from_ref(state).cast_mut().cast();
            let mut function = ptr::null_mut();
            check(sys::napi_create_function(env, name.as_ptr(), -1, Some(callback), data, &mut function))?;
            check(sys::napi_set_named_property(env, object, name.as_ptr(), function))?;
        }
    }
    let window = state.window_value(env)?;
    // SAFETY: both values are live in this call.
    check(unsafe { sys::napi_set_named_property(env, object, c"window".as_ptr(), window) })?;
    Ok(object)
}
