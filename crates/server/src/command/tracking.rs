//! `CLIENT TRACKING` and what belongs to it.

use std::sync::Arc;

use tandem_wire::number::parse_i64;
use tandem_wire::{Args, reply};

use super::client::CLIENT;
use super::{Command, Context, refusal};
use crate::connection::Special;
use crate::tracking::{Mode, Options};

/// Subcommands of `CLIENT`.
pub(super) const TRACKING: Command = Command {
    name: "tracking",
    syntax: "CLIENT TRACKING ON | OFF [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] \
             [NOLOOP]",
    summary: "Enable or disable server assisted client side caching support",
    since: "6.0.0",
    complexity: "O(1). Some options may introduce additional complexity.",
    arity: -3,
    run: tracking,
    ..CLIENT
};
pub(super) const CACHING: Command = Command {
    name: "caching",
    syntax: "CLIENT CACHING YES | NO",
    summary: "Instruct the server about tracking or not keys in the next request",
    since: "6.0.0",
    arity: 3,
    run: caching,
    ..CLIENT
};
pub(super) const TRACKINGINFO: Command = Command {
    name: "trackinginfo",
    syntax: "CLIENT TRACKINGINFO",
    summary: "Return information about server assisted client side caching for the current connection",
    since: "6.2.0",
    arity: 2,
    run: trackinginfo,
    ..CLIENT
};
pub(super) const GETREDIR: Command = Command {
    name: "getredir",
    syntax: "CLIENT GETREDIR",
    summary: "Get tracking notifications redirection client ID if any",
    since: "6.0.0",
    arity: 2,
    run: getredir,
    ..CLIENT
};

/// What was asked for, before it is known whether it fits the client.
#[derive(Default)]
struct Request<'a> {
    redirect: u64,
    prefixes: Vec<&'a [u8]>,
    broadcast: bool,
    opt_in: bool,
    opt_out: bool,
    no_loop: bool,
}

impl<'a> Request<'a> {
    fn parse(context: &Context<'_>, args: &'a Args<'a>) -> Result<Self, &'static str> {
        let mut request = Self::default();
        let mut at = 3;
        while at < args.len() {
            let has_more = at + 1 < args.len();
            match args[at].to_ascii_lowercase().as_slice() {
                b"redirect" if has_more => {
                    at += 1;
                    if request.redirect != 0 {
                        return Err("ERR A client can only redirect to a single other client");
                    }
                    let id = parse_i64(&args[at]).ok_or(refusal::NOT_INTEGER)?;
                    let other = u64::try_from(id).ok().and_then(|id| context.server.table.get(id));
                    let other = other.ok_or("ERR The client ID you want redirect to does not exist")?;
                    request.redirect = other.address.client_id;
                }
                b"prefix" if has_more => {
                    at += 1;
                    request.prefixes.push(&args[at]);
                }
                b"bcast" => request.broadcast = true,
                b"optin" => request.opt_in = true,
                b"optout" => request.opt_out = true,
                b"noloop" => request.no_loop = true,
                _ => return Err(refusal::SYNTAX),
            }
            at += 1;
        }
        Ok(request)
    }

    /// What the client will track with; `before`: what it tracks with now.
    fn options(&self, before: Option<Options>) -> Result<Options, String> {
        if !self.broadcast && !self.prefixes.is_empty() {
            return Err("ERR PREFIX option requires BCAST mode to be enabled".into());
        }
        if before.as_ref().is_some_and(|before| (before.mode == Mode::Broadcast) != self.broadcast) {
            return Err("ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then \
                        re-enabling it with a different mode."
                .into());
        }
        if self.broadcast && (self.opt_in || self.opt_out) {
            return Err("ERR OPTIN and OPTOUT are not compatible with BCAST".into());
        }
        if self.opt_in && self.opt_out {
            return Err("ERR You can't specify both OPTIN mode and OPTOUT mode".into());
        }
        let was = before.as_ref().map(|before| before.mode);
        if (self.opt_in && was == Some(Mode::OptOut)) || (self.opt_out && was == Some(Mode::OptIn)) {
            return Err("ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then \
                        re-enabling it with a different mode."
                .into());
        }
        let mode = match (self.broadcast, self.opt_in, self.opt_out) {
            (true, ..) => Mode::Broadcast,
            (_, true, _) => Mode::OptIn,
            (.., true) => Mode::OptOut,
            _ => Mode::Read,
        };
        let mut prefixes = before.map_or(Vec::new(), |before| before.prefixes);
        if self.broadcast {
            self.check_prefixes(&prefixes)?;
            prefixes.extend(self.prefixes.iter().map(|&prefix| Arc::from(prefix)));
            if self.prefixes.is_empty() && !prefixes.iter().any(|prefix| prefix.is_empty()) {
                prefixes.push(Arc::from(&b""[..]));
            }
        }
        Ok(Options { mode, no_loop: self.no_loop, redirect: self.redirect, prefixes, is_broken: false })
    }

    /// No prefix may begin with another one: changes would be told twice.
    fn check_prefixes(&self, present: &[Arc<[u8]>]) -> Result<(), String> {
        let overlap = |one: &[u8], other: &[u8]| one.starts_with(other) || other.starts_with(one);
        let refuse = |prefix: &[u8], other: &[u8], what: &str| {
            let (prefix, other) = (String::from_utf8_lossy(prefix), String::from_utf8_lossy(other));
            Err(format!(
                "ERR Prefix '{prefix}' overlaps with {what} prefix '{other}'. Prefixes for a single client must not overlap."
            ))
        };
        for (at, prefix) in self.prefixes.iter().enumerate() {
            if let Some(other) = present.iter().find(|other| overlap(prefix, other)) {
                return refuse(prefix, other, "an existing");
            }
            if let Some(other) = self.prefixes[at + 1..].iter().find(|other| overlap(prefix, other)) {
                return refuse(prefix, other, "another provided");
            }
        }
        let all = || present.iter().map(|prefix| &**prefix).chain(self.prefixes.iter().copied());
        if !Options::has_room(all().count(), all().map(<[u8]>::len).sum()) {
            return Err("ERR too many prefixes: a client may have 1000, with 64 KiB in all".into());
        }
        Ok(())
    }
}

fn tracking(context: &mut Context<'_>, args: Args<'_>) {
    let server = context.server;
    let request = match Request::parse(context, &args) {
        Ok(request) => request,
        Err(message) => return context.error(message),
    };
    let tracking = &server.observer.tracking;
    match args[2].to_ascii_lowercase().as_slice() {
        b"on" => match request.options(tracking.options(context.client.id)) {
            Err(message) => return context.error(message),
            Ok(options) => {
                let address = context.client.address();
                let special = &mut context.client.special;
                special.insert(Special::TRACKING);
                if options.mode == Mode::Broadcast {
                    special.insert(Special::BROADCAST);
                }
                tracking.begin(address, options);
                server.observer.refresh(server);
                special.insert(Special::OBSERVED);
            }
        },
        b"off" => context.client.stop_tracking(server),
        _ => return context.error(refusal::SYNTAX),
    }
    context.ok();
}

fn caching(context: &mut Context<'_>, args: Args<'_>) {
    let Some(options) = own_options(context) else {
        return context.error(
            "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled",
        );
    };
    match args[2].to_ascii_lowercase().as_slice() {
        b"yes" if options.mode == Mode::OptIn => {}
        b"yes" => {
            return context.error("ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
        }
        b"no" if options.mode == Mode::OptOut => {}
        b"no" => {
            return context.error("ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
        }
        _ => return context.error(refusal::SYNTAX),
    }
    context.client.special.insert(Special::CACHING);
    context.ok();
}

/// How the client tracks, if it does.
fn own_options(context: &Context<'_>) -> Option<Options> {
    let tracks = context.client.special.contains(Special::TRACKING);
    tracks.then(|| context.server.observer.tracking.options(context.client.id)).flatten()
}

fn getredir(context: &mut Context<'_>, _args: Args<'_>) {
    let redirect = own_options(context).map_or(-1, |options| options.redirect as i64);
    context.integer(redirect);
}

fn trackinginfo(context: &mut Context<'_>, _args: Args<'_>) {
    let options = own_options(context);
    let said_so = context.client.special.contains(Special::CACHING);
    let mut flags = vec![if options.is_some() { "on" } else { "off" }];
    if let Some(options) = &options {
        match options.mode {
            Mode::Read => {}
            Mode::Broadcast => flags.push("bcast"),
            Mode::OptIn => {
                flags.push("optin");
                flags.extend(said_so.then_some("caching-yes"));
            }
            Mode::OptOut => {
                flags.push("optout");
                flags.extend(said_so.then_some("caching-no"));
            }
        }
        flags.extend(options.no_loop.then_some("noloop"));
        flags.extend(options.is_broken.then_some("broken_redirect"));
    }
    let protocol = context.client.protocol;
    let out = context.output.bytes();
    reply::map(out, protocol, 3);
    reply::bulk(out, b"flags");
    reply::set(out, protocol, flags.len());
    flags.iter().for_each(|flag| reply::bulk(out, flag.as_bytes()));
    reply::bulk(out, b"redirect");
    reply::integer(out, options.as_ref().map_or(-1, |options| options.redirect as i64));
    reply::bulk(out, b"prefixes");
    let mut prefixes = options.map_or(Vec::new(), |options| options.prefixes);
    prefixes.sort_unstable();
    reply::array(out, prefixes.len());
    prefixes.iter().for_each(|prefix| reply::bulk(out, prefix));
}
