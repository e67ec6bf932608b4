//! The parts of a script's library that are written in Rust. `prelude.lua` hands them out.
//!
//! They are called by scripts directly, so that the frame of the script is there when they fail: a tail call to a
//! function of Lua would have replaced it. What they raise is no value of Lua; the prelude's `pcall` turns it into one.

use std::rc::Rc;
use std::time::Instant;

use mlua::{Function, IntoLuaMulti, Lua, LuaString, MultiValue, Table, Value};

use super::convert::field;
use super::interpreter::{RunState, Stop, load, script_line};
use super::number::{Random, general};
use super::pattern::{Captured, Fault, Match, find_plain, is_plain, search};
use super::{binary, bits, cjson, msgpack, redis};
use crate::command::REDIS_VERSION;

/// What scripts are called in errors.
const SCRIPT_CHUNK: &str = "user_script";

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

/// An error with a place in the prelude as the library has it, which is C elsewhere and has no lines: where an argument
/// is wrong, the place is that of the call.
pub(super) fn misplaced(lua: &Lua, text: &[u8]) -> Vec<u8> {
    let place = text.strip_prefix(b"sandbox:").and_then(|rest| {
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest[digits..].strip_prefix(b": ")
    });
    match (place, script_line(lua)) {
        (None, _) => text.to_vec(),
        (Some(message), Some(line)) if message.starts_with(b"bad argument") || message.starts_with(b"wrong number") => {
            [format!("{SCRIPT_CHUNK}:{line}: ").as_bytes(), message].concat()
        }
        (Some(message), _) => message.to_vec(),
    }
}

/// An error with the line of the script in front, as the functions of Lua's own library have it.
fn raised_here(lua: &Lua, message: &str) -> mlua::Error {
    let place = script_line(lua).map_or_else(String::new, |line| format!("{SCRIPT_CHUNK}:{line}: "));
    Raised::error(format!("ERR {place}{message}").as_bytes())
}

/// A native function: its results, or a message.
pub(super) type Native = fn(&Call<'_>) -> Result<MultiValue, Failure>;

pub(super) enum Failure {
    /// The script gets this as an error, behind the line it is at.
    Message(String),
    /// The script gets this as an error, as if a command had answered it.
    Reply(&'static str),
    /// The run ends.
    Stopped(Stop),
    Lua(mlua::Error),
}

impl Failure {
    /// What the interpreter gets.
    fn raise(self, call: &Call<'_>) -> mlua::Error {
        match self {
            Self::Message(message) => raised_here(call.lua, &message),
            Self::Reply(text) => Raised::error(text.as_bytes()),
            Self::Stopped(stop) => call.state.halt(call.lua, stop),
            Self::Lua(error) => error,
        }
    }
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
pub(super) struct Call<'c> {
    pub lua: &'c Lua,
    pub state: &'c Rc<RunState>,
    name: &'static str,
    pub arguments: MultiValue,
}

impl Call<'_> {
    pub fn value(&self, number: usize) -> Value {
        self.arguments.get(number - 1).cloned().unwrap_or(Value::Nil)
    }

    pub fn wrong<T>(&self, number: usize, what: &str) -> Result<T, Failure> {
        Err(Failure::Message(format!("bad argument #{number} to '{}' ({what})", self.name)))
    }

    pub fn mismatch<T>(&self, number: usize, wanted: &str) -> Result<T, Failure> {
        let got = match self.arguments.get(number - 1) {
            None => "no value",
            Some(Value::LightUserData(_)) => "userdata",
            Some(value) => value.type_name(),
        };
        self.wrong(number, &format!("{wanted} expected, got {got}"))
    }

    /// A text, or a number as text.
    pub fn text(&self, number: usize) -> Result<LuaString, Failure> {
        match self.value(number) {
            Value::String(text) => Ok(text),
            Value::Integer(integer) => Ok(self.lua.create_string(general(integer as f64, 14))?),
            Value::Number(float) => Ok(self.lua.create_string(general(float, 14))?),
            _ => self.mismatch(number, "string"),
        }
    }

    /// A number, or a text that is one; `otherwise` where there is none.
    pub fn number(&self, number: usize, otherwise: Option<f64>) -> Result<f64, Failure> {
        match (self.lua.coerce_number(self.value(number))?, otherwise) {
            (Some(float), _) => Ok(float),
            (None, Some(otherwise)) if self.value(number).is_nil() => Ok(otherwise),
            _ => self.mismatch(number, "number"),
        }
    }

    /// Fails if the stack of Lua has no room for `count` values beside the arguments; with `why` behind the message.
    pub fn need_stack(&self, count: usize, why: &str) -> Result<(), Failure> {
        /// What a function of C may have there, as Lua is built by default.
        const MAX_STACK: usize = 8_000;
        if self.arguments.len() + count > MAX_STACK {
            return Err(Failure::Message(format!("stack overflow ({why})")));
        }
        Ok(())
    }

    pub fn results(&self, results: impl IntoLuaMulti) -> Result<MultiValue, Failure> {
        Ok(results.into_lua_multi(self.lua)?)
    }
}

/// A function of Lua that runs a native one.
///
/// # Errors
/// Those of Lua: too little memory.
pub(super) fn bind(
    lua: &Lua,
    state: &Rc<RunState>,
    name: &'static str,
    native: impl Fn(&Call<'_>) -> Result<MultiValue, Failure> + 'static,
) -> mlua::Result<Function> {
    let state = Rc::clone(state);
    lua.create_function(move |lua, arguments: MultiValue| {
        let call = Call { lua, state: &state, name, arguments };
        native(&call).map_err(|failure| failure.raise(&call))
    })
}

fn fill(lua: &Lua, state: &Rc<RunState>, table: &Table, natives: &[(&'static str, Native)]) -> mlua::Result<()> {
    natives.iter().try_for_each(|&(name, native)| table.raw_set(name, bind(lua, state, name, native)?))
}

/// The table of all of them.
pub(super) fn functions(lua: &Lua, state: &Rc<RunState>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    let natives: [(&'static str, Native); 6] = [
        ("find", find),
        ("match", matching),
        ("step", step),
        ("expand", expand),
        ("random", random),
        ("randomseed", randomseed),
    ];
    fill(lua, state, &table, &natives)?;
    fill(lua, state, &table, redis::FUNCTIONS)?;
    for (name, functions) in [("bit", bits::FUNCTIONS), ("struct", binary::FUNCTIONS), ("cmsgpack", msgpack::FUNCTIONS)]
    {
        let library = lua.create_table()?;
        fill(lua, state, &library, functions)?;
        table.raw_set(name, library)?;
    }
    table.raw_set("cjson", cjson::library(lua, state, &state.json)?)?;
    let loading = Rc::clone(state);
    table.raw_set(
        "loadstring",
        lua.create_function(move |lua, arguments: MultiValue| {
            if loading.is_late() {
                return Err(loading.halt(lua, Stop::Budget));
            }
            let call = Call { lua, state: &loading, name: "loadstring", arguments };
            let source = call.text(1).map_err(|failure| failure.raise(&call))?;
            // Without a name it is called by its source, as in Lua.
            let name = call.text(2).unwrap_or_else(|_| source.clone()).to_string_lossy();
            match load(lua, &source.as_bytes(), &name) {
                Ok(function) => function.into_lua_multi(lua),
                Err(message) => (Value::Nil, message).into_lua_multi(lua),
            }
        })?,
    )?;
    table.raw_set(
        "as_value",
        lua.create_function(|lua, mut values: MultiValue| {
            if let Some(Value::Error(error)) = values.front()
                && let Some(text) = Raised::text(error)
            {
                values[0] = match text.strip_prefix(b"ERR user_script") {
                    // Without the code that only a reply has, where the message is one of the library.
                    Some(_) => Value::String(lua.create_string(&text[4..])?),
                    None => field(lua, "err", text)?,
                };
            } else if let Some(Value::String(text)) = values.front() {
                let text = lua.create_string(misplaced(lua, &text.as_bytes()))?;
                values[0] = Value::String(text);
            }
            Ok(values)
        })?,
    )?;
    let started = Instant::now();
    table.raw_set("clock", lua.create_function(move |_, ()| Ok(started.elapsed().as_secs_f64()))?)?;
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
