//! The protocol of a connection: recognised by its first bytes, then the same to the end.

use std::sync::atomic::Ordering::Relaxed;

use tandem_wire::text::{Opening, TextParser, recognise};

use super::requests::{Ran, Requests, Stop};
use crate::command::Context;
use crate::shared::Shared;
use crate::text;

/// What a client speaks.
#[derive(Debug)]
pub(super) enum Speech {
    /// It has not said enough to tell.
    Unknown,
    Resp,
    Text(TextParser),
}

impl Speech {
    #[inline]
    pub fn is_resp(&self) -> bool {
        matches!(self, Self::Resp)
    }

    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    /// Runs the requests at the front of `bytes`, for all who are not known to speak RESP.
    #[cold]
    pub fn run(&mut self, bytes: &[u8], requests: &mut Requests, context: &mut Context<'_>) -> Ran {
        if matches!(self, Self::Unknown) {
            match recognise(bytes, context.server.options.text_framing) {
                Opening::Undecided => {
                    return Ran { consumed: 0, commands: 0, stop: Stop::Incomplete(bytes.len() + 1) };
                }
                Opening::Resp => *self = Self::Resp,
                Opening::Text => {
                    *self = Self::Text(TextParser::default());
                    context.server.loops[context.client.event_loop as usize].text_clients.fetch_add(1, Relaxed);
                }
                Opening::Web => {
                    context.client.closing = true;
                    return Ran { consumed: 0, commands: 0, stop: Stop::Closing };
                }
            }
        }
        match self {
            Self::Text(parser) => text::run(bytes, parser, context),
            _ => requests.run(bytes, context),
        }
    }

    /// The connection ends: takes it out of what [`Speech::run`] has counted.
    pub fn leave(&self, event_loop: u16, shared: &Shared) {
        if self.is_text() {
            shared.loops[event_loop as usize].text_clients.fetch_sub(1, Relaxed);
        }
    }
}
