//! The way back from the engine's gates into a JavaScript environment.
//!
//! Each environment has one mailbox: any thread posts (ticket, outcome), and one thread-safe function hands all that
//! is there to one JavaScript callback. Posts that come while a hand-over is on its way join it, so a burst of
//! outcomes costs one wake-up of the event loop.
//!
//! The thread-safe function is never released from here: releasing one whose environment is gone crashes some versions
//! of Node (nodejs/node#55706). Instead the environment's cleanup hook takes it out of the mailbox before Node frees it
//! with the environment; what is posted later has no reader and is dropped.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use napi::sys;
use tandem_engine::Cache;
use tandem_engine::gates::{Outcome, Wake};

use crate::environment::check;
use crate::failure::Failure;
use crate::outcome;

/// Owners of gates are numbered through the process; no number is given twice.
static NEXT_OWNER: AtomicU64 = AtomicU64::new(1);

struct ThreadsafeFunction(sys::napi_threadsafe_function);

// SAFETY: Node-API allows calls of a thread-safe function from any thread. It is called only under the lock of the
// mailbox, which it leaves before the environment frees it.
unsafe impl Send for ThreadsafeFunction {}

#[derive(Default)]
struct State {
    /// `None` before the environment began and after it ended.
    function: Option<ThreadsafeFunction>,
    posts: Vec<(u64, Outcome)>,
    /// Whether a call of the function is on its way that will take the posts.
    scheduled: bool,
    /// Caches that may hold gates of this environment.
    caches: Vec<Weak<Cache>>,
}

/// Outcomes on their way into one environment.
pub struct Mailbox {
    /// Number of the environment as an owner of gates.
    pub owner: u64,
    state: Mutex<State>,
}

impl Wake for Mailbox {
    fn wake(&self, ticket: u64, outcome: Outcome) {
        let mut state = self.lock();
        let state = &mut *state;
        let Some(function) = &state.function else { return };
        state.posts.push((ticket, outcome));
        if !state.scheduled {
            // SAFETY: the function is alive while it is in the mailbox. The queue is unbounded, so this cannot be
            // refused for being full; where the environment is closing nobody is left to read.
            let status = unsafe {
                sys::napi_call_threadsafe_function(
                    function.0,
                    ptr::null_mut(),
                    sys::ThreadsafeFunctionCallMode::nonblocking,
                )
            };
            state.scheduled = status == sys::Status::napi_ok;
        }
    }
}

impl Mailbox {
    /// Opens the mailbox of `env`. `deliver` will be called with flat arrays as [`outcome::to_array`] makes them.
    /// It does not hold the event loop until told so.
    ///
    /// # Errors
    /// [`Failure::Pending`] when Node-API refuses: the environment is ending.
    pub fn open(env: sys::napi_env, deliver: sys::napi_value) -> Result<Arc<Self>, Failure> {
        let mailbox = Arc::new(Self { owner: NEXT_OWNER.fetch_add(1, Ordering::Relaxed), state: Mutex::default() });
        let name = outcome::string(env, "tandem-cache:mailbox")?;
        let mut function = ptr::null_mut();
        let context = Arc::into_raw(Arc::clone(&mailbox)).cast_mut().cast::<c_void>();
        // SAFETY: all values are live in this call. The context is a counted reference that `finalize` gives back, or
        // the error path below where Node-API did not take it.
        let created = check(unsafe {
            sys::napi_create_threadsafe_function(
                env,
                deliver,
                ptr::null_mut(),
                name,
                0,
                1,
                context,
                Some(finalize),
                context,
                Some(hand_over),
                &mut function,
            )
        });
        if created.is_err() {
            // SAFETY: the reference made above; nothing else took it.
            drop(unsafe { Arc::from_raw(context.cast::<Self>()) });
            return Err(Failure::Pending);
        }
        mailbox.lock().function = Some(ThreadsafeFunction(function));
        // SAFETY: `function` was just created in `env`. Cleanup hooks run in reverse order, so `close` runs before the
        // one with which Node frees the function; the reference it is given was leaked for it.
        unsafe {
            check(sys::napi_unref_threadsafe_function(env, function))?;
            let reference = Arc::into_raw(Arc::clone(&mailbox)).cast_mut().cast::<c_void>();
            check(sys::napi_add_env_cleanup_hook(env, Some(close), reference))?;
        }
        Ok(mailbox)
    }

    /// Holds the event loop of `env`, whose mailbox this is, or lets it go.
    pub fn hold_loop(&self, env: sys::napi_env, hold: bool) -> Result<(), Failure> {
        let state = self.lock();
        let Some(function) = &state.function else { return Ok(()) };
        // SAFETY: called on the thread of `env`, in which the function was created.
        check(unsafe {
            if hold {
                sys::napi_ref_threadsafe_function(env, function.0)
            } else {
                sys::napi_unref_threadsafe_function(env, function.0)
            }
        })
    }

    /// Notes that gates of `cache` may come to be owned by this environment.
    pub fn enlist(&self, cache: &Arc<Cache>) {
        let mut state = self.lock();
        let cache = Arc::downgrade(cache);
        if !state.caches.iter().any(|known| known.ptr_eq(&cache)) {
            state.caches.retain(|known| known.strong_count() > 0);
            state.caches.push(cache);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_posts(&self) -> Vec<(u64, Outcome)> {
        let mut state = self.lock();
        state.scheduled = false;
        std::mem::take(&mut state.posts)
    }
}

/// The environment ends: nothing is posted to it from now on, and its gates pass to those who wait for them.
unsafe extern "C" fn close(reference: *mut c_void) {
    // SAFETY: the reference that `open` leaked for this hook, which runs once.
    let mailbox = unsafe { Arc::from_raw(reference.cast::<Mailbox>()) };
    let mut state = mailbox.lock();
    state.function = None;
    state.posts.clear();
    let caches = std::mem::take(&mut state.caches);
    drop(state);
    for cache in caches.iter().filter_map(Weak::upgrade) {
        cache.owner_gone(mailbox.owner);
    }
}

/// Node is done with the thread-safe function.
unsafe extern "C" fn finalize(_env: sys::napi_env, data: *mut c_void, _hint: *mut c_void) {
    // SAFETY: `data` is the counted reference that `open` made for the function's context; no call of `hand_over`
    // comes after this.
    drop(unsafe { Arc::from_raw(data.cast::<Mailbox>()) });
}

/// Runs on the event loop: gives all posts to the JavaScript callback at once.
unsafe extern "C" fn hand_over(
    env: sys::napi_env,
    callback: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    // Without an environment Node is only emptying the queue.
    if env.is_null() {
        return;
    }
    // SAFETY: the context is alive until `finalize`.
    let mailbox = unsafe { &*context.cast::<Mailbox>() };
    let posts = mailbox.take_posts();
    if posts.is_empty() {
        return;
    }
    let Ok(array) = outcome::to_array(env, posts) else { return };
    let (mut receiver, mut result) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: Node opened a handle scope around this call; all values are live in it. What the callback throws stays
    // pending and Node reports it as uncaught.
    unsafe {
        if sys::napi_get_undefined(env, &mut receiver) == sys::Status::napi_ok {
            sys::napi_call_function(env, receiver, callback, 1, &array, &mut result);
        }
    }
}
