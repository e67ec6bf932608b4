//! Time to live.

use tandem_engine::{Expiry, ReadMode};
use tandem_wire::Args;
use tandem_wire::number::parse_i64;

use super::keys::BASE;
use super::parse::TimeUnit;
use super::{Command, Context, Flag, access, refusal};

const WRITE: &[Flag] = &[Flag::Write, Flag::Fast];

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "expire",
        syntax: "EXPIRE key seconds [NX | XX | GT | LT]",
        summary: "Set a key's time to live in seconds",
        arity: -3,
        flags: WRITE,
        access: &[access::CHANGE],
        run: |context, args| expire(context, args, "expire", TimeUnit { seconds: true, absolute: false }),
        ..BASE
    },
    Command {
        name: "pexpire",
        syntax: "PEXPIRE key milliseconds [NX | XX | GT | LT]",
        summary: "Set a key's time to live in milliseconds",
        since: "2.6.0",
        arity: -3,
        flags: WRITE,
        access: &[access::CHANGE],
        run: |context, args| expire(context, args, "pexpire", TimeUnit { seconds: false, absolute: false }),
        ..BASE
    },
    Command {
        name: "expireat",
        syntax: "EXPIREAT key unix-time-seconds [NX | XX | GT | LT]",
        summary: "Set the expiration for a key as a UNIX timestamp",
        since: "1.2.0",
        arity: -3,
        flags: WRITE,
        access: &[access::CHANGE],
        run: |context, args| expire(context, args, "expireat", TimeUnit { seconds: true, absolute: true }),
        ..BASE
    },
    Command {
        name: "pexpireat",
        syntax: "PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]",
        summary: "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
        since: "2.6.0",
        arity: -3,
        flags: WRITE,
        access: &[access::CHANGE],
        run: |context, args| expire(context, args, "pexpireat", TimeUnit { seconds: false, absolute: true }),
        ..BASE
    },
    Command {
        name: "ttl",
        syntax: "TTL key",
        summary: "Get the time to live for a key in seconds",
        run: |context, args| left(context, args, |ms| (ms + 500) / 1000),
        ..BASE
    },
    Command {
        name: "pttl",
        syntax: "PTTL key",
        summary: "Get the time to live for a key in milliseconds",
        since: "2.6.0",
        run: |context, args| left(context, args, |ms| ms),
        ..BASE
    },
    Command {
        name: "expiretime",
        syntax: "EXPIRETIME key",
        summary: "Get the expiration Unix timestamp for a key",
        since: "7.0.0",
        run: |context, args| moment(context, args, |ms| (ms + 500) / 1000),
        ..BASE
    },
    Command {
        name: "pexpiretime",
        syntax: "PEXPIRETIME key",
        summary: "Get the expiration Unix timestamp for a key in milliseconds",
        since: "7.0.0",
        run: |context, args| moment(context, args, |ms| ms),
        ..BASE
    },
    Command {
        name: "persist",
        syntax: "PERSIST key",
        summary: "Remove the expiration from a key",
        since: "2.2.0",
        flags: WRITE,
        access: &[access::CHANGE],
        run: persist,
        ..BASE
    },
];

/// When an expiry is changed at all.
#[derive(Default)]
struct Rules {
    /// Only where there is none.
    nx: bool,
    /// Only where there is one.
    xx: bool,
    /// Only to a later moment; none is later than any.
    gt: bool,
    /// Only to an earlier moment.
    lt: bool,
}

impl Rules {
    /// Parses the options; without a result the client has been told what is wrong with them.
    fn parse(context: &mut Context<'_>, args: Args<'_>) -> Option<Self> {
        let mut rules = Self::default();
        for option in args.iter() {
            match option.to_ascii_lowercase().as_slice() {
                b"nx" => rules.nx = true,
                b"xx" => rules.xx = true,
                b"gt" => rules.gt = true,
                b"lt" => rules.lt = true,
                _ => {
                    refusal::repeating(context, "ERR Unsupported option ", option, "");
                    return None;
                }
            }
        }
        if rules.nx && (rules.xx || rules.gt || rules.lt) {
            context.error("ERR NX and XX, GT or LT options at the same time are not compatible");
            return None;
        }
        if rules.gt && rules.lt {
            context.error("ERR GT and LT options at the same time are not compatible");
            return None;
        }
        Some(rules)
    }

    fn allow(&self, now: Option<i64>, then: i64) -> bool {
        match now {
            None => !self.xx && !self.gt,
            Some(now) => !(self.nx || self.gt && then <= now || self.lt && then >= now),
        }
    }
}

fn expire(context: &mut Context<'_>, args: Args<'_>, name: &str, unit: TimeUnit) {
    let Some(rules) = Rules::parse(context, args.skip(3)) else { return };
    let Some(number) = parse_i64(&args[2]) else { return context.error(refusal::NOT_INTEGER) };
    let Some(moment) = unit.moment(number, context.server.now_ms()) else {
        return context.error(format_args!("ERR invalid expire time in '{name}' command"));
    };
    let key = context.keys.stored(context.client.db, &args[1]);
    // What lies before 1970 has passed just as well at its first millisecond.
    let then = Expiry::At(moment.max(1) as u64);
    let allow = |now: Option<u64>, _| rules.allow(now.map(|at| at as i64), moment);
    match context.server.cache.set_expiry_if(key, then, allow) {
        Ok(changed) => context.integer(i64::from(changed)),
        Err(error) => refusal::engine(context, &error),
    }
}

fn left(context: &mut Context<'_>, args: Args<'_>, unit: fn(i64) -> i64) {
    let now_ms = context.server.now_ms() as i64;
    answer_expiry(context, args, |at| unit(at.saturating_sub(now_ms).max(0)));
}

fn moment(context: &mut Context<'_>, args: Args<'_>, unit: fn(u64) -> u64) {
    answer_expiry(context, args, |at| unit(at as u64) as i64);
}

/// Replies with what `shown` makes of the moment at which a key expires; -1: never, -2: it is not there.
fn answer_expiry(context: &mut Context<'_>, args: Args<'_>, shown: impl FnOnce(i64) -> i64) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let expires_at = context.server.cache.read(key, ReadMode::Peek, |found| found.expires_at);
    context.integer(match expires_at {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => shown(at as i64),
    });
}

fn persist(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    match context.server.cache.set_expiry_if(key, Expiry::Never, |now, _| now.is_some()) {
        Ok(changed) => context.integer(i64::from(changed)),
        Err(error) => refusal::engine(context, &error),
    }
}
