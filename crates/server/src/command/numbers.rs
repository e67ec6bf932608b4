//! Adding to a number with a fraction.

use tandem_engine::{Error, Expiry, Kind, Transform};
use tandem_wire::Args;

use super::strings::BASE;
use super::update::{push_shown, shown_len};
use super::{Command, Context, access, refusal};
use crate::long_double::{LongDouble, Parsed};

/// `INCRBYFLOAT`, a member of the family of [`super::update`].
pub(super) const INCRBYFLOAT: Command = Command {
    name: "incrbyfloat",
    syntax: "INCRBYFLOAT key increment",
    summary: "Increment the float value of a key by the given amount",
    since: "2.6.0",
    arity: 3,
    access: &[access::READ_AND_CHANGE],
    run: incrbyfloat,
    ..BASE
};

const NOT_FLOAT: &str = "ERR value is not a valid float";
const NOT_FINITE: &str = "ERR increment would produce NaN or Infinity";

fn incrbyfloat(context: &mut Context<'_>, args: Args<'_>) {
    let increment = LongDouble::parse(&args[2]);
    let key = context.keys.stored(context.client.db, &args[1]);
    let mut refused = None;
    let sum = context.server.cache.transform(key, |found| {
        refused = None;
        if found.is_some_and(|found| found.kind.is_collection()) {
            return Err(Error::WrongKind);
        }
        let mut shown = Vec::with_capacity(found.map_or(1, shown_len));
        match found {
            Some(found) => push_shown(&mut shown, found),
            None => shown.push(b'0'),
        }
        let sum = match (LongDouble::parse(&shown), &increment) {
            (Some(Parsed::Finite(old)), Some(Parsed::Finite(increment))) => old.add(increment),
            (Some(_), Some(_)) => Parsed::Infinite,
            (None, _) | (_, None) => {
                refused = Some(NOT_FLOAT);
                return Ok(Transform::Keep(String::new()));
            }
        };
        let Parsed::Finite(sum) = sum else {
            refused = Some(NOT_FINITE);
            return Ok(Transform::Keep(String::new()));
        };
        let sum = sum.to_string();
        let bytes = sum.clone().into_bytes();
        Ok(Transform::Store { kind: Kind::Wire, codec: 0, bytes, expiry: Expiry::Keep, output: sum })
    });
    match (sum, refused) {
        (_, Some(message)) => context.error(message),
        (Ok(sum), None) => context.bulk(sum.as_bytes()),
        (Err(error), None) => refusal::engine(context, &error),
    }
}
