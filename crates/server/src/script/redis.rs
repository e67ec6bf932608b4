//! Functions of the table `redis` that run no command.

use mlua::{MultiValue, Value};
use tandem_wire::Protocol;

use super::cache::digest;
use super::convert::field;
use super::native::{Call, Failure, Native};
use crate::command::find;

/// The functions by their names.
pub(super) const FUNCTIONS: &[(&str, Native)] = &[
    ("sha1hex", sha1hex),
    ("error_reply", error_reply),
    ("setresp", setresp),
    ("log", log),
    ("set_repl", set_repl),
    ("acl_check_cmd", acl_check_cmd),
];

/// Levels of `redis.log`.
const LOG_LEVELS: std::ops::RangeInclusive<i64> = 0..=3;
/// Flags of `redis.set_repl`.
const REPL_ALL: i64 = 3;

/// A number, or a text that is one, without its fraction; 0 for anything else.
fn integer(call: &Call<'_>, number: usize) -> i64 {
    call.number(number, None).map_or(0, |number| number as i64)
}

fn sha1hex(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return Err(Failure::Reply("ERR wrong number of arguments"));
    }
    // Redis takes what is no text for an empty one.
    let hexadecimal = match call.text(1) {
        Ok(text) => digest(&text.as_bytes()),
        Err(_) => digest(b""),
    };
    call.results(call.lua.create_string(hexadecimal)?)
}

/// A table with the error under `err`, which gets a code where it has none.
fn error_reply(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let text = call.text(1)?;
    let mut text = &*text.as_bytes();
    text = text.strip_prefix(b"-").unwrap_or(text);
    while let [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    let error = if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() };
    call.results(field(call.lua, "err", &error)?)
}

/// Which protocol the replies of commands are in, and the reply of the script.
fn setresp(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return Err(Failure::Reply("ERR redis.setresp() requires one argument."));
    }
    call.state.protocol.set(match integer(call, 1) {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return Err(Failure::Reply("ERR RESP version must be 2 or 3.")),
    });
    call.results(())
}

/// Nothing is written: the log of a server is not for what its clients like to say.
fn log(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() < 2 {
        return Err(Failure::Reply("ERR redis.log() requires two arguments or more."));
    }
    let Ok(level) = call.number(1, None) else {
        return Err(Failure::Reply("ERR First argument must be a number (log level)."));
    };
    if !LOG_LEVELS.contains(&(level as i64)) {
        return Err(Failure::Reply("ERR Invalid debug level."));
    }
    call.results(())
}

/// Has no effect: what is replicated is what a script changed, not what it said.
fn set_repl(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return Err(Failure::Reply("ERR redis.set_repl() requires two arguments."));
    }
    if integer(call, 1) & !REPL_ALL != 0 {
        return Err(Failure::Reply(
            "ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
        ));
    }
    call.results(())
}

/// Whether the user may run a command. There is one user, who may run all there are.
fn acl_check_cmd(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.is_empty() {
        return Err(Failure::Reply("ERR Please specify at least one argument for this redis lib call"));
    }
    if !call
        .arguments
        .iter()
        .all(|argument| matches!(argument, Value::String(_) | Value::Integer(_) | Value::Number(_)))
    {
        return Err(Failure::Reply("ERR Lua redis lib command arguments must be strings or integers"));
    }
    let entry = find(&call.text(1)?.as_bytes());
    let is_there = match entry {
        Some(entry) if !entry.subcommands.is_empty() && call.arguments.len() > 1 => {
            entry.subcommand(&call.text(2)?.as_bytes()).is_some()
        }
        entry => entry.is_some(),
    };
    if !is_there {
        return Err(Failure::Reply("ERR Invalid command passed to redis.acl_check_cmd()"));
    }
    call.results(true)
}
