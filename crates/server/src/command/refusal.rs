//! Errors that several commands answer, in the words of Redis 7.

use tandem_engine::{Error, MAX_KEY_BYTES};
use tandem_wire::Args;

use super::{Command, Context};
use crate::database::PREFIX_BYTES;
use crate::output::WRONG_TYPE;
use crate::transaction;

pub(crate) const SYNTAX: &str = "ERR syntax error";
pub(crate) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";

/// How much of a refused request is shown.
const SHOWN_BYTES: usize = 128;

/// The engine refused. Where Redis knows the situation the words are its own; else code and message of the engine.
pub(crate) fn engine(context: &mut Context<'_>, error: &Error) {
    match error {
        Error::NotInteger => context.error(NOT_INTEGER),
        Error::Overflow => context.error("ERR increment or decrement would overflow"),
        Error::WrongKind => context.error(WRONG_TYPE),
        // What the engine counts is the stored key, with the prefix that the client knows nothing of.
        Error::KeyTooLong { bytes } if context.client.db != 0 => context.error(format_args!(
            "{} the key is {} bytes long; at most {} are allowed in databases 1 to 15",
            error.code(),
            bytes - PREFIX_BYTES,
            MAX_KEY_BYTES - PREFIX_BYTES,
        )),
        other => context.error(format_args!("{} {other}", other.code())),
    }
}

/// What a command runs whose work is all in its subcommands; its arity demands one, so that nobody gets here.
pub(crate) fn container(context: &mut Context<'_>, _args: Args<'_>) {
    context.error(SYNTAX);
}

/// No command of this name.
#[cold]
pub(crate) fn unknown_command(context: &mut Context<'_>, args: Args<'_>) {
    let name = &args[0];
    // A web page that was tricked into sending a request here must not get a single command through.
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        context.client.closing = true;
        return;
    }
    let mut shown = Vec::new();
    for argument in args.skip(1).iter() {
        if shown.len() >= SHOWN_BYTES {
            break;
        }
        shown.push(b'\'');
        shown.extend_from_slice(shortened(argument, SHOWN_BYTES + 1 - shown.len()));
        shown.extend_from_slice(b"' ");
    }
    raw_error(
        context,
        &[b"ERR unknown command '", shortened(name, SHOWN_BYTES), b"', with args beginning with: ", &shown],
    );
}

/// No subcommand of this name.
#[cold]
pub(crate) fn unknown_subcommand(context: &mut Context<'_>, command: &Command, args: Args<'_>) {
    let container = command.name.to_uppercase();
    let name = shortened(&args[1], SHOWN_BYTES);
    raw_error(context, &[b"ERR unknown subcommand '", name, b"'. Try ", container.as_bytes(), b" HELP."]);
}

/// Too few or too many arguments. `path` is the command, and the subcommand if there is one.
#[cold]
pub(crate) fn wrong_arity(context: &mut Context<'_>, path: &[&Command]) {
    let name = path.iter().map(|command| command.name).collect::<Vec<_>>().join("|");
    if name == "exec" {
        return transaction::abort(context, &format!("wrong number of arguments for '{name}' command"));
    }
    context.error(format_args!("ERR wrong number of arguments for '{name}' command"));
}

/// An error that repeats an argument between two texts; the first begins with the code.
#[cold]
pub(crate) fn repeating(context: &mut Context<'_>, before: &str, argument: &[u8], after: &str) {
    raw_error(context, &[before.as_bytes(), shortened(argument, usize::MAX), after.as_bytes()]);
}

/// The first bytes of an argument; a NUL ends it, as in C.
fn shortened(bytes: &[u8], limit: usize) -> &[u8] {
    let end = bytes.iter().take(limit).position(|&byte| byte == 0);
    &bytes[..end.unwrap_or(limit.min(bytes.len()))]
}

/// An error line out of pieces which may be no text.
fn raw_error(context: &mut Context<'_>, pieces: &[&[u8]]) {
    let out = context.output.bytes();
    out.push(b'-');
    let line_break = |byte| matches!(byte, b'\r' | b'\n');
    out.extend(pieces.iter().copied().flatten().map(|&byte| if line_break(byte) { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}
