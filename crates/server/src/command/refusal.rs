//! Errors that several commands answer, in the words of Redis 7.

use tandem_engine::Error;
use tandem_wire::Args;

use super::{Command, Context};

pub(super) const SYNTAX: &str = "ERR syntax error";
pub(super) const NOT_INTEGER: &str = "ERR value is not an integer or out of range";

/// How much of a refused request is shown.
const SHOWN_BYTES: usize = 128;

/// The engine refused. Where Redis knows the situation the words are its own; else code and message of the engine.
pub(super) fn engine(context: &mut Context<'_>, error: &Error) {
    match error {
        Error::NotInteger => context.error(NOT_INTEGER),
        Error::Overflow => context.error("ERR increment or decrement would overflow"),
        Error::WrongKind => context.error("WRONGTYPE Operation against a key holding the wrong kind of value"),
        other => context.error(format_args!("{} {other}", other.code())),
    }
}

/// What a command runs whose work is all in its subcommands; its arity demands one, so that nobody gets here.
pub(super) fn container(context: &mut Context<'_>, _args: Args<'_>) {
    context.error(SYNTAX);
}

/// No command of this name.
#[cold]
pub(super) fn unknown_command(context: &mut Context<'_>, args: Args<'_>) {
    let name = &args[0];
    // A web page that was tricked into sending a request here must not get a single command through.
    if name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:") {
        context.client.closing = true;
        return;
    }
    let mut shown = String::new();
    for argument in args.skip(1).iter() {
        if shown.len() >= SHOWN_BYTES {
            break;
        }
        shown += &format!("'{}' ", shortened(argument, SHOWN_BYTES - shown.len()));
    }
    let message = format!("ERR unknown command '{}', with args beginning with: {shown}", shortened(name, SHOWN_BYTES));
    raw_error(context, &message);
}

/// No subcommand of this name.
#[cold]
pub(super) fn unknown_subcommand(context: &mut Context<'_>, command: &Command, args: Args<'_>) {
    let name = shortened(&args[1], SHOWN_BYTES);
    let message = format!("ERR unknown subcommand '{name}'. Try {} HELP.", command.name.to_uppercase());
    raw_error(context, &message);
}

/// Too few or too many arguments. `path` is the command, and the subcommand if there is one.
#[cold]
pub(super) fn wrong_arity(context: &mut Context<'_>, path: &[&Command]) {
    let name = path.iter().map(|command| command.name).collect::<Vec<_>>().join("|");
    context.error(format_args!("ERR wrong number of arguments for '{name}' command"));
}

/// The first bytes of an argument, each byte as the character of that number so that [`raw_error`] gives it back as it
/// came; a NUL ends it, as in C.
fn shortened(bytes: &[u8], limit: usize) -> String {
    bytes.iter().take(limit).take_while(|&&byte| byte != 0).map(|&byte| char::from(byte)).collect()
}

/// An error line that may repeat bytes which are no text.
fn raw_error(context: &mut Context<'_>, message: &str) {
    let out = context.output.bytes();
    out.push(b'-');
    out.extend(message.chars().map(|char| match char as u32 as u8 {
        b'\r' | b'\n' => b' ',
        byte => byte,
    }));
    out.extend_from_slice(b"\r\n");
}
