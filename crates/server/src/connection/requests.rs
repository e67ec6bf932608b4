//! Runs the requests in a buffer, one after the other.

use std::sync::Arc;

use tandem_engine::{Cache, Prefetched};
use tandem_wire::{Limits, Progress, ProtocolError, RequestParser};

use crate::command::{self, Context, Entry};
use crate::connection::{Parked, Special};
use crate::dispatch;
use crate::observe::{CommandStats, Meter};

/// Requests that are looked at before the first of them is run.
const BATCH: usize = 16;
/// Keys that are fetched ahead for one batch.
const KEYS: usize = 32;

/// Why running requests has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The next request is not complete; it needs at least so many bytes in all.
    Incomplete(usize),
    /// The replies exceed the pause limit: they should be sent before more requests are run.
    Full,
    /// A request waits for something.
    Parked,
    /// The connection ends: the client asked for it, cannot be understood, or asks for too much at once.
    Closing,
}

/// How far [`Requests::run`] came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ran {
    /// Bytes of the requests that were run.
    pub consumed: usize,
    /// Number of those requests.
    pub commands: u64,
    pub stop: Stop,
}

/// A request that was parsed ahead.
#[derive(Clone, Copy, Default)]
struct Parsed {
    /// Where it lies in the buffer.
    start: usize,
    end: usize,
    entry: Option<&'static Entry>,
}

/// Longest input of a connection whose first request is glanced at: a longer one is a pipeline, with batches of its own.
const GLANCE_BYTES: usize = 256;

/// What ends a batch before it is full.
enum End {
    Incomplete(usize),
    Error(ProtocolError),
}

/// Parses some requests ahead, has the processor fetch what their keys will need, then runs them. In a pipeline over
/// more data than its caches hold, waiting for memory is most of the work; this way the waits overlap.
pub(crate) struct Requests {
    /// One for each request of a batch. Between two calls the first is amid a request or idle, the others idle.
    parsers: [RequestParser; BATCH],
    /// For a look at requests that are not run yet.
    glance: RequestParser,
    meter: Meter,
}

impl Requests {
    /// `stats`: where requests are counted.
    pub fn new(stats: Arc<CommandStats>) -> Self {
        Self { parsers: Default::default(), glance: RequestParser::default(), meter: Meter::new(stats) }
    }

    /// Takes over a parser that may be amid a request, and gives the own one in return.
    pub fn exchange(&mut self, parser: &mut RequestParser) {
        std::mem::swap(&mut self.parsers[0], parser);
    }

    /// A round of requests begins, of so many connections.
    pub fn begin_round(&mut self, connections: usize) {
        self.meter.begin_round(connections);
    }

    /// Fetches the line of the index that the first request of `input` will need.
    #[inline]
    pub fn glance(&mut self, input: &[u8], cache: &Cache, limits: &Limits) -> Option<Prefetched> {
        if input.len() > GLANCE_BYTES {
            return None;
        }
        let mut key = None;
        if let Ok(Progress::Complete { .. }) = self.glance.parse(input, limits) {
            let args = self.glance.args(input);
            if args.len() > 1 && command::find(&args[0]).is_some_and(|entry| entry.command.keys.first == 1) {
                key = Some(cache.prefetch(&args[1]));
            }
        }
        self.glance.reset();
        key
    }

    /// Runs every complete request at the front of `bytes`.
    pub fn run(&mut self, bytes: &[u8], context: &mut Context<'_>) -> Ran {
        let limits = &context.server.options.limits;
        let mut ran = Ran { consumed: 0, commands: 0, stop: Stop::Closing };
        let mut batch = [Parsed::default(); BATCH];
        loop {
            let (count, end) = if context.client.special.contains(Special::NEEDS_AUTH) {
                // One at a time: the next one may have been let in.
                self.parse(bytes, ran.consumed, &limits.unauthenticated_request(), &mut batch[..1])
            } else {
                self.parse(bytes, ran.consumed, &limits.request, &mut batch)
            };
            self.fetch_ahead(bytes, &batch[..count], context);
            if let Some(number) = self.meter.pass(count)
                && let Some(entry) = batch[number].entry
            {
                let args = self.parsers[number].args(&bytes[batch[number].start..]);
                self.meter.note_key(context, entry, args);
            }
            for (number, one) in batch[..count].iter().enumerate() {
                let args = self.parsers[number].args(&bytes[one.start..]);
                if !args.is_empty() {
                    let start = context.output.len();
                    self.meter.begin(one.entry, one.end - one.start, count == 1);
                    dispatch::run_guarded(context, one.entry, args);
                    if let Some(parked) = context.client.parked {
                        if parked != Parked::Pause {
                            ran.commands += 1;
                            ran.consumed = one.end;
                        }
                        ran.stop = Stop::Parked;
                        self.parsers.iter_mut().for_each(RequestParser::reset);
                        return ran;
                    }
                    if !self.meter.end(context.output, one.entry, start) {
                        // Made once more, so that the usual request need not keep them until here.
                        let args = self.parsers[number].args(&bytes[one.start..]);
                        self.meter.end_rarely(context, one.entry, args, start);
                    }
                    ran.commands += 1;
                }
                ran.consumed = one.end;
                let closing = context.client.closing || context.overflows();
                if closing || context.output.pending() > limits.reply_pause_bytes {
                    ran.stop = if closing { Stop::Closing } else { Stop::Full };
                    // What was parsed ahead will be parsed again, from its beginning.
                    self.parsers.iter_mut().for_each(RequestParser::reset);
                    return ran;
                }
            }
            match end {
                None => {}
                Some(End::Incomplete(needed)) => {
                    self.parsers.swap(0, count);
                    self.parsers.iter_mut().for_each(RequestParser::trim);
                    ran.stop = Stop::Incomplete(needed);
                    return ran;
                }
                Some(End::Error(error)) => {
                    error.reply(context.output.bytes());
                    context.client.closing = true;
                    self.parsers.iter_mut().for_each(RequestParser::reset);
                    return ran;
                }
            }
        }
    }

    /// Parses as many requests from `start` on as there is room for in `batch`.
    #[inline]
    fn parse(&mut self, bytes: &[u8], mut start: usize, limits: &Limits, batch: &mut [Parsed]) -> (usize, Option<End>) {
        let room = batch.len();
        for (count, (parser, parsed)) in self.parsers.iter_mut().zip(batch).enumerate() {
            let rest = &bytes[start..];
            match parser.parse(rest, limits) {
                Ok(Progress::Complete { consumed }) => {
                    let args = parser.args(rest);
                    let entry = if args.is_empty() { None } else { command::find(&args[0]) };
                    *parsed = Parsed { start, end: start + consumed, entry };
                    start += consumed;
                }
                Ok(Progress::Incomplete { needed }) => return (count, Some(End::Incomplete(needed))),
                Err(error) => return (count, Some(End::Error(error))),
            }
        }
        (room, None)
    }

    /// Fetches first the index lines of all keys, then their records.
    #[inline]
    fn fetch_ahead(&self, bytes: &[u8], batch: &[Parsed], context: &Context<'_>) {
        // Keys of the other databases are stored under other names; they do without.
        if batch.len() < 2 || context.client.db != 0 {
            return;
        }
        let cache = context.cache();
        let mut keys = [Prefetched::default(); KEYS];
        let mut count = 0;
        for (number, one) in batch.iter().enumerate() {
            let Some(entry) = one.entry else { continue };
            let args = self.parsers[number].args(&bytes[one.start..]);
            for key in command::keys_of(&entry.command, args).take(KEYS - count) {
                keys[count] = cache.prefetch(key);
                count += 1;
            }
        }
        keys[..count].iter().for_each(|&key| cache.prefetch_record(key));
    }
}
