//! `HSCAN` and `SSCAN`.

use tandem_engine::{Kind, ReadMode};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Context, parse, refusal};
use crate::glob;

/// Elements looked at by one call, whatever `COUNT` asks for: others wait meanwhile.
const MAX_COUNT: usize = 10_000;
const DEFAULT_COUNT: usize = 10;

struct Options<'a> {
    pattern: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Options<'a> {
    fn parse(args: &'a Args<'a>) -> Result<Self, &'static str> {
        let mut options = Self { pattern: None, count: DEFAULT_COUNT };
        for at in (0..args.len()).step_by(2) {
            if at + 1 == args.len() {
                return Err(refusal::SYNTAX);
            }
            let value = &args[at + 1];
            if args[at].eq_ignore_ascii_case(b"match") {
                options.pattern = Some(value);
            } else if args[at].eq_ignore_ascii_case(b"count") {
                match parse_i64(value) {
                    None => return Err(refusal::NOT_INTEGER),
                    Some(count) if count < 1 => return Err(refusal::SYNTAX),
                    Some(count) => options.count = (count as usize).min(MAX_COUNT),
                }
            } else {
                return Err(refusal::SYNTAX);
            }
        }
        Ok(options)
    }
}

/// Answers with a cursor and some elements: names of a set, names and values of a hash.
pub(super) fn scan(context: &mut Context<'_>, args: Args<'_>, kind: Kind) {
    let Some(cursor) = parse::cursor(&args[2]) else { return context.error("ERR invalid cursor") };
    let rest = args.skip(3);
    let options = Options::parse(&rest);
    let key = context.keys.stored(context.client.db, &args[1]);
    let (mut chosen, mut count) = (Vec::new(), 0);
    let found = context.server.cache.read_collection(key, kind, ReadMode::Use, |elements| {
        let options = options.as_ref().ok()?;
        let next = elements.scan(cursor, options.count, |element| {
            if options.pattern.is_none_or(|pattern| glob::matches(pattern, element.name)) {
                reply::bulk(&mut chosen, element.name);
                count += 1;
                if let Some(value) = element.value {
                    reply::bulk(&mut chosen, value);
                    count += 1;
                }
            }
        });
        Some(next)
    });
    let next = match (found, options) {
        (Err(error), _) => return refusal::engine(context, &error),
        // What is not there needs no right options.
        (Ok(None), _) => 0,
        (Ok(Some(_)), Err(message)) => return context.error(message),
        (Ok(Some(next)), Ok(_)) => next.unwrap_or(0),
    };
    let out = context.output.bytes();
    reply::array(out, 2);
    reply::bulk(out, next.to_string().as_bytes());
    reply::array(out, count);
    out.extend_from_slice(&chosen);
}
