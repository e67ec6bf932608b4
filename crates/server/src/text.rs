//! Answers requests of the double-bar text protocol.

use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;

use tandem_engine::{Condition, Kind, NewValue, ReadMode, WriteOptions};
use tandem_wire::text::{TextError, TextFraming, TextParser, TextRequest};

use crate::command::{self, Context};
use crate::connection::{MAX_MESSAGE_BYTES, Parked, Ran, Special, Stop};
use crate::output::WRONG_TYPE;

/// Room in a line for everything but the value: the longest key, the command, two separators.
const LINE_ROOM: usize = (64 << 10) + 64;

/// Class of an error, as the number in front of its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Malformed = 1,
    NotFound = 2,
    Unknown = 3,
    Other = 4,
}

/// Why a request is not answered with what it asked for.
struct Refusal {
    class: Class,
    message: String,
}

impl Refusal {
    fn other(message: impl Into<String>) -> Self {
        Self { class: Class::Other, message: message.into() }
    }
}

/// Runs every complete request at the front of `bytes`.
pub(crate) fn run(bytes: &[u8], parser: &mut TextParser, context: &mut Context<'_>) -> Ran {
    let options = &context.server.options;
    let framing = options.text_framing;
    let mut ran = Ran { consumed: 0, commands: 0, stop: Stop::Closing };
    loop {
        let rest = &bytes[ran.consumed..];
        let step = parser.next(rest, framing, limit(context));
        if step.consumed == 0 {
            // Twice as much, so that the room for a long line grows by doubling.
            ran.stop = Stop::Incomplete(rest.len() * 2 + 1);
            return ran;
        }
        if let Some(Ok(request)) = step.request
            && is_held_up(context, request)
        {
            context.client.parked = Some(Parked::Pause);
            ran.stop = Stop::Parked;
            return ran;
        }
        ran.consumed += step.consumed;
        let Some(request) = step.request else { continue };
        ran.commands += 1;
        answer_guarded(context, request, framing);
        let closing = context.client.closing || context.overflows();
        if closing || context.output.pending() > options.limits.reply_pause_bytes {
            ran.stop = if closing { Stop::Closing } else { Stop::Full };
            return ran;
        }
    }
}

/// Whether a request has to wait for the end of a pause.
fn is_held_up(context: &mut Context<'_>, request: TextRequest<'_>) -> bool {
    if !context.client.special.contains(Special::PAUSED) {
        return false;
    }
    if !context.server.pause.is_on() {
        context.client.special.take(Special::PAUSED);
    }
    context.server.pause.holds(matches!(request, TextRequest::Set { .. } | TextRequest::Delete { .. }))
}

/// Longest request in bytes.
fn limit(context: &Context<'_>) -> usize {
    let options = &context.server.options;
    let limit = if context.client.special.contains(Special::NEEDS_AUTH) {
        options.limits.unauthenticated_bytes
    } else {
        context.cache().options().max_value_bytes as usize + LINE_ROOM
    };
    if options.text_framing == TextFraming::Message { limit.min(MAX_MESSAGE_BYTES) } else { limit }
}

/// Answers one request. A panic in it ends the request with an error, not the process or the connection.
fn answer_guarded(context: &mut Context<'_>, request: Result<TextRequest<'_>, TextError>, framing: TextFraming) {
    let mark = context.output.mark();
    let outcome = catch_unwind(AssertUnwindSafe(|| match request {
        Ok(request) => {
            let outcome = answer(context, request, framing);
            count(context, request, outcome.as_ref().err());
            outcome
        }
        Err(error) => {
            // Where the next message begins is not known any more.
            context.client.closing |= framing == TextFraming::Message && matches!(error, TextError::TooLong { .. });
            Err(refusal_of(error))
        }
    }));
    match outcome {
        Ok(Ok(())) => {}
        Ok(Err(Refusal { class, message })) => {
            context.output.rewind(mark);
            write(context.output.bytes(), class, &message, framing);
        }
        Err(_) => {
            context.output.rewind(mark);
            context.server.panics.fetch_add(1, Relaxed);
            let message = "internal error: this request failed, others are not affected";
            write(context.output.bytes(), Class::Other, message, framing);
        }
    }
}

/// Counts a request among those of the command that does the same.
fn count(context: &Context<'_>, request: TextRequest<'_>, refusal: Option<&Refusal>) {
    let name: &[u8] = match request {
        TextRequest::Get { .. } => b"get",
        TextRequest::Set { .. } => b"set",
        TextRequest::Delete { .. } => b"del",
        TextRequest::Auth { .. } => b"auth",
        TextRequest::Exit | TextRequest::Web => return,
    };
    let Some(entry) = command::find(name) else { return };
    let stats = &context.server.loops[context.client.event_loop as usize].stats;
    if context.client.special.contains(Special::NEEDS_AUTH) && name != b"auth" {
        return stats.rejected(entry.number);
    }
    stats.called(entry.number);
    if refusal.is_some_and(|refusal| refusal.class != Class::NotFound) {
        stats.failed(entry.number);
    }
}

fn answer(context: &mut Context<'_>, request: TextRequest<'_>, framing: TextFraming) -> Result<(), Refusal> {
    match request {
        TextRequest::Auth { password } => log_in(context, password)?,
        TextRequest::Exit | TextRequest::Web => {
            context.client.closing = true;
            return Ok(());
        }
        _ if context.client.special.contains(Special::NEEDS_AUTH) => {
            return Err(Refusal::other("no password yet, send auth||PASSWORD first"));
        }
        TextRequest::Get { key } => return get(context, key, framing),
        TextRequest::Set { key, value } => {
            let key = context.keys.stored(0, key);
            let value = NewValue { kind: Kind::Wire, codec: 0, bytes: value };
            context.server.cache.set(key, value, &WriteOptions::default()).map_err(engine)?;
        }
        TextRequest::Delete { key } => {
            let key = context.keys.stored(0, key);
            if !context.server.cache.delete(key, Condition::Always).map_err(engine)? {
                return Err(not_found());
            }
        }
    }
    end(context.output.bytes(), framing);
    Ok(())
}

fn log_in(context: &mut Context<'_>, password: &[u8]) -> Result<(), Refusal> {
    if command::connection::log_in(context, command::connection::USER, password) {
        Ok(())
    } else {
        Err(Refusal::other("wrong password"))
    }
}

fn get(context: &mut Context<'_>, key: &[u8], framing: TextFraming) -> Result<(), Refusal> {
    let output = &mut *context.output;
    let key = context.keys.stored(0, key);
    output.reserve_value();
    output.bytes().extend_from_slice(b"0||");
    let mark = output.mark();
    let written = context.server.cache.read(key, ReadMode::Use, |found| output.plain_value(found));
    match written {
        None => return Err(not_found()),
        Some(false) => return Err(Refusal::other(WRONG_TYPE)),
        Some(true) => {}
    }
    if framing == TextFraming::Line {
        if output.has_line_break(mark) {
            return Err(Refusal::other("the value holds a line break, which a line cannot"));
        }
        output.bytes().push(b'\n');
    }
    Ok(())
}

fn not_found() -> Refusal {
    Refusal { class: Class::NotFound, message: "key not found".into() }
}

fn engine(error: tandem_engine::Error) -> Refusal {
    Refusal::other(format!("{} {error}", error.code()))
}

fn refusal_of(error: TextError) -> Refusal {
    match error {
        TextError::Malformed(reason) => {
            Refusal { class: Class::Malformed, message: format!("the request cannot be parsed: {reason}") }
        }
        TextError::Unknown => {
            let message = "invalid command; there are get, set, del, auth, exit and end".into();
            Refusal { class: Class::Unknown, message }
        }
        TextError::TooLong { limit } => {
            Refusal::other(format!("the request is longer than the {limit} bytes that are allowed"))
        }
    }
}

/// An empty result.
fn end(out: &mut Vec<u8>, framing: TextFraming) {
    out.extend_from_slice(b"0||");
    if framing == TextFraming::Line {
        out.push(b'\n');
    }
}

/// Writes an error.
pub(crate) fn write(out: &mut Vec<u8>, class: Class, message: &str, framing: TextFraming) {
    struct Line<'a>(&'a mut Vec<u8>);
    impl Write for Line<'_> {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.extend(text.bytes().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { byte }));
            Ok(())
        }
    }
    let _ = write!(Line(out), "{}||{message}", class as u8);
    if framing == TextFraming::Line {
        out.push(b'\n');
    }
}
