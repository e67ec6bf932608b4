//! Scripts: Lua 5.1 on the loop that received them, each one a transaction.
//!
//! ```text
//!  run ── Cache::transaction ── Interpreter::run ── the script ── redis.call ── Bridge ── the command table
//!                                   │ prelude.lua, native.rs: the library it sees      └─ reply ── convert ── Lua value
//!                                   └ a hook that ends it at the deadline
//! ```
//!
//! A script begins with the keys it declared. If it asks for another one, everything is undone and it runs again with
//! the whole cache. A script that fails by itself keeps its effects, as in Redis; one that exceeds its time or memory,
//! and a panic, undo them.

mod binary;
mod bits;
mod bridge;
mod cache;
mod cjson;
mod convert;
mod interpreter;
mod msgpack;
mod native;
mod number;
mod pattern;
mod redis;
mod shebang;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::sync::Arc;

pub(crate) use cache::{Digest, ScriptCache, digest};
use mlua::Function;
use tandem_engine::{Error, Scope};

use crate::command::{Context, refusal};
use crate::connection::{Client, Special};
use crate::database::Restore;
use crate::observer;
use bridge::Bridge;
use convert::Writer;
use interpreter::{Ended, Interpreter, Stop};
use shebang::Shebang;

thread_local! {
    /// The interpreter of this loop; taken out while it runs, so that one which panics is not used again.
    static INTERPRETER: Cell<Option<Interpreter>> = const { Cell::new(None) };
}

/// A script and what it was called with.
pub(crate) struct Call<'a> {
    pub digest: Digest,
    pub source: Arc<[u8]>,
    pub keys: Vec<&'a [u8]>,
    pub arguments: Vec<&'a [u8]>,
    /// No command of the script may write.
    pub read_only: bool,
}

/// Why a run is undone.
enum Failure {
    Stopped {
        stop: Stop,
        /// The cache was cleared before: it is not undone after all.
        is_final: bool,
    },
    Engine(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Engine(error)
    }
}

/// Compiles a script without running it.
///
/// # Errors
/// What is wrong with it, in Redis' words.
pub(crate) fn check(context: &Context<'_>, digest: &Digest, source: &[u8]) -> Result<(), String> {
    Shebang::of(source)?;
    let mut interpreter = take_interpreter(context)?;
    let compiled = interpreter.compile(digest, source).map(drop).map_err(|message| not_compiled(&message));
    INTERPRETER.set(Some(interpreter));
    compiled
}

/// Runs a script and writes its reply.
pub(crate) fn run(context: &mut Context<'_>, call: &mut Call<'_>) {
    let shebang = match Shebang::of(&call.source) {
        Ok(shebang) => shebang,
        Err(message) => return context.error(message),
    };
    if call.read_only && shebang.length > 0 && !shebang.no_writes {
        return context.error("ERR Can not execute a script with write flag using *_ro command.");
    }
    call.read_only |= shebang.no_writes;
    let mut interpreter = match take_interpreter(context) {
        Ok(interpreter) => interpreter,
        Err(message) => return context.error(message),
    };
    let function = match interpreter.compile(&call.digest, &call.source) {
        Ok(function) => function,
        Err(message) => {
            INTERPRETER.set(Some(interpreter));
            return context.error(not_compiled(&message));
        }
    };
    context.server.keep_script(call.digest, &call.source);
    if context.client.special.contains(Special::TRACKING) {
        observer::remember(context.server, context.client, call.keys.iter().copied());
    }
    let mark = context.output.mark();
    let stored: Vec<Vec<u8>> =
        call.keys.iter().map(|key| context.keys.stored(context.client.db, key).to_vec()).collect();
    let declared: Vec<&[u8]> = stored.iter().map(Vec::as_slice).collect();
    let mut outcome = Err(Failure::Stopped { stop: Stop::Undeclared, is_final: false });
    if !declared.is_empty() {
        outcome = attempt(context, &interpreter, &function, call, Scope::Keys(&declared));
    }
    if let Err(Failure::Stopped { stop: Stop::Undeclared, .. }) = outcome {
        context.output.rewind(mark);
        outcome = attempt(context, &interpreter, &function, call, Scope::All);
    }
    drop(function);
    let Err(failure) = outcome else {
        interpreter.tidy();
        return INTERPRETER.set(Some(interpreter));
    };
    context.output.rewind(mark);
    match failure {
        Failure::Engine(error) => refusal::engine(context, &error),
        Failure::Stopped { stop, is_final } => {
            if context.server.cache.in_transaction() && !is_final {
                // This was a part of it: alone it cannot be undone.
                context.client.special.insert(Special::UNDONE);
            }
            let end = if is_final { "stopped; what it did since it cleared the cache stays" } else { "rolled back" };
            let options = &context.server.options;
            let (budget, memory) = (options.transaction_budget.as_millis(), options.script_memory);
            match stop {
                Stop::Budget => context.error(format_args!("ERR the script ran longer than {budget} ms and was {end}")),
                Stop::Memory => {
                    // What is left of its memory is not worth looking for.
                    return context
                        .error(format_args!("ERR the script needed more than {memory} bytes of memory and was {end}"));
                }
                Stop::Undeclared => {
                    context.error("ERR the script asked for keys outside of the transaction it is part of");
                }
            }
        }
    }
    interpreter.tidy();
    INTERPRETER.set(Some(interpreter));
}

fn take_interpreter(context: &Context<'_>) -> Result<Interpreter, String> {
    let memory = context.server.options.script_memory;
    match INTERPRETER.take() {
        Some(interpreter) => Ok(interpreter),
        None => Interpreter::new(memory)
            .map_err(|error| format!("ERR no interpreter can be made with {memory} bytes for scripts: {error}")),
    }
}

fn not_compiled(message: &str) -> String {
    format!("ERR Error compiling script (new function): {message}")
}

/// Runs a script with `scope` held.
fn attempt(
    context: &mut Context<'_>,
    interpreter: &Interpreter,
    function: &Function,
    call: &Call<'_>,
    scope: Scope<'_>,
) -> Result<(), Failure> {
    let server = context.server;
    server.cache.transaction(scope, |held| {
        let restore = Restore::new(&server.databases, held);
        let stopped = |stop| Failure::Stopped { stop, is_final: held.is_final() };
        let mut client = Client::new(context.client.address(), false);
        client.db = context.client.db;
        let mut bridge = Bridge::new(server, context.keys, held, client, call.read_only);
        let ended = interpreter
            .run(
                function,
                [&call.keys, &call.arguments],
                server.options.transaction_budget,
                &mut |lua, state, arguments| bridge.call(lua, state, &arguments),
            )
            .map_err(stopped)?;
        let (protocol, limit) = (context.client.protocol, context.copied_limit());
        let out = context.output.bytes();
        match ended {
            Ended::Returned(value) => {
                let max_bytes = out.len().saturating_add(limit);
                let late = || interpreter.state.is_late();
                let script_protocol = interpreter.state.protocol.get();
                let written = Writer { out, protocol, script_protocol, max_bytes, late: &late }.write(&value, 0);
                written.map_err(|_| stopped(if late() { Stop::Budget } else { Stop::Memory }))?;
            }
            Ended::Failed(problem) => {
                let mut text = problem.text;
                if let Some(line) = problem.line {
                    text.extend_from_slice(b" script: ");
                    text.extend_from_slice(&call.digest);
                    text.extend_from_slice(format!(", on @user_script:{line}.").as_bytes());
                }
                convert::line(out, b'-', &text);
            }
        }
        restore.keep();
        Ok(())
    })
}
