//! `SORT`: the members of a set in order, of their own or of other keys' values.

use std::cmp::Ordering;
use std::ops::Range;

use tandem_engine::{Error, Kind, ReadMode};
use tandem_wire::number::{parse_i64, push_i64};
use tandem_wire::{Args, reply};

use super::{Category, Command, Context, Flag, access, refusal};

const BASE: Command = Command {
    complexity: "O(N+M*log(M)) where N is the number of members and M the number of those that are returned.",
    arity: -2,
    categories: &[Category::Set, Category::List, Category::SortedSet, Category::Dangerous],
    ..super::BASE
};

/// The family.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: "sort",
        syntax: "SORT key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
        summary: "Sort the members of a set; STORE is refused, because it would make a list",
        flags: &[Flag::Write, Flag::DenyOom, Flag::MovableKeys],
        access: &[access::READ, access::OVERWRITE],
        run: |context, args| sort(context, args, false),
        ..BASE
    },
    Command {
        name: "sort_ro",
        syntax: "SORT_RO key [BY pattern] [LIMIT offset count] [GET pattern [GET pattern ...]] [ASC | DESC] [ALPHA]",
        summary: "Sort the members of a set",
        since: "7.0.0",
        flags: &[Flag::ReadOnly, Flag::MovableKeys],
        run: |context, args| sort(context, args, true),
        ..BASE
    },
];

const NO_LISTS: &str = "ERR SORT with STORE would make a list, and there are no lists here: \
                        sort without STORE and keep what is returned in a set, a hash or a string";
const NO_NUMBER: &str = "ERR One or more scores can't be converted into double";

/// Where to find a value that belongs to a member.
enum Pattern<'a> {
    /// It is the member itself.
    Member,
    /// Under the key that the member makes of these parts; in a hash, its field.
    Key { before: &'a [u8], after: &'a [u8], field: Option<&'a [u8]> },
    /// Nowhere: there is no place for the member.
    Nothing,
}

impl<'a> Pattern<'a> {
    fn parse(text: &'a [u8]) -> Self {
        if text == b"#" {
            return Self::Member;
        }
        let Some(star) = text.iter().position(|&byte| byte == b'*') else { return Self::Nothing };
        let rest = &text[star + 1..];
        let arrow = rest.windows(2).position(|pair| pair == b"->").filter(|at| at + 2 < rest.len());
        let (after, field) = match arrow {
            Some(at) => (&rest[..at], Some(&rest[at + 2..])),
            None => (rest, None),
        };
        Self::Key { before: &text[..star], after, field }
    }
}

/// What was asked for.
#[derive(Default)]
struct Options<'a> {
    by: Option<Pattern<'a>>,
    /// `BY` something that is no pattern: the order does not matter.
    unsorted: bool,
    get: Vec<Pattern<'a>>,
    limit: Option<(i64, i64)>,
    descending: bool,
    alpha: bool,
    store: bool,
}

impl<'a> Options<'a> {
    fn parse(args: &'a Args<'a>, read_only: bool) -> Result<Self, &'static str> {
        let mut options = Self::default();
        let mut at = 0;
        while at < args.len() {
            let left = args.len() - at - 1;
            match args[at].to_ascii_lowercase().as_slice() {
                b"asc" => options.descending = false,
                b"desc" => options.descending = true,
                b"alpha" => options.alpha = true,
                b"limit" if left >= 2 => {
                    let number = |text| parse_i64(text).ok_or(refusal::NOT_INTEGER);
                    options.limit = Some((number(&args[at + 1])?, number(&args[at + 2])?));
                    at += 2;
                }
                b"store" if left >= 1 && !read_only => {
                    options.store = true;
                    at += 1;
                }
                b"by" if left >= 1 => {
                    at += 1;
                    options.unsorted |= !args[at].contains(&b'*');
                    options.by = Some(Pattern::parse(&args[at]));
                }
                b"get" if left >= 1 => {
                    at += 1;
                    options.get.push(Pattern::parse(&args[at]));
                }
                _ => return Err(refusal::SYNTAX),
            }
            at += 1;
        }
        Ok(options)
    }

    /// The places among `count` sorted members that are wanted.
    fn places(&self, count: usize) -> Range<usize> {
        let (offset, wanted) = self.limit.unwrap_or((0, -1));
        let start = usize::try_from(offset).unwrap_or(0).min(count);
        let end = usize::try_from(wanted).map_or(count, |wanted| start.saturating_add(wanted).min(count));
        start..end
    }
}

/// Bytes of members, or of what they are sorted by, one behind the other.
#[derive(Default)]
struct Texts {
    bytes: Vec<u8>,
    limit: usize,
}

impl Texts {
    fn push(&mut self, text: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        // What is beyond the limit is not kept: the request is refused for it.
        if start <= self.limit {
            self.bytes.extend_from_slice(text);
        }
        start..self.bytes.len()
    }

    fn exceeds(&self) -> bool {
        self.bytes.len() > self.limit
    }
}

/// A member and what decides on its place.
struct Item {
    member: Range<usize>,
    weight: Weight,
}

enum Weight {
    Number(f64),
    /// `None`: there is no value, which goes before all that are there.
    Text(Option<Range<usize>>),
}

fn sort(context: &mut Context<'_>, args: Args<'_>, read_only: bool) {
    let rest = args.skip(2);
    let options = match Options::parse(&rest, read_only) {
        Ok(options) if options.store => return context.error(NO_LISTS),
        Ok(options) => options,
        Err(message) => return context.error(message),
    };
    let limit = context.copied_limit();
    let mut texts = Texts { bytes: Vec::new(), limit };
    let mut items = match members(context, &args[1], &mut texts) {
        Ok(items) => items,
        Err(error) => return refusal::engine(context, &error),
    };
    // In a transaction or script, the same set is always in the same order.
    let by_member = options.unsorted && context.cache().in_transaction();
    if !options.unsorted || by_member {
        let alpha = options.alpha || by_member;
        let by = options.by.as_ref().filter(|_| !by_member);
        if let Err(message) = weigh(context, &mut items, &mut texts, by, alpha) {
            return context.error(message);
        }
        let order = |one: &Item, other: &Item| {
            let order = compare(one, other, &texts.bytes);
            if options.descending { order.reverse() } else { order }
        };
        items.sort_unstable_by(order);
    }
    if texts.exceeds() {
        return context.error(format_args!("ERR sorting needs more than {limit} bytes"));
    }
    let wanted = &items[options.places(items.len())];
    reply::array(context.output.bytes(), wanted.len() * options.get.len().max(1));
    for item in wanted {
        if context.overflows() {
            return;
        }
        let member = &texts.bytes[item.member.clone()];
        if options.get.is_empty() {
            context.bulk(member);
        }
        options.get.iter().for_each(|pattern| reply_value(context, pattern, member));
    }
}

/// The members of the set under `key`; none where it is absent.
fn members(context: &mut Context<'_>, key: &[u8], texts: &mut Texts) -> Result<Vec<Item>, Error> {
    let key = context.keys.stored(context.client.db, key);
    let found = context.server.cache.read_whole(key, Kind::Set, ReadMode::Use, |set| {
        let mut items = Vec::with_capacity(set.len() as usize);
        set.for_each(|member| items.push(Item { member: texts.push(member.name), weight: Weight::Number(0.0) }));
        items
    });
    Ok(found?.unwrap_or_default())
}

/// Finds what each member is sorted by.
fn weigh(
    context: &mut Context<'_>,
    items: &mut [Item],
    texts: &mut Texts,
    by: Option<&Pattern<'_>>,
    alpha: bool,
) -> Result<(), &'static str> {
    let (mut value, mut all_numbers) = (Vec::new(), true);
    for item in items {
        let member = &texts.bytes[item.member.clone()];
        let found = by.is_none_or(|by| value_of(context, by, member, &mut value));
        let text = if by.is_some() { &value } else { member };
        item.weight = match (alpha, found) {
            (true, false) => Weight::Text(None),
            (true, true) if by.is_none() => Weight::Text(Some(item.member.clone())),
            (true, true) => Weight::Text(Some(texts.push(&value))),
            (false, false) => Weight::Number(0.0),
            (false, true) => Weight::Number(parse_double(text).unwrap_or_else(|| {
                all_numbers = false;
                0.0
            })),
        };
        if texts.exceeds() {
            return Ok(());
        }
    }
    if all_numbers { Ok(()) } else { Err(NO_NUMBER) }
}

fn compare(one: &Item, other: &Item, bytes: &[u8]) -> Ordering {
    match (&one.weight, &other.weight) {
        (Weight::Number(first), Weight::Number(second)) => {
            first.total_cmp(second).then_with(|| bytes[one.member.clone()].cmp(&bytes[other.member.clone()]))
        }
        (Weight::Text(Some(first)), Weight::Text(Some(second))) => {
            c_string(&bytes[first.clone()]).cmp(c_string(&bytes[second.clone()]))
        }
        (Weight::Text(first), Weight::Text(second)) => first.is_some().cmp(&second.is_some()),
        (Weight::Number(_), Weight::Text(_)) => Ordering::Less,
        (Weight::Text(_), Weight::Number(_)) => Ordering::Greater,
    }
}

/// What C sees of a string: a NUL ends it.
fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// Reads a number as C's `strtod` does, but for hexadecimal ones. Nothing at all is 0. `None`: it is no number, or one
/// that a double does not hold.
fn parse_double(text: &[u8]) -> Option<f64> {
    let text = c_string(text);
    if text.is_empty() {
        return Some(0.0);
    }
    let is_space = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x0B;
    let digits = text.iter().position(|byte| !is_space(byte)).map(|at| &text[at..])?;
    let number: f64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let says_infinite = digits.iter().any(|byte| matches!(byte, b'i' | b'I'));
    let is_zero =
        || digits.iter().take_while(|byte| !matches!(byte, b'e' | b'E')).all(|byte| !(b'1'..=b'9').contains(byte));
    let is_held = (number.is_infinite() && says_infinite) || number.is_normal() || (number == 0.0 && is_zero());
    // A zero with a sign is no smaller than one without.
    is_held.then_some(number + 0.0)
}

/// Puts the value that `pattern` finds for `member` into `value`; false if there is none.
fn value_of(context: &mut Context<'_>, pattern: &Pattern<'_>, member: &[u8], value: &mut Vec<u8>) -> bool {
    value.clear();
    let (before, after, field) = match pattern {
        Pattern::Nothing => return false,
        Pattern::Member => {
            value.extend_from_slice(member);
            return true;
        }
        Pattern::Key { before, after, field } => (before, after, field),
    };
    let key = [before, member, after].concat();
    let key = context.keys.stored(context.client.db, &key);
    let cache = &context.server.cache;
    match field {
        None => {
            let found = cache.read(key, ReadMode::Use, |found| match found.integer() {
                _ if found.kind.is_collection() => false,
                Some(number) => {
                    push_i64(value, number);
                    true
                }
                None => {
                    value.extend_from_slice(found.bytes);
                    true
                }
            });
            found == Some(true)
        }
        Some(field) => {
            let found = cache.read_collection(key, Kind::Hash, ReadMode::Use, |hash| {
                hash.get(field).map(|element| value.extend_from_slice(element.value.unwrap_or_default())).is_some()
            });
            found == Ok(Some(true))
        }
    }
}

/// Replies with what `pattern` finds for `member`, or with nothing.
fn reply_value(context: &mut Context<'_>, pattern: &Pattern<'_>, member: &[u8]) {
    // A string goes to the reply as `GET` has it: a large one is not copied.
    if let Pattern::Key { before, after, field: None } = pattern {
        let key = [before, member, after].concat();
        let key = context.keys.stored(context.client.db, &key);
        let output = &mut *context.output;
        output.reserve_value();
        let found = context.server.cache.read(key, ReadMode::Use, |found| {
            let is_string = !found.kind.is_collection();
            if is_string {
                output.value(found);
            }
            is_string
        });
        return if found != Some(true) {
            context.null()
        };
    }
    let mut value = Vec::new();
    if value_of(context, pattern, member, &mut value) { context.bulk(&value) } else { context.null() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_c_does() {
        for (text, number) in [("", 0.0), ("1", 1.0), (" \t-2.5", -2.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0)] {
            assert_eq!(parse_double(text.as_bytes()), Some(number), "{text:?}");
        }
        assert_eq!(parse_double(b"-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_double(b"7\0x"), Some(7.0));
        for text in [" ", "x", "1 ", "1e", "nan", "1e999", "1e-999", "-", "1,5", "\u{e9}"] {
            assert_eq!(parse_double(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn patterns_name_keys_and_fields() {
        let parts = |text: &'static str| match Pattern::parse(text.as_bytes()) {
            Pattern::Key { before, after, field } => Some((before, after, field)),
            Pattern::Member | Pattern::Nothing => None,
        };
        assert_eq!(parts("w_*"), Some((&b"w_"[..], &b""[..], None)));
        assert_eq!(parts("w_*_x->f"), Some((&b"w_"[..], &b"_x"[..], Some(&b"f"[..]))));
        assert_eq!(parts("w_*->"), Some((&b"w_"[..], &b"->"[..], None)));
        assert_eq!(parts("*-*>*"), Some((&b""[..], &b"-*>*"[..], None)));
        assert_eq!((parts("#"), parts("none"), parts("")), (None, None, None));
    }
}
