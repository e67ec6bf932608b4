//! Takes the time of requests, without costing pipelines more than they can bear.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tandem_wire::Args;

use super::hot_keys::Sampler;
use super::stats::CommandStats;
use crate::command::{self, Context, Entry};
use crate::connection::Special;
use crate::output::Output;

/// In a pipeline, of commands that take constant time, the time of one in so many is taken: two looks at the clock and
/// the books are a third of such a request.
const PIPELINE_SAMPLE: u32 = 256;
/// The same without pipelines, where other connections wait: there it is a hundredth.
const BUSY_SAMPLE: u32 = 16;
/// Length of a request from which on its time is always taken: beside what it takes, looking at the clock is nothing.
const LONG_REQUEST: usize = 4 << 10;

/// The meter of one loop.
pub(crate) struct Meter {
    stats: Arc<CommandStats>,
    turn: u32,
    /// Several connections have requests.
    busy: bool,
    /// When the present request began, if its time is taken.
    begun: Option<Instant>,
    sampler: Sampler,
}

impl Meter {
    pub fn new(stats: Arc<CommandStats>) -> Self {
        Self { stats, turn: 0, busy: false, begun: None, sampler: Sampler::new() }
    }

    /// A round of requests begins, of so many connections.
    pub fn begin_round(&mut self, connections: usize) {
        self.busy = connections > 1;
    }

    /// Requests come; the number of that among them whose key is to be [noted](Meter::note_key).
    #[inline]
    pub fn pass(&mut self, count: usize) -> Option<usize> {
        self.sampler.pass(count)
    }

    /// Notes the key of a request, one by chance where there are several.
    #[cold]
    pub fn note_key(&mut self, context: &mut Context<'_>, entry: &Entry, args: Args<'_>) {
        let command = &entry.command;
        if !command.accepts(args.len()) || context.client.special.contains(Special::NEEDS_AUTH) {
            return;
        }
        let count = command::keys_of(command, args).count();
        if count == 0 {
            return;
        }
        let chosen = command::keys_of(command, args).nth(self.sampler.one_of(count));
        if let Some(key) = chosen {
            self.stats.hot_keys.lock().add(context.keys.stored(context.client.db, key));
        }
    }

    /// A request of so many bytes begins. `alone`: there is no other in its batch.
    #[inline]
    pub fn begin(&mut self, entry: Option<&'static Entry>, bytes: usize, alone: bool) {
        self.turn = self.turn.wrapping_add(1);
        let simple = entry.is_some_and(|entry| entry.simple);
        let sample = match (alone, self.busy) {
            (true, false) => 1,
            (true, true) => BUSY_SAMPLE,
            (false, _) => PIPELINE_SAMPLE,
        };
        let timed = !simple || bytes >= LONG_REQUEST || self.turn.is_multiple_of(sample);
        self.begun = timed.then(Instant::now);
    }

    /// The request has run; its reply begins at `start`. False if it is no ordinary one: [`Meter::end_rarely`] ends it.
    #[inline]
    #[must_use]
    pub fn end(&mut self, output: &Output, entry: Option<&'static Entry>, start: usize) -> bool {
        match entry {
            // Its time is not taken, so that it is a simple one.
            Some(entry) if self.begun.is_none() && !output.is_error_at(start) => {
                self.stats.called(entry.number);
                true
            }
            _ => false,
        }
    }

    /// Ends a request whose time is taken, that has a subcommand, or that answered an error.
    #[cold]
    #[inline(never)]
    pub fn end_rarely(&mut self, context: &Context<'_>, entry: Option<&'static Entry>, args: Args<'_>, start: usize) {
        let took = self.begun.take().map(|begun| begun.elapsed());
        let number = entry.map(|entry| numbered(entry, args));
        if let Some(answer) = context.output.error_at(start) {
            context.server.errors.count(answer);
            let Some((entry, number)) = entry.zip(number) else { return };
            if is_refusal(entry, args, answer) {
                return self.stats.rejected(number);
            }
            self.stats.failed(number);
        }
        let Some(number) = number else { return };
        self.stats.called(number);
        if let Some(took) = took {
            self.end_timed(context, number, args, took);
        }
    }

    fn end_timed(&self, context: &Context<'_>, number: u16, args: Args<'_>, took: Duration) {
        let ns = took.as_nanos() as u64;
        self.stats.took(number, ns);
        if context.server.slowlog.wants(ns) {
            let at_s = context.server.now_ms() / 1_000;
            let peer = context.server.table.get(context.client.id).map_or(String::new(), |card| card.peer.to_string());
            context.server.slowlog.add(args, took, at_s, peer, context.client.name());
        }
    }
}

/// An error says by its words whether the command had begun: what was refused before is not a call, as in Redis.
fn is_refusal(entry: &Entry, args: Args<'_>, answer: &[u8]) -> bool {
    !entry.command.accepts(args.len())
        || [&b"NOAUTH "[..], b"ERR wrong number of arguments ", b"ERR unknown subcommand "]
            .iter()
            .any(|words| answer.starts_with(words))
}

/// The number of the command, or of its subcommand.
#[inline]
fn numbered(entry: &'static Entry, args: Args<'_>) -> u16 {
    if entry.subcommands.is_empty() || args.len() < 2 {
        return entry.number;
    }
    entry.subcommand(&args[1]).map_or(entry.number, |subcommand| subcommand.number)
}
