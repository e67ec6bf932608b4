//! Runs the requests in a buffer, one after the other.

use tandem_wire::{Progress, RequestParser};

use crate::command::{self, Context};

/// Why running requests has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The next request is not complete; it needs at least so many bytes in all.
    Incomplete(usize),
    /// The replies exceed the pause limit: they should be sent before more requests are run.
    Full,
    /// The connection ends: the client asked for it, cannot be understood, or asks for too much at once.
    Closing,
}

/// How far [`run`] came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    /// Bytes of the requests that were run.
    pub consumed: usize,
    /// Number of those requests.
    pub commands: u64,
    pub stop: Stop,
}

/// Runs every complete request at the front of `bytes`.
pub(crate) fn run(bytes: &[u8], parser: &mut RequestParser, context: &mut Context<'_>) -> Ran {
    let limits = &context.server.options.limits;
    let (mut consumed, mut commands) = (0, 0);
    let stop = loop {
        match parser.parse(&bytes[consumed..], &limits.request) {
            Ok(Progress::Complete { consumed: length }) => {
                let args = parser.args(&bytes[consumed..]);
                if !args.is_empty() {
                    command::run_guarded(context, args);
                    commands += 1;
                }
                consumed += length;
                if context.client.closing || context.overflows() {
                    break Stop::Closing;
                }
                if context.output.pending() > limits.reply_pause_bytes {
                    break Stop::Full;
                }
            }
            Ok(Progress::Incomplete { needed }) => break Stop::Incomplete(needed),
            Err(error) => {
                error.reply(context.output.bytes());
                context.client.closing = true;
                break Stop::Closing;
            }
        }
    };
    parser.trim();
    Ran { consumed, commands, stop }
}
