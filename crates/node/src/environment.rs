//! What one JavaScript environment (the main thread or a worker thread) owns on the native side.
//!
//! ```text
//!  window   an ArrayBuffer JavaScript sees, too:  | header, 64 bytes | bytes of a value, up to 64 KiB |
//!  key      scratch for the key of the current call; at most one call runs at a time
//!  value    scratch for a string on its way in or out
//!  slots    handle number -> open cache
//! ```
//!
//! All of it is touched by the environment's own thread only, and no borrow is held across a call into JavaScript.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::rc::Rc;
use std::sync::Arc;

use napi::sys;
use tandem_engine::MAX_KEY_BYTES;

use crate::failure::Failure;
use crate::mailbox::Mailbox;
use crate::registry::Handle;

/// Bytes of a value that fit the window.
pub const WINDOW_BYTES: usize = 64 << 10;
/// Bytes in front of them; the fields are in [`Header`].
pub const HEADER_BYTES: usize = 64;
/// Initial and resting size of the value scratch.
const VALUE_SCRATCH_BYTES: usize = 64 << 10;
/// Room for the longest key, one more byte to notice a longer one, and Node-API's terminator.
const KEY_SCRATCH_BYTES: usize = MAX_KEY_BYTES + 8;

/// Start of the window. `src/cache/window.ts` reads the same layout.
#[repr(C)]
#[derive(Default)]
pub struct Header {
    /// Length of the value in the window.
    pub length: u32,
    /// Kind of the value in the window.
    pub kind: u32,
    /// Codec id of the value in the window.
    pub codec: u32,
    /// Set by TypeScript while a codec reads the window: values must not be put there then.
    pub busy: u32,
    /// Absolute expiry in ms since the Unix epoch, NaN for none.
    pub expires_at: f64,
    /// Cost of the entry.
    pub cost: f64,
    /// Version of the entry.
    pub version: u64,
    /// Idle ttl in ms, NaN for none.
    pub idle_ttl: f64,
}

const _: () = assert!(size_of::<Header>() <= HEADER_BYTES);

/// Open caches of an environment, by handle number.
#[derive(Default)]
pub struct Slots(RefCell<Vec<Option<Handle>>>);

impl Slots {
    /// Puts `handle` into a free slot and returns its number.
    pub fn insert(&self, handle: Handle) -> u32 {
        let mut slots = self.0.borrow_mut();
        let index = slots.iter().position(Option::is_none).unwrap_or_else(|| {
            slots.push(None);
            slots.len() - 1
        });
        slots[index] = Some(handle);
        index as u32
    }

    /// Takes the handle out; the cache closes if it was the last one of the process.
    pub fn remove(&self, index: u32) -> Option<Handle> {
        self.0.borrow_mut().get_mut(index as usize).and_then(Option::take)
    }

    /// Runs `f` with the handle in slot `index`, or `None` where it was closed.
    #[inline(always)]
    pub fn with<T>(&self, index: u32, f: impl FnOnce(Option<&Handle>) -> T) -> T {
        f(self.0.borrow().get(index as usize).and_then(Option::as_ref))
    }
}

/// Native state of one environment; freed when the environment ends.
pub struct Environment {
    /// Open caches. Shared with class instances, which may be finalized after this state.
    pub slots: Rc<Slots>,
    /// Scratch for the key of the current call.
    pub key: RefCell<Box<[u8]>>,
    /// Scratch for a string value of the current call.
    pub value: RefCell<Vec<u8>>,
    /// Where outcomes of gates arrive; open once something may have to wait.
    pub mailbox: OnceCell<Arc<Mailbox>>,
    window: NonNull<u8>,
    window_reference: sys::napi_ref,
    error_factory: Cell<sys::napi_ref>,
    is_in_bounds: Cell<sys::napi_ref>,
}

impl Environment {
    /// The state of `env`, once [`Environment::install`] ran.
    pub fn of<'a>(env: sys::napi_env) -> Option<&'a Environment> {
        let mut data = ptr::null_mut();
        // SAFETY: instance data of this addon is only ever set by `install`, to a leaked `Environment` that is freed
        // when the environment ends; callers are callbacks of that environment, so it lives throughout the call.
        unsafe {
            let found = sys::napi_get_instance_data(env, &mut data) == sys::Status::napi_ok;
            if found { data.cast::<Environment>().as_ref() } else { None }
        }
    }

    /// Makes the state of `env`, or finds it, and tells it what JavaScript provides.
    pub fn install<'a>(
        env: sys::napi_env,
        error_factory: sys::napi_value,
        is_in_bounds: sys::napi_value,
    ) -> Result<&'a Environment, Failure> {
        let state = match Self::of(env) {
            Some(state) => state,
            None => Self::create(env)?,
        };
        for (cell, function) in [(&state.error_factory, error_factory), (&state.is_in_bounds, is_in_bounds)] {
            let mut reference = ptr::null_mut();
            // SAFETY: `function` is an argument of the current call; the old reference belongs to the same `env`.
            unsafe {
                check(sys::napi_create_reference(env, function, 1, &mut reference))?;
                let old = cell.replace(reference);
                if !old.is_null() {
                    sys::napi_delete_reference(env, old);
                }
            }
        }
        Ok(state)
    }

    fn create<'a>(env: sys::napi_env) -> Result<&'a Environment, Failure> {
        let (mut data, mut buffer, mut reference) = (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
        // SAFETY: out pointers are valid. The strong reference keeps the buffer, and Node-API never moves its memory;
        // JavaScript could detach it only through `transfer`, which the TypeScript layer does not do.
        unsafe {
            check(sys::napi_create_arraybuffer(env, HEADER_BYTES + WINDOW_BYTES, &mut data, &mut buffer))?;
            check(sys::napi_create_reference(env, buffer, 1, &mut reference))?;
        }
        let state = Box::into_raw(Box::new(Environment {
            slots: Rc::default(),
            key: RefCell::new(vec![0; KEY_SCRATCH_BYTES].into_boxed_slice()),
            value: RefCell::new(vec![0; VALUE_SCRATCH_BYTES]),
            mailbox: OnceCell::new(),
            window: NonNull::new(data.cast()).ok_or(Failure::Pending)?,
            window_reference: reference,
            error_factory: Cell::new(ptr::null_mut()),
            is_in_bounds: Cell::new(ptr::null_mut()),
        }));
        // SAFETY: `state` is a fresh box; `free` gets it back exactly once.
        unsafe {
            check(sys::napi_set_instance_data(env, state.cast(), Some(free), ptr::null_mut()))?;
            Ok(&*state)
        }
    }

    /// The window as JavaScript sees it.
    pub fn window_value(&self, env: sys::napi_env) -> Result<sys::napi_value, Failure> {
        let mut value = ptr::null_mut();
        // SAFETY: the reference is strong and lives as long as `self`.
        check(unsafe { sys::napi_get_reference_value(env, self.window_reference, &mut value) })?;
        Ok(value)
    }

    /// The header of the window.
    #[inline(always)]
    pub fn header(&self) -> *mut Header {
        self.window.as_ptr().cast()
    }

    /// Whether a codec is reading the window right now.
    #[inline(always)]
    pub fn window_busy(&self) -> bool {
        // SAFETY: the window is mapped as long as `self` lives, and only this thread touches it.
        unsafe { (*self.header()).busy != 0 }
    }

    /// Copies a value into the window. The caller has checked that it fits and that the window is not busy.
    #[inline(always)]
    pub fn fill_window(&self, bytes: &[u8], kind: u32, codec: u32) {
        assert!(bytes.len() <= WINDOW_BYTES);
        // SAFETY: as above; `bytes` never lies in the window, because values come out of the engine.
        unsafe {
            let header = self.header();
            (*header).length = bytes.len() as u32;
            (*header).kind = kind;
            (*header).codec = codec;
            ptr::copy_nonoverlapping(bytes.as_ptr(), self.window.as_ptr().add(HEADER_BYTES), bytes.len());
        }
    }

    /// The function that builds a `TandemError`.
    pub fn error_factory(&self, env: sys::napi_env) -> Option<sys::napi_value> {
        resolve(env, &self.error_factory)
    }

    /// Whether a typed array is attached to its buffer and within it.
    pub fn is_in_bounds(&self, env: sys::napi_env, array: sys::napi_value) -> Result<bool, Failure> {
        let function = resolve(env, &self.is_in_bounds).ok_or(Failure::Pending)?;
        let (mut receiver, mut answer, mut is_in_bounds) = (ptr::null_mut(), ptr::null_mut(), false);
        // SAFETY: all values belong to `env` and are live in the handle scope of the current call.
        unsafe {
            check(sys::napi_get_undefined(env, &mut receiver))?;
            check(sys::napi_call_function(env, receiver, function, 1, &array, &mut answer))?;
            check(sys::napi_get_value_bool(env, answer, &mut is_in_bounds))?;
        }
        Ok(is_in_bounds)
    }

    /// Gives the memory of an unusually large value back.
    pub fn trim_value_scratch(&self) {
        let mut value = self.value.borrow_mut();
        if value.len() > 16 * VALUE_SCRATCH_BYTES {
            *value = vec![0; VALUE_SCRATCH_BYTES];
        }
    }
}

/// The function behind a reference of `env`'s own state.
fn resolve(env: sys::napi_env, reference: &Cell<sys::napi_ref>) -> Option<sys::napi_value> {
    let mut value = ptr::null_mut();
    // SAFETY: the reference is null or belongs to `env`.
    let status = unsafe { sys::napi_get_reference_value(env, reference.get(), &mut value) };
    (status == sys::Status::napi_ok && !value.is_null()).then_some(value)
}

unsafe extern "C" fn free(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: `data` is the box leaked by `create`; Node-API calls this once, after the last callback of `env`.
    // The references die with the environment.
    drop(unsafe { Box::from_raw(data.cast::<Environment>()) });
}

/// Turns a failed Node-API call into a failure; an exception is pending or the environment is ending.
#[inline(always)]
pub fn check(status: sys::napi_status) -> Result<(), Failure> {
    if status == sys::Status::napi_ok { Ok(()) } else { Err(Failure::Pending) }
}
