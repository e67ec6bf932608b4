//! Commands that a script calls: the same table, the same functions, and a reply that is turned into a Lua value.

use std::rc::Rc;

use mlua::{Lua, MultiValue, Value};
use tandem_engine::Held;
use tandem_wire::{Args, Limits, Progress, RequestParser};

use super::convert::{error_table, field, to_lua};
use super::interpreter::{RunState, Stop};
use super::number::general;
use crate::command::keys_of;
use crate::command::{Context, Entry, Flag, Group, Keys, find};
use crate::connection::Client;
use crate::database::KeySpace;
use crate::dispatch::run_observed;
use crate::output::Output;
use crate::shared::Shared;

/// What the commands of one run work with: a client of their own, so that what they select ends with the script.
pub(super) struct Bridge<'b> {
    pub server: &'b Shared,
    pub keys: &'b mut KeySpace,
    pub held: &'b Held<'b>,
    pub client: Client,
    /// No command may write.
    pub read_only: bool,
    request: Vec<u8>,
    parser: RequestParser,
    output: Output,
}

/// Why a command is not run.
enum Refusal {
    /// The script gets this as an error.
    Error(&'static str),
    Stop(Stop),
}

impl<'b> Bridge<'b> {
    pub fn new(
        server: &'b Shared,
        keys: &'b mut KeySpace,
        held: &'b Held<'b>,
        client: Client,
        read_only: bool,
    ) -> Self {
        let (request, parser, output) = (Vec::new(), RequestParser::default(), Output::default());
        Self { server, keys, held, client, read_only, request, parser, output }
    }

    /// Runs a command; an error is a table with its text under `err`.
    ///
    /// # Errors
    /// The run is to end, or Lua's: too much memory.
    pub fn call(&mut self, lua: &Lua, state: &Rc<RunState>, arguments: &MultiValue) -> mlua::Result<Value> {
        if state.is_late() {
            return Err(state.halt(lua, Stop::Budget));
        }
        if let Err(message) = encode(&mut self.request, arguments) {
            return field(lua, "err", message.as_bytes());
        }
        self.client.protocol = state.protocol.get();
        match self.run(state.memory) {
            Ok(reply) => to_lua(lua, &mut &reply[..]),
            Err(Refusal::Error(message)) => error_table(lua, message.as_bytes()),
            Err(Refusal::Stop(stop)) => Err(state.halt(lua, stop)),
        }
    }

    /// Runs the encoded request.
    fn run(&mut self, max_reply: usize) -> Result<Vec<u8>, Refusal> {
        let Self { server, keys, held, client, read_only, request, parser, output } = self;
        parser.reset();
        let limits: &Limits = &server.options.limits.request;
        let Ok(Progress::Complete { .. }) = parser.parse(request, limits) else {
            return Err(Refusal::Error("ERR the request of the script is larger than a client's may be"));
        };
        let args = parser.args(request);
        let entry = resolve(args, *read_only)?;
        if !covers(held, keys, client.db, entry, args) {
            return Err(Refusal::Stop(Stop::Undeclared));
        }
        run_observed(&mut Context { client, output: &mut *output, keys, draft: None, server }, entry, args);
        if client.cut || output.pending() > max_reply {
            return Err(Refusal::Stop(Stop::Memory));
        }
        let mut reply = Vec::with_capacity(output.pending());
        // A Vec takes everything.
        let _ = output.send(&mut reply);
        Ok(reply)
    }
}

/// Writes a call as a request.
fn encode(request: &mut Vec<u8>, arguments: &MultiValue) -> Result<(), &'static str> {
    if arguments.is_empty() {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    request.clear();
    tandem_wire::reply::array(request, arguments.len());
    for argument in arguments {
        match argument {
            Value::String(text) => tandem_wire::reply::bulk(request, &text.as_bytes()),
            // Every number of Lua is a double, whatever the binding makes of it.
            Value::Integer(integer) => tandem_wire::reply::bulk(request, general(*integer as f64, 17).as_bytes()),
            Value::Number(number) => tandem_wire::reply::bulk(request, general(*number, 17).as_bytes()),
            _ => return Err("ERR Lua redis lib command arguments must be strings or integers"),
        }
    }
    Ok(())
}

/// The command or subcommand, if a script may run it.
fn resolve(args: Args<'_>, read_only: bool) -> Result<&'static Entry, Refusal> {
    let unknown = Refusal::Error("ERR Unknown Redis command called from script");
    let Some(mut entry) = find(&args[0]) else { return Err(unknown) };
    if !entry.subcommands.is_empty() && args.len() > 1 {
        entry = entry.subcommand(&args[1]).ok_or(unknown)?;
    }
    if !entry.command.accepts(args.len()) {
        return Err(Refusal::Error("ERR Wrong number of args calling Redis command from script"));
    }
    if entry.command.flags.contains(&Flag::NoScript) {
        return Err(Refusal::Error("ERR This Redis command is not allowed from script"));
    }
    if read_only && (entry.command.flags.contains(&Flag::Write) || entry.command.name == "publish") {
        return Err(Refusal::Error("ERR Write commands are not allowed from read-only scripts."));
    }
    Ok(entry)
}

/// Whether everything that the command may touch is held. One without keys may touch anything, unless it is about the
/// connection, or neither reads nor writes.
fn covers(held: &Held<'_>, keys: &mut KeySpace, db: u8, entry: &Entry, args: Args<'_>) -> bool {
    if held.holds_all() {
        return true;
    }
    let command = &entry.command;
    let has = |flag| command.flags.contains(&flag);
    // These touch keys of databases that are not selected, or that values name.
    if matches!(command.name, "move" | "copy" | "sort" | "sort_ro") {
        return false;
    }
    if command.keys == Keys::NONE {
        return command.group == Group::Connection || has(Flag::Fast) && !has(Flag::ReadOnly) && !has(Flag::Write);
    }
    keys_of(command, args).all(|key| held.covers(keys.stored(db, key)))
}
