//! The parts of a script's library that are written in Rust. `prelude.lua` hands them out.
//!
//! They are called by scripts directly, so that the frame of the script is there when they fail: a tail call to a
//! function of Lua would have replaced it. What they raise is no value of Lua; the prelude's `pcall` turns it into one.

use std::rc::Rc;
use std::time::Instant;

use mlua::{IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};

use super::cache::digest;
use super::cjson::{Decoder, Encoder};
use super::convert::field;
use super::interpreter::{RunState, Stop, load, script_line};
use super::number::{Random, general};
use super::pattern::{Captured, Fault, Match, find_plain, is_plain, search};
use crate::command::REDIS_VERSION;

/// An error that a script can catch: a text that begins with its code.
#[derive(Debug)]
pub(super) struct Raised(pub Vec<u8>);

impl Raised {
    /// This text as an error for the interpreter.
    pub fn error(text: &[u8]) -> mlua::Error {
        mlua::Error::external(Self(text.to_vec()))
    }

    /// The text behind an error of the interpreter, if it is one of these.
    pub fn text(error: &mlua::Error) -> Option<&[u8]> {
        error.downcast_ref::<Self>().map(|raised| &*raised.0)
    }
}

impl std::fmt::Display for Raised {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl std::error::Error for Raised {}

/// An error with the line of the script in front, as the functions of Lua's own library have it.
fn raised_here(lua: &Lua, message: &str) -> mlua::Error {
    let place = script_line(lua).map_or_else(String::new, |line| format!("user_script:{line}: "));
    Raised::error(format!("ERR {place}{message}").as_bytes())
}

/// A native function: its results, or a message.
type Native = fn(&Call<'_>) -> Result<MultiValue, Failure>;

enum Failure {
    /// The script gets this as an error.
    Message(String),
    /// The run ends.
    Stopped(Stop),
    Lua(mlua::Error),
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(message) => Self::Message(message),
            Fault::TimeUp => Self::Stopped(Stop::Budget),
        }
    }
}

/// One call of a native function.
struct Call<'c> {
    lua: &'c Lua,
    state: &'c Rc<RunState>,
    name: &'static str,
    arguments: MultiValue,
}

impl Call<'_> {
    fn value(&self, number: usize) -> Value {
        self.arguments.get(number - 1).cloned().unwrap_or(Value::Nil)
    }

    fn wrong<T>(&self, number: usize, what: &str) -> Result<T, Failure> {
        Err(Failure::Message(format!("bad argument #{number} to '{}' ({what})", self.name)))
    }

    fn mismatch<T>(&self, number: usize, wanted: &str) -> Result<T, Failure> {
        let got = self.arguments.get(number - 1).map_or("no value", Value::type_name);
        self.wrong(number, &format!("{wanted} expected, got {got}"))
    }

    /// A text, or a number as text.
    fn text(&self, number: usize) -> Result<LuaString, Failure> {
        match self.value(number) {
            Value::String(text) => Ok(text),
            Value::Integer(integer) => Ok(self.lua.create_string(general(integer as f64, 14))?),
            Value::Number(float) => Ok(self.lua.create_string(general(float, 14))?),
            _ => self.mismatch(number, "string"),
        }
    }

    /// A number, or a text that is one; `otherwise` where there is none.
    fn number(&self, number: usize, otherwise: Option<f64>) -> Result<f64, Failure> {
        match (self.lua.coerce_number(self.value(number))?, otherwise) {
            (Some(float), _) => Ok(float),
            (None, Some(otherwise)) if self.value(number).is_nil() => Ok(otherwise),
            _ => self.mismatch(number, "number"),
        }
    }

    fn results(&self, results: impl IntoLuaMulti) -> Result<MultiValue, Failure> {
        Ok(results.into_lua_multi(self.lua)?)
    }
}

/// The table of all of them.
pub(super) fn functions(lua: &Lua, state: &Rc<RunState>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let natives: [(&'static str, Native); 10] = [
        ("find", find),
        ("match", matching),
        ("step", step),
        ("expand", expand),
        ("random", random),
        ("randomseed", randomseed),
        ("encode", encode),
        ("decode", decode),
        ("sha1hex", sha1hex),
        ("error_reply", error_reply),
    ];
    for (name, native) in natives {
        let state = Rc::clone(state);
        let function = lua.create_function(move |lua, arguments: MultiValue| {
            match native(&Call { lua, state: &state, name, arguments }) {
                Ok(results) => Ok(results),
                Err(Failure::Message(message)) => Err(raised_here(lua, &message)),
                Err(Failure::Stopped(stop)) => Err(state.halt(lua, stop)),
                Err(Failure::Lua(error)) => Err(error),
            }
        })?;
        table.raw_set(name, function)?;
    }
    let loading = Rc::clone(state);
    table.raw_set(
        "loadstring",
        lua.create_function(move |lua, (source, name): (LuaString, Option<String>)| {
            if loading.is_late() {
                return Err(loading.halt(lua, Stop::Budget));
            }
            let name = name.unwrap_or_else(|| "=loadstring".into());
            match load(lua, &source.as_bytes(), &name) {
                Ok(function) => function.into_lua_multi(lua),
                Err(message) => (Value::Nil, message).into_lua_multi(lua),
            }
        })?,
    )?;
    table.raw_set(
        "as_text",
        lua.create_function(|lua, mut values: MultiValue| {
            if let Some(Value::Error(error)) = values.front()
                && let Some(text) = Raised::text(error)
            {
                // Without the code that only a reply has, where the message is one of the library.
                let text = text.strip_prefix(b"ERR user_script").map_or(text, |_| &text[4..]);
                values[0] = Value::String(lua.create_string(text)?);
            }
            Ok(values)
        })?,
    )?;
    let started = Instant::now();
    table.raw_set("clock", lua.create_function(move |_, ()| Ok(started.elapsed().as_secs_f64()))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("version", REDIS_VERSION)?;
    let number = REDIS_VERSION.split('.').filter_map(|part| part.parse::<u32>().ok());
    table.raw_set("version_number", number.fold(0, |sum, part| sum << 8 | part))?;
    Ok(table)
}

/// Captures as Lua values, behind `results`.
fn push_captures(call: &Call<'_>, results: &mut MultiValue, captures: &[Captured<'_>]) -> Result<(), Failure> {
    for capture in captures {
        results.push_back(match capture {
            Captured::Text(text) => Value::String(call.lua.create_string(text)?),
            Captured::Position(at) => Value::Integer(*at as i64),
        });
    }
    Ok(())
}

/// Where a search begins, counted from 0; negative positions count from the end.
fn first_position(call: &Call<'_>, subject: &[u8]) -> Result<usize, Failure> {
    let length = subject.len() as f64;
    let init = call.number(3, Some(1.0))?.trunc();
    let init = if init < 0.0 { length + init } else { init - 1.0 };
    Ok(init.clamp(0.0, length) as usize)
}

fn find(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let (subject, pattern) = (call.text(1)?, call.text(2)?);
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let from = first_position(call, &subject)?;
    let late = || call.state.is_late();
    if is_plain(&pattern) || !matches!(call.value(4), Value::Nil | Value::Boolean(false)) {
        return match find_plain(&subject, &pattern, from, &late)? {
            Some(start) => call.results((start + 1, start + pattern.len())),
            None => call.results(Value::Nil),
        };
    }
    match search(&subject, &pattern, from, true, &late)? {
        Some(Match { start, end, captures }) => {
            let mut results = call.results((start + 1, end))?;
            push_captures(call, &mut results, &captures)?;
            Ok(results)
        }
        None => call.results(Value::Nil),
    }
}

fn matching(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let (subject, pattern) = (call.text(1)?, call.text(2)?);
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let from = first_position(call, &subject)?;
    match search(&subject, &pattern, from, true, &|| call.state.is_late())? {
        Some(found) => {
            let mut results = call.results(())?;
            push_captures(call, &mut results, &found.captures_or_whole(&subject))?;
            Ok(results)
        }
        None => call.results(Value::Nil),
    }
}

/// `(subject, pattern, from, anchors)`: first and last position of the next match and its captures, or nil.
fn step(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let (subject, pattern) = (call.text(1)?, call.text(2)?);
    let (subject, pattern) = (subject.as_bytes(), pattern.as_bytes());
    let from = (call.number(3, None)? as usize).saturating_sub(1);
    let anchors = call.value(4) == Value::Boolean(true);
    match search(&subject, &pattern, from, anchors, &|| call.state.is_late())? {
        Some(found) => {
            let mut results = call.results((found.start + 1, found.end))?;
            push_captures(call, &mut results, &found.captures_or_whole(&subject))?;
            Ok(results)
        }
        None => call.results(Value::Nil),
    }
}

/// `(replacement, subject, first, last, captures...)`: the replacement with `%0` to `%9` filled in.
fn expand(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let (replacement, subject) = (call.text(1)?, call.text(2)?);
    let (replacement, subject) = (replacement.as_bytes(), subject.as_bytes());
    let (first, last) = (call.number(3, None)? as usize, call.number(4, None)? as usize);
    let mut text = Vec::with_capacity(replacement.len());
    let mut bytes = replacement.iter();
    while let Some(&byte) = bytes.next() {
        match (byte, if byte == b'%' { bytes.next() } else { None }) {
            (b'%', Some(b'0')) => text.extend_from_slice(&subject[first - 1..last]),
            (b'%', Some(digit @ b'1'..=b'9')) => {
                let number = 4 + usize::from(digit - b'0');
                if number > call.arguments.len() {
                    return Err(Failure::Message("invalid capture index".into()));
                }
                text.extend_from_slice(&call.text(number)?.as_bytes());
            }
            (b'%', Some(&other)) => text.push(other),
            (byte, _) => text.push(byte),
        }
        if text.len() > call.state.memory {
            return Err(Failure::Stopped(Stop::Memory));
        }
    }
    call.results(call.lua.create_string(text)?)
}

fn random(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let number = call.state.random.borrow_mut().next();
    let (low, high, blamed) = match call.arguments.len() {
        0 => return call.results(number),
        1 => (1.0, call.number(1, None)?.trunc(), 1),
        2 => (call.number(1, None)?.trunc(), call.number(2, None)?.trunc(), 2),
        _ => return Err(Failure::Message("wrong number of arguments".into())),
    };
    if low > high {
        return call.wrong(blamed, "interval is empty");
    }
    call.results((number * (high - low + 1.0)).floor() + low)
}

fn randomseed(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let seed = call.number(1, None)?;
    *call.state.random.borrow_mut() = Random::new(seed as i64 as u32);
    call.results(())
}

fn encode(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return call.wrong(1, "expected 1 argument");
    }
    let late = || call.state.is_late();
    let mut encoder = Encoder { out: Vec::new(), max_bytes: call.state.memory, late: &late };
    if let Err(message) = encoder.value(&call.value(1), 0) {
        return Err(match (late(), encoder.out.len() > call.state.memory) {
            (true, _) => Failure::Stopped(Stop::Budget),
            (_, true) => Failure::Stopped(Stop::Memory),
            _ => Failure::Message(message),
        });
    }
    call.results(call.lua.create_string(encoder.out)?)
}

fn decode(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return call.wrong(1, "expected 1 argument");
    }
    let text = call.text(1)?;
    let late = || call.state.is_late();
    match Decoder::new(call.lua, &text.as_bytes(), &late).run() {
        Ok(value) => call.results(value),
        Err(_) if late() => Err(Failure::Stopped(Stop::Budget)),
        Err(message) => Err(Failure::Message(message)),
    }
}

fn sha1hex(call: &Call<'_>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return Err(Failure::Lua(Raised::error(b"ERR wrong number of arguments")));
    }
    let hexadecimal = call.lua.create_string(digest(&call.text(1)?.as_bytes()))?;
    Ok(hexadecimal.into_lua_multi(call.lua)?)
}

/// A table with the error under `err`, which gets a code where it has none.
fn error_reply(call: &Call<'_>) -> Result<MultiValue, Failure> {
    let text = call.text(1)?;
    let mut text = &*text.as_bytes();
    text = text.strip_prefix(b"-").unwrap_or(text);
    while let [rest @ .., b'\r' | b'\n'] = text {
        text = rest;
    }
    let error = if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() };
    Ok(field(call.lua, "err", &error)?.into_lua_multi(call.lua)?)
}
