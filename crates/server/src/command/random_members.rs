//! `SPOP` and `SRANDMEMBER`.

use tandem_engine::{Growth, Kind, ReadMode};
use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::{Context, refusal};

/// Members that may come several times, drawn at once: as many as a request may have arguments.
const MAX_REPEATED: u64 = 1 << 20;

fn below(n: u64) -> u64 {
    fastrand::u64(..n)
}

pub(super) fn spop(context: &mut Context<'_>, args: Args<'_>) {
    match args.len() {
        2 => pop_one(context, args),
        3 => match parse_i64(&args[2]) {
            Some(count @ 0..) => pop(context, args, count as u64),
            _ => context.error("ERR value is out of range, must be positive"),
        },
        _ => context.error(refusal::SYNTAX),
    }
}

fn pop_one(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let popped = context.server.cache.change_collection(key, Kind::Set, false, Growth::default(), |set| {
        let member = set.elements().random(&mut below).map(|member| member.name.to_vec());
        Ok(member.inspect(|name| {
            set.remove(name);
        }))
    });
    match popped {
        Ok(Some(Some(member))) => context.bulk(&member),
        Ok(_) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}

fn pop(context: &mut Context<'_>, args: Args<'_>, count: u64) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let popped = context.server.cache.change_collection(key, Kind::Set, false, Growth::default(), |set| {
        let mut popped = Vec::new();
        if count >= set.elements().len() {
            set.elements().for_each(|member| popped.push(member.name.to_vec()));
            set.clear();
            return Ok(popped);
        }
        while (popped.len() as u64) < count
            && let Some(member) = set.elements().random(&mut below).map(|member| member.name.to_vec())
        {
            set.remove(&member);
            popped.push(member);
        }
        Ok(popped)
    });
    match popped {
        Ok(popped) => {
            let popped = popped.unwrap_or_default();
            reply::set(context.output.bytes(), context.client.protocol, popped.len());
            popped.iter().for_each(|member| context.bulk(member));
        }
        Err(error) => refusal::engine(context, &error),
    }
}

pub(super) fn srandmember(context: &mut Context<'_>, args: Args<'_>) {
    match args.len() {
        2 => draw_one(context, args),
        3 => match parse_i64(&args[2]) {
            None => context.error(refusal::NOT_INTEGER),
            Some(i64::MIN) => context
                .error("ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"),
            Some(count) => draw(context, args, count),
        },
        _ => context.error(refusal::SYNTAX),
    }
}

fn draw_one(context: &mut Context<'_>, args: Args<'_>) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let output = &mut *context.output;
    output.reserve_value();
    let drawn = context.server.cache.read_collection(key, Kind::Set, ReadMode::Use, |set| {
        set.random(&mut below).map(|member| reply::bulk(output.bytes(), member.name))
    });
    match drawn {
        Ok(Some(Some(()))) => {}
        Ok(_) => context.null(),
        Err(error) => refusal::engine(context, &error),
    }
}

/// Draws `count` different members, or `-count` any members.
fn draw(context: &mut Context<'_>, args: Args<'_>, count: i64) {
    let key = context.keys.stored(context.client.db, &args[1]);
    let members = context.server.cache.read_whole(key, Kind::Set, ReadMode::Use, |set| {
        let mut members = Vec::with_capacity(set.len() as usize);
        set.for_each(|member| members.push(member.name.to_vec()));
        members
    });
    let mut members = match members {
        Ok(members) => members.unwrap_or_default(),
        Err(error) => return refusal::engine(context, &error),
    };
    if count >= 0 {
        let wanted = members.len().min(usize::try_from(count).unwrap_or(usize::MAX));
        // The first steps of a shuffle: each member is drawn from those that are left.
        for at in 0..wanted {
            let other = fastrand::usize(at..members.len());
            members.swap(at, other);
        }
        reply::array(context.output.bytes(), wanted);
        members[..wanted].iter().for_each(|member| context.bulk(member));
        return;
    }
    let wanted = if members.is_empty() { 0 } else { count.unsigned_abs() };
    // Nobody else of this loop is served meanwhile, and the number is the client's: what is too much is refused first.
    if wanted > MAX_REPEATED {
        return context.error(format_args!(
            "ERR value is out of range: {wanted} members were asked for, at most {MAX_REPEATED} are drawn at once"
        ));
    }
    let (mark, limit) = (context.output.mark(), context.copied_limit());
    reply::array(context.output.bytes(), wanted as usize);
    for _ in 0..wanted {
        if context.output.copied() > limit {
            context.output.rewind(mark);
            return context
                .error(format_args!("ERR the reply would be larger than {limit} bytes; ask for fewer members"));
        }
        context.bulk(&members[fastrand::usize(..members.len())]);
    }
}
