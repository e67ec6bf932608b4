//! JSON for scripts, as Redis' `cjson` has it: texts of any bytes, numbers of 14 digits, errors in its words.

mod decoder;
mod encoder;
mod settings;

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table, Value};

use super::interpreter::{RunState, Stop};
use super::native::{Call, Failure, bind};
use decoder::Decoder;
use encoder::Encoder;
use settings::InvalidNumbers;
pub(super) use settings::Settings;

/// A function of one `cjson`.
type Function = fn(&Call<'_>, &RefCell<Settings>) -> Result<MultiValue, Failure>;

const FUNCTIONS: &[(&str, Function)] = &[
    ("encode", encode),
    ("decode", decode),
    ("encode_sparse_array", encode_sparse_array),
    ("encode_max_depth", |call, settings| depth(call, &mut settings.borrow_mut().encode_max_depth)),
    ("decode_max_depth", |call, settings| depth(call, &mut settings.borrow_mut().decode_max_depth)),
    ("encode_number_precision", encode_number_precision),
    ("encode_keep_buffer", |call, settings| switch(call, &mut settings.borrow_mut().keep_buffer)),
    ("encode_invalid_numbers", encode_invalid_numbers),
    ("decode_invalid_numbers", |call, settings| switch(call, &mut settings.borrow_mut().decode_invalid_numbers)),
];

/// A `cjson` with settings of its own.
///
/// # Errors
/// Those of Lua: too little memory.
pub(super) fn library(lua: &Lua, state: &Rc<RunState>, settings: &Rc<RefCell<Settings>>) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    for &(name, function) in FUNCTIONS {
        let settings = Rc::clone(settings);
        table.raw_set(name, bind(lua, state, name, move |call| function(call, &settings))?)?;
    }
    let new = bind(lua, state, "new", |call| call.results(library(call.lua, call.state, &Rc::default())?))?;
    table.raw_set("new", new)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn encode(call: &Call<'_>, settings: &RefCell<Settings>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return call.wrong(1, "expected 1 argument");
    }
    let settings = settings.borrow();
    let late = || call.state.is_late();
    let mut encoder = Encoder { settings: &settings, out: Vec::new(), max_bytes: call.state.memory, late: &late };
    if let Err(message) = encoder.value(&call.value(1), 0) {
        return Err(match (late(), encoder.out.len() > call.state.memory) {
            (true, _) => Failure::Stopped(Stop::Budget),
            (_, true) => Failure::Stopped(Stop::Memory),
            _ => Failure::Message(message),
        });
    }
    call.results(call.lua.create_string(encoder.out)?)
}

fn decode(call: &Call<'_>, settings: &RefCell<Settings>) -> Result<MultiValue, Failure> {
    if call.arguments.len() != 1 {
        return call.wrong(1, "expected 1 argument");
    }
    let text = call.text(1)?;
    let settings = settings.borrow();
    let late = || call.state.is_late();
    match Decoder::new(&settings, call.lua, &text.as_bytes(), &late).run() {
        Ok(value) => call.results(value),
        Err(_) if late() => Err(Failure::Stopped(Stop::Budget)),
        Err(message) => Err(Failure::Message(message)),
    }
}

/// `(as object, ratio, safe length)`, each of them left as it is where nil; answers what holds then.
fn encode_sparse_array(call: &Call<'_>, settings: &RefCell<Settings>) -> Result<MultiValue, Failure> {
    let settings = &mut *settings.borrow_mut();
    at_most(call, 3)?;
    set_switch(call, &mut settings.sparse_as_object)?;
    set_integer(call, 2, &mut settings.sparse_ratio, 0, i32::MAX)?;
    set_integer(call, 3, &mut settings.sparse_safe, 0, i32::MAX)?;
    call.results((settings.sparse_as_object, settings.sparse_ratio, settings.sparse_safe))
}

fn depth(call: &Call<'_>, depth: &mut usize) -> Result<MultiValue, Failure> {
    at_most(call, 1)?;
    set_integer(call, 1, depth, 1, i32::MAX)?;
    call.results(*depth)
}

fn encode_number_precision(call: &Call<'_>, settings: &RefCell<Settings>) -> Result<MultiValue, Failure> {
    let precision = &mut settings.borrow_mut().number_precision;
    at_most(call, 1)?;
    set_integer(call, 1, precision, 1, 14)?;
    call.results(*precision)
}

fn switch(call: &Call<'_>, switch: &mut bool) -> Result<MultiValue, Failure> {
    at_most(call, 1)?;
    set_switch(call, switch)?;
    call.results(*switch)
}

fn encode_invalid_numbers(call: &Call<'_>, settings: &RefCell<Settings>) -> Result<MultiValue, Failure> {
    use InvalidNumbers::{Named, Null, Refused};
    let setting = &mut settings.borrow_mut().encode_invalid_numbers;
    at_most(call, 1)?;
    match option(call, &["off", "on", "null"])? {
        None => {}
        Some(0) => *setting = Refused,
        Some(1) => *setting = Named,
        Some(_) => *setting = Null,
    }
    match setting {
        Null => call.results("null"),
        other => call.results(*other == Named),
    }
}

fn at_most(call: &Call<'_>, count: usize) -> Result<(), Failure> {
    if call.arguments.len() > count { call.wrong(count + 1, "found too many arguments") } else { Ok(()) }
}

/// Changes a setting to the argument of this number, if there is one.
fn set_integer(call: &Call<'_>, number: usize, setting: &mut usize, least: i32, most: i32) -> Result<(), Failure> {
    if call.value(number).is_nil() {
        return Ok(());
    }
    let wanted = call.number(number, None)? as i64;
    if !(i64::from(least)..=i64::from(most)).contains(&wanted) {
        // Whichever it is, the first one gets the blame.
        return call.wrong(1, &format!("expected integer between {least} and {most}"));
    }
    *setting = wanted as usize;
    Ok(())
}

fn set_switch(call: &Call<'_>, switch: &mut bool) -> Result<(), Failure> {
    if let Some(chosen) = option(call, &["off", "on"])? {
        *switch = chosen == 1;
    }
    Ok(())
}

/// Which of `names` the first argument is; a truth value is one of the first two.
fn option(call: &Call<'_>, names: &[&str]) -> Result<Option<usize>, Failure> {
    match call.value(1) {
        Value::Nil => Ok(None),
        Value::Boolean(truth) => Ok(Some(usize::from(truth))),
        _ => {
            let text = call.text(1)?;
            let text = text.to_string_lossy();
            let text = text.split('\0').next().unwrap_or_default();
            match names.iter().position(|&name| name == text) {
                None => call.wrong(1, &format!("invalid option '{text}'")),
                found => Ok(found),
            }
        }
    }
}
