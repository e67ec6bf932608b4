//! Key gates on the wire: shared loads, upserts, inserts and updates in turn, stable reads.
//!
//! A request that cannot be decided at once holds up nobody but, in RESP2, its own connection. In RESP3 it is answered
//! `QUEUED id`, and its outcome comes as the push `gate id outcome`. Tokens and versions are strings of digits.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use tandem_engine::gates::{Acquired, CarriedValue, GateKind, Outcome};
use tandem_engine::{Condition, Error, Expiry, Fill, Filled, Kind, Lease, LeaseMode, ReadMode, Stable, WriteOptions};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, Protocol, reply};

use super::{Category, Command, Context, Flag, Group, Keys, access, refusal, strings};
use crate::connection::{Parked, Special};
use crate::dispatch::PANICKED;
use crate::mailbox::Message;
use crate::waiting::{Ask, GivenUp, Pending, Waiting};

/// How long a request waits, and a key is held, unless the client says something else; and the longest it may say.
const DEFAULT_MS: u64 = 30_000;
const MAX_MS: i64 = 3_600_000;

/// In RESP2 a connection that waits says nothing, so it could not end what it holds.
const WAITS_FOR_ITSELF: &str = "Deadlock this connection holds the key itself and would wait for its own end; say \
                                TANDEM.FILL or TANDEM.RELEASE first, or use RESP3, where waiting holds nothing up";

/// What the commands of this family have in common.
const BASE: Command = Command {
    name: "",
    syntax: "",
    summary: "",
    since: "0.1.0",
    complexity: "O(1)",
    arity: -2,
    flags: &[Flag::Write, Flag::DenyOom, Flag::NoScript, Flag::Fast],
    categories: &[Category::String],
    keys: Keys::ONE,
    access: &[access::READ],
    group: Group::Tandem,
    run: refusal::container,
    subcommands: &[],
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "tandem.lease",
        syntax: "TANDEM.LEASE key [WAIT milliseconds] [TTL milliseconds]",
        summary: "Get the value of a key, or the right to load it: HIT value, or WON token; waits while another loads it",
        run: |context, args| begin(context, args, 2, |_| Some(Ask::Lease)),
        ..BASE
    },
    Command {
        name: "tandem.gate",
        syntax: "TANDEM.GATE key [WAIT milliseconds] [TTL milliseconds]",
        summary: "Get the right to change a key, in turn: HELD token value version",
        run: |context, args| begin(context, args, 2, |_| Some(Ask::Gate)),
        ..BASE
    },
    Command {
        name: "tandem.fill",
        syntax: "TANDEM.FILL key token STORE value [PX milliseconds] [COST cost] | KEEP | DELETE | FAIL message",
        summary: "End what a token holds: with a value, without a change, by deleting, or because loading failed",
        arity: -4,
        access: &[access::CHANGE],
        run: fill,
        ..BASE
    },
    Command {
        name: "tandem.release",
        syntax: "TANDEM.RELEASE key token",
        summary: "Give up what a token holds; the next in turn goes on",
        arity: 3,
        access: &[access::LOOK],
        run: |context, args| finish(context, &args[1], &args[2], Fill::Abandon),
        ..BASE
    },
    Command {
        name: "tandem.insert",
        syntax: "TANDEM.INSERT key value [PX milliseconds] [COST cost] [WAIT milliseconds]",
        summary: "Set the value of a key if it is absent once its turn comes",
        arity: -3,
        access: &[access::INSERT],
        run: |context, args| begin(context, args, 3, |options| write(&args[2], options, Condition::IfAbsent)),
        ..BASE
    },
    Command {
        name: "tandem.update",
        syntax: "TANDEM.UPDATE key value [PX milliseconds] [COST cost] [WAIT milliseconds]",
        summary: "Set the value of a key if it is there once its turn comes",
        arity: -3,
        access: &[access::OVERWRITE],
        run: |context, args| begin(context, args, 3, |options| write(&args[2], options, Condition::IfPresent)),
        ..BASE
    },
    Command {
        name: "tandem.stable",
        syntax: "TANDEM.STABLE key [WAIT milliseconds]",
        summary: "Get the value of a key once it is there and nobody changes it",
        flags: &[Flag::ReadOnly, Flag::NoScript, Flag::Fast],
        run: |context, args| begin(context, args, 2, |_| Some(Ask::Stable)),
        ..BASE
    },
];

/// Options of these commands.
#[derive(Default)]
struct Options {
    wait_ms: Option<u64>,
    hold_ms: Option<u64>,
    px_ms: Option<u64>,
    cost: Option<u64>,
}

impl Options {
    /// Parses pairs of a name among `allowed` and a number. `Err` is the answer to a client that got them wrong.
    fn parse(args: &Args<'_>, allowed: &[&str]) -> Result<Self, &'static str> {
        let mut options = Self::default();
        for at in (0..args.len()).step_by(2) {
            let name = args[at].to_ascii_lowercase();
            if at + 1 == args.len() || !allowed.iter().any(|one| one.as_bytes() == name) {
                return Err(refusal::SYNTAX);
            }
            let number = parse_i64(&args[at + 1]).ok_or(refusal::NOT_INTEGER)?;
            let (least, most, field) = match name.as_slice() {
                b"wait" => (0, MAX_MS, &mut options.wait_ms),
                b"ttl" => (1, MAX_MS, &mut options.hold_ms),
                b"px" => (1, i64::MAX, &mut options.px_ms),
                _ => (1, i64::MAX, &mut options.cost),
            };
            if !(least..=most).contains(&number) {
                return Err("ERR value is out of range: WAIT 0 to 3600000, TTL 1 to 3600000, PX and COST at least 1");
            }
            *field = Some(number as u64);
        }
        Ok(options)
    }

    fn write(&self, condition: Condition) -> WriteOptions {
        let expiry = self.px_ms.map_or(Expiry::Default, Expiry::In);
        WriteOptions { expiry, cost: self.cost, condition, ..WriteOptions::default() }
    }
}

fn write(value: &[u8], options: &Options, condition: Condition) -> Option<Ask> {
    Some(Ask::Write { value: value.into(), options: options.write(condition) })
}

/// Runs a command that may have to wait; its options begin at `rest`.
fn begin(context: &mut Context<'_>, args: Args<'_>, rest: usize, ask: impl FnOnce(&Options) -> Option<Ask>) {
    let allowed: &[&str] = match rest {
        3 => &["px", "cost", "wait"],
        _ if args[0].eq_ignore_ascii_case(b"tandem.stable") => &["wait"],
        _ => &["wait", "ttl"],
    };
    let options = match Options::parse(&args.skip(rest), allowed) {
        Ok(options) => options,
        Err(message) => return context.error(message),
    };
    let Some(ask) = ask(&options) else { return };
    let key: Box<[u8]> = context.keys.stored(context.client.db, &args[1]).into();
    let wait = Duration::from_millis(options.wait_ms.unwrap_or(DEFAULT_MS));
    let pending =
        Pending { id: 0, key, ask, hold_ms: options.hold_ms.unwrap_or(DEFAULT_MS), until: Instant::now() + wait };
    if let Some(ticket) = decide(context, &pending) {
        wait_for(context, ticket, pending);
    }
}

/// Asks the engine. `None`: answered; else the ticket under which the request waits.
fn decide(context: &mut Context<'_>, pending: &Pending) -> Option<u64> {
    let (server, address) = (context.server, context.client.address());
    let waiting = context.client.session().waiting.get_or_insert_with(|| Waiting::new(server, address));
    if !waiting.has_room() {
        context.error("Overloaded too many requests of this client wait; at most 1024 are allowed");
        return None;
    }
    let kind = match &pending.ask {
        Ask::Lease => GateKind::Load,
        Ask::Gate => GateKind::Upsert,
        Ask::Stable => GateKind::Stable,
        Ask::Write { options, .. } if options.condition == Condition::IfAbsent => GateKind::Insert,
        Ask::Write { .. } => GateKind::Update,
    };
    let request = waiting.request(kind, pending.hold_ms);
    let ticket = request.ticket;
    let error = match &pending.ask {
        Ask::Lease => match server.cache.lease(&pending.key, request, LeaseMode::IfMissing) {
            Ok(Lease::Hit) => {
                // Gone again since: somebody has to load it.
                return if hit(context, &pending.key) { None } else { decide(context, pending) };
            }
            Ok(Lease::Won { token }) => return granted(context, pending, token),
            Ok(Lease::Queued | Lease::Busy) => return Some(ticket),
            Err(error) => error,
        },
        Ask::Stable => match server.cache.stable(&pending.key, request) {
            Ok(Stable::Value(value)) => {
                carried(context, &value);
                return None;
            }
            Ok(Stable::Queued) => return Some(ticket),
            Err(error) => error,
        },
        Ask::Gate | Ask::Write { .. } => match server.cache.gate(&pending.key, request) {
            Ok(Acquired::Granted { token }) => return granted(context, pending, token),
            Ok(Acquired::Queued) => return Some(ticket),
            Err(error) => error,
        },
    };
    refusal::engine(context, &error);
    None
}

/// Lets a request wait, and tells the client so where that does not hold up its other requests.
fn wait_for(context: &mut Context<'_>, ticket: u64, mut pending: Pending) {
    let client = &mut *context.client;
    if pending.id == 0 {
        if client.protocol == Protocol::Resp2
            && let Some(waiting) = &client.session().waiting
            && context.server.cache.is_held_by(&pending.key, waiting.owner)
        {
            context.server.cache.cancel(&pending.key, waiting.owner, ticket);
            return context.error(WAITS_FOR_ITSELF);
        }
        pending.id = ticket;
        match client.protocol {
            Protocol::Resp2 => client.parked = Some(Parked::Request(ticket)),
            Protocol::Resp3 => {
                reply::array(context.output.bytes(), 2);
                reply::bulk(context.output.bytes(), b"QUEUED");
                reply::integer(context.output.bytes(), ticket as i64);
            }
        }
        let (own, to) = (client.event_loop, client.address());
        context.server.post(own, own, Message::Waits { to, until: pending.until });
    }
    if let Some(waiting) = &mut client.session().waiting {
        waiting.wait(ticket, pending);
    }
}

/// A number that a client must not round.
fn digits(context: &mut Context<'_>, number: u64) {
    reply::bulk_integer(context.output.bytes(), number as i64);
}

/// Answers with the value that is there; false if there is none.
fn hit(context: &mut Context<'_>, key: &[u8]) -> bool {
    let output = &mut *context.output;
    output.reserve_value();
    let is_string = context.server.cache.read(key, ReadMode::Use, |found| {
        let is_string = !found.kind.is_collection();
        if is_string {
            reply::array(output.bytes(), 2);
            reply::bulk(output.bytes(), b"HIT");
            output.value(found);
        }
        is_string
    });
    if is_string == Some(false) {
        refusal::engine(context, &Error::WrongKind);
    }
    is_string.is_some()
}

/// The turn of a request has come: it holds the key under `token`.
fn granted(context: &mut Context<'_>, pending: &Pending, token: u64) -> Option<u64> {
    match &pending.ask {
        Ask::Write { value, options } => {
            let result =
                context.server.cache.fill(&pending.key, token, Fill::Store { value: strings::wire(value), options });
            match result {
                Ok(Filled::Stored { .. }) => context.ok(),
                Ok(Filled::ConditionFailed) => {
                    let present = options.condition == Condition::IfAbsent;
                    refusal::engine(context, &if present { Error::KeyExists } else { Error::KeyMissing });
                }
                Ok(_) => refusal::engine(context, &Error::Fenced),
                Err(error) => refusal::engine(context, &error),
            }
        }
        Ask::Gate => held(context, &pending.key, token),
        Ask::Lease | Ask::Stable => {
            reply::array(context.output.bytes(), 2);
            reply::bulk(context.output.bytes(), b"WON");
            digits(context, token);
        }
    }
    None
}

/// `HELD token value version`; the value is null, and the version 0, where the key is absent.
fn held(context: &mut Context<'_>, key: &[u8], token: u64) {
    let mark = context.output.mark();
    reply::array(context.output.bytes(), 4);
    reply::bulk(context.output.bytes(), b"HELD");
    digits(context, token);
    let output = &mut *context.output;
    output.reserve_value();
    let version = context.server.cache.read(key, ReadMode::Use, |found| {
        let is_string = !found.kind.is_collection();
        if is_string {
            output.value(found);
        }
        is_string.then_some(found.version)
    });
    match version {
        Some(Some(version)) => digits(context, version),
        None => {
            context.null();
            digits(context, 0);
        }
        Some(None) => {
            context.output.rewind(mark);
            // The token is known to nobody; a hold that has ended meanwhile needs no end.
            let _ = context.server.cache.fill(key, token, Fill::Abandon);
            refusal::engine(context, &Error::WrongKind);
        }
    }
}

/// A value from an outcome, alone.
fn carried(context: &mut Context<'_>, value: &CarriedValue) {
    match (value.kind, value.bytes.as_ref().try_into().map(i64::from_le_bytes)) {
        (Kind::Hash | Kind::Set, _) => refusal::engine(context, &Error::WrongKind),
        (Kind::Integer, Ok(number)) => reply::bulk_integer(context.output.bytes(), number),
        _ => context.bulk(&value.bytes),
    }
}

/// Writes what has become of a request that waited. False: it goes on waiting. A panic ends the request with an error.
pub(crate) fn answer(context: &mut Context<'_>, pending: Pending, outcome: Result<Outcome, GivenUp>) -> bool {
    let (mark, id) = (context.output.mark(), pending.id);
    catch_unwind(AssertUnwindSafe(|| tell(context, pending, outcome))).unwrap_or_else(|_| {
        context.output.rewind(mark);
        announce(context, id);
        context.error(PANICKED);
        true
    })
}

/// What stands in front of an outcome that is a push.
fn announce(context: &mut Context<'_>, id: u64) {
    if context.client.protocol == Protocol::Resp3 && context.client.parked != Some(Parked::Request(id)) {
        reply::push(context.output.bytes(), 3);
        reply::bulk(context.output.bytes(), b"gate");
        reply::integer(context.output.bytes(), id as i64);
    }
}

fn tell(context: &mut Context<'_>, pending: Pending, outcome: Result<Outcome, GivenUp>) -> bool {
    let mark = context.output.mark();
    announce(context, pending.id);
    let again = match outcome {
        Ok(Outcome::Granted { token }) => granted(context, &pending, token),
        Ok(Outcome::Value(Some(value))) => {
            if matches!(pending.ask, Ask::Lease) && !matches!(value.kind, Kind::Hash | Kind::Set) {
                reply::array(context.output.bytes(), 2);
                reply::bulk(context.output.bytes(), b"HIT");
            }
            carried(context, &value);
            None
        }
        // Stored, but not at hand: like a new request.
        Ok(Outcome::Value(None)) => decide(context, &pending),
        Ok(Outcome::Absent) => {
            context.null();
            None
        }
        Ok(Outcome::Failed(message)) => {
            context.error(format_args!("TransformFailed {}", String::from_utf8_lossy(&message)));
            None
        }
        Ok(Outcome::Ended(error)) => {
            refusal::engine(context, &error);
            None
        }
        Err(how) => {
            match how {
                GivenUp::Late => refusal::engine(context, &Error::Timeout),
                GivenUp::Stopping => refusal::engine(context, &Error::Closed),
                GivenUp::Unblocked => context.error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
            }
            None
        }
    };
    let Some(ticket) = again else {
        let parked = context.client.parked == Some(Parked::Request(pending.id));
        let special = &mut context.client.special;
        if parked && (special.take(Special::SKIP) || special.contains(Special::REPLY_OFF)) {
            context.output.rewind(mark);
        }
        return true;
    };
    context.output.rewind(mark);
    wait_for(context, ticket, pending);
    false
}

fn fill(context: &mut Context<'_>, args: Args<'_>) {
    let how = args[3].to_ascii_lowercase();
    match (how.as_slice(), args.len()) {
        (b"keep", 4) => finish(context, &args[1], &args[2], Fill::Keep),
        (b"delete", 4) => finish(context, &args[1], &args[2], Fill::Delete),
        (b"fail", 5) => finish(context, &args[1], &args[2], Fill::Fail(&args[4])),
        (b"store", 5..) => match Options::parse(&args.skip(5), &["px", "cost"]) {
            Ok(options) => {
                let options = options.write(Condition::Always);
                let fill = Fill::Store { value: strings::wire(&args[4]), options: &options };
                finish(context, &args[1], &args[2], fill);
            }
            Err(message) => context.error(message),
        },
        _ => context.error(refusal::SYNTAX),
    }
}

/// Ends what a token holds.
fn finish(context: &mut Context<'_>, key: &[u8], token: &[u8], fill: Fill<'_>) {
    let Some(token) = parse_i64(token).and_then(|token| u64::try_from(token).ok()) else {
        return context.error("ERR token is not an integer or out of range");
    };
    let key = context.keys.stored(context.client.db, key);
    match context.server.cache.fill(key, token, fill) {
        Ok(Filled::Fenced) => refusal::engine(context, &Error::Fenced),
        // The askers of the load have the value; the key was deleted meanwhile.
        Ok(Filled::NotStored) => context.simple("NOTSTORED"),
        Ok(_) => context.ok(),
        Err(error) => refusal::engine(context, &error),
    }
}
